"""float16 and tf32: what they change, where they are refused, and that no gradient is lost to float16's range."""

import numpy as np
import pytest
import torch
from support import tiny
from torch import nn

from distcari.errors import InputError
from distcari.render import Network, caricature
from distcari.render.precision import decide
from distcari.settings import RenderSettings

X = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(tiny.net(), input_size=32)


def gradient(network, layer, precision, scale):
    x = X.clone().requires_grad_(True)
    out = network.forward(layer, precision)(x)
    towards = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad(out, x, scale * towards)[0]


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e9])
def test_a_gradient_of_any_size_comes_through_float16(network, scale):
    """Unscaled, those below 6e-8 are zero and those above 65,504 infinite."""
    exact, got = (gradient(network, "conv2", precision, scale) / scale for precision in ("float32", "float16"))
    assert (got - exact).norm() <= 0.02 * exact.norm() and exact.norm() > 0


def test_each_pictures_gradient_has_a_scale_of_its_own(network):
    def found(apart):
        x = X.clone().requires_grad_(True)
        out = network.forward("conv2", "float16")(x)
        return torch.autograd.grad(out, x, apart * torch.ones_like(out))[0]

    apart = torch.tensor([2.0**-60, 2.0**10]).view(2, 1, 1, 1)
    assert torch.equal(found(apart), apart * found(torch.ones(2, 1, 1, 1))), "powers of two round nothing"


def test_a_cell_in_float16_is_float32s_but_for_rounding(network):
    image = (255 * X[0].permute(1, 2, 0)).byte().numpy()
    settings = RenderSettings(size=32, steps=24)
    made = {p: caricature(network, image, "conv2", settings=settings, precision=p) for p in ("float32", "float16")}
    assert made["float16"].precision == "float16" and made["float32"].precision == "float32"
    assert made["float16"].figures["robust_gain"] == pytest.approx(made["float32"].figures["robust_gain"], rel=0.03)
    other = caricature(network, image, "conv2", settings=settings, precision="float32", seed=1)
    rounding, seeds = (np.abs(made["float32"].picture - c.picture).mean() for c in (made["float16"], other))
    assert 0 < rounding < 0.8 * seeds


class Overflowing(nn.Module):
    """Values that float16 does not have, on the way."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, x):
        return self.b(self.a(x) * 1e6 * 1e-6)


class SteepGradient(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return x.clone()

    @staticmethod
    def backward(_ctx, gradient):
        return gradient * 1e6


class Steep(Overflowing):
    """Activations as they should be, but gradients that float16 does not have."""

    def forward(self, x):
        return self.b(SteepGradient.apply(self.a(x)))


@pytest.mark.parametrize("model", [Overflowing, Steep])
def test_a_layer_that_float16_does_not_hold_is_computed_in_float32(model):
    torch.manual_seed(0)
    network = Network(model(), input_size=16)
    assert decide(network, "b", "float16") == "float32" and decide(network, "a", "float16") == "float16"


def test_tf32_is_refused_where_there_is_none(network):
    with pytest.raises(InputError, match="tf32") as refused:
        caricature(network, np.zeros((32, 32, 3), np.uint8), "conv2", size=32, precision="tf32")
    assert "bfloat16" in str(refused.value)
