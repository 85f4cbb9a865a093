"""bfloat16 where the values survive it and it is not slower; float32 otherwise, and never because memory ran out."""

import time

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from distcari.render import Network
from distcari.render.convolution import packs
from distcari.render.precision import decide


@pytest.fixture(autouse=True)
def seeded(monkeypatch):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    monkeypatch.setattr("distcari.render.precision.multiplies_bfloat16", lambda _device: True)


class Odd(nn.Module):
    """Does `act` in its second convolution's place where that sees bfloat16."""

    def __init__(self, act):
        super().__init__()
        self.a, self.b, self.act = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), act

    def forward(self, x):
        x = self.a(x)
        if x.dtype == torch.bfloat16:
            self.act()
        return self.b(x)


def raising(error):
    def act():
        raise error

    return act


def asserting():
    assert not "float32 alone", "this model computes in float32"


@pytest.mark.parametrize("act", [asserting, raising(TypeError("float")), raising(RuntimeError("mixed dtypes"))])
def test_a_model_that_refuses_bfloat16_is_computed_in_float32(act):
    network = Network(Odd(act), input_size=16)
    assert decide(network, "b", "bfloat16") == decide(network, "b", "auto") == "float32"
    assert decide(network, "b", "float32") == "float32"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
    ],
)
def test_memory_that_runs_out_decides_nothing(error):
    network = Network(Odd(raising(error)), input_size=16)
    for _ in range(2):
        with pytest.raises(type(error)):
            network.precision("b", "bfloat16")


def test_auto_takes_float32_where_bfloat16_is_much_dearer_and_a_name_insists():
    def dawdle():
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    network = Network(Odd(dawdle), input_size=16)
    assert decide(network, "b", "auto") == "float32" and decide(network, "b", "bfloat16") == "bfloat16"
    assert decide(network, "a", "auto") == "bfloat16", "what lies behind the layer costs it nothing"


def test_what_the_driver_decided_is_not_tried_again(monkeypatch):
    network = Network(Odd(lambda: None), input_size=16)
    network.settle("b", "bfloat16")
    monkeypatch.setattr("distcari.render.network.decide", lambda *_: pytest.fail("tried"))
    assert network.precision("b", "auto") == network.precision("b", "bfloat16") == "bfloat16"


class Blur(nn.Module):
    def __init__(self, side):
        super().__init__()
        self.register_buffer("kernel", torch.ones(3, 1, side, side) / side**2)
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(F.conv2d(x, self.kernel, padding=self.kernel.shape[-1] // 2, groups=3))


@pytest.mark.timeout(60)
def test_a_wide_depthwise_blur_is_no_slower_in_bfloat16():
    """oneDNN took minutes for it."""
    network, x = Network(Blur(25), input_size=64), torch.rand(1, 3, 64, 64)
    got, exact = (network.forward("conv", precision)(x) for precision in ("bfloat16", "float32"))
    assert (got - exact).norm() <= 0.02 * exact.norm()
    start = time.process_time()
    network.precision("conv", "auto")
    assert time.process_time() - start < 2


def test_weights_computed_at_each_pass_are_not_kept():
    class Standardised(nn.Conv2d):
        def forward(self, x):
            return F.conv2d(x, self.weight - self.weight.mean((1, 2, 3), keepdim=True), self.bias)

    network = Network(nn.Sequential(Standardised(3, 4, 3), nn.Conv2d(4, 4, 3)), input_size=16)
    x = torch.rand(1, 3, 16, 16)
    forward = network.activations("1")
    for _ in range(3):
        forward(x)
    assert len(network._convolutions._known) == 1 and packs(torch.float32)


def test_one_weight_with_two_biases():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other, self.end = nn.Conv2d(3, 4, 1), nn.Parameter(torch.ones(4)), nn.Identity()

        def forward(self, x):
            return self.end(torch.cat([self.conv(x), F.conv2d(x, self.conv.weight, self.other)], 1))

    model, x = Twice(), torch.rand(1, 3, 8, 8)
    network = Network(model, mean=(0,), std=(1,), input_size=8)
    with torch.no_grad():
        assert torch.allclose(network.activations("end")(x), model(x), atol=1e-6)


@pytest.mark.parametrize("act", [lambda: None, asserting])
def test_what_auto_found_is_not_tried_a_second_time_by_its_name(act, monkeypatch):
    tried = []
    monkeypatch.setattr("distcari.render.network.decide", lambda *given: tried.append(given[2]) or decide(*given))
    network = Network(Odd(act), input_size=16)
    found = network.precision("b", "auto")
    network.activations("b", precision=found)(torch.rand(1, 3, 16, 16))
    assert tried == ["auto"] and network.precision("b", "float32") == "float32"
