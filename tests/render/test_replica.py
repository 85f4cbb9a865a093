"""The caller's model stays as it is, and may come compiled, parallel, in half precision or from inference mode."""

import contextlib
import copy
import threading

import numpy as np
import pytest
import torch
from support import tiny
from torch import nn

from distcari.errors import InputError
from distcari.render import Network, caricature, describe_layers
from distcari.render.replica import replica

SMALL = {"size": 32, "steps": 3, "input_size": 32}


@pytest.fixture(autouse=True)
def seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def image():
    return torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_the_callers_model_is_left_as_it_was():
    model = tiny.net().train()
    model.conv1.eval()
    model.bn2.weight.requires_grad_(False)
    state = copy.deepcopy(model.state_dict())
    before = [
        (m.training, [(id(p), p.requires_grad, p.data_ptr(), p.stride()) for p in m.parameters(False)])
        for m in model.modules()
    ]
    caricature(model, image(), "conv2", **SMALL)
    describe_layers(model, 32)
    after = [
        (m.training, [(id(p), p.requires_grad, p.data_ptr(), p.stride()) for p in m.parameters(False)])
        for m in model.modules()
    ]
    assert before == after
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert not any(m._forward_hooks for m in model.modules())


def test_a_copy_shares_what_it_can():
    model = nn.Sequential(nn.Linear(4, 4))
    assert replica(model)[0].weight.data_ptr() == model[0].weight.data_ptr()
    assert not replica(model)[0].weight.requires_grad and model[0].weight.requires_grad


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, contextlib.nullcontext])
@pytest.mark.parametrize("inside", [True, False])
def test_grad_mode_around_the_call_does_not_matter(around, inside):
    plain = caricature(tiny.net(), image(), "conv2", **SMALL)
    torch.manual_seed(0)
    model = None if inside else tiny.net()
    with around():
        if inside:
            torch.manual_seed(0)
        model, picture = model or tiny.net(), image()
        got = caricature(model, picture, "conv2", **SMALL)
        assert np.isfinite(got.gain_curve).all() and len(describe_layers(model, 32)) == 5
    assert np.array_equal(got.picture, plain.picture)


@pytest.mark.parametrize("dtype, near", [(torch.bfloat16, 0.1), (torch.half, 0.02), (torch.double, 1e-5)])
def test_models_of_other_precisions_are_rendered_in_ours(dtype, near):
    model = tiny.net()
    exact = caricature(model, image(), "conv2", precision="float32", amplify=1.0, **SMALL)
    got = caricature(copy.deepcopy(model).to(dtype), image(), "conv2", precision="float32", amplify=1.0, **SMALL)
    assert np.abs(got.picture - exact.picture).max() < near and got.precision == "float32"


def compiled(model):
    return torch.compile(model, backend="eager")


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


def compiled_inside(model):
    model.conv1 = torch.compile(model.conv1, backend="eager")
    return model


@pytest.mark.parametrize(
    "wrap",
    [
        compiled,
        compiled_in_place,
        compiled_inside,
        nn.DataParallel,
        lambda m: nn.DataParallel(torch.compile(m, backend="eager")),
    ],
)
def test_wrapped_models_have_the_layers_of_what_is_inside(wrap):
    model = tiny.net()
    plain = caricature(model, image(), "conv2", **SMALL)
    wrapped = wrap(copy.deepcopy(model))
    assert [i.name for i in describe_layers(wrapped, 32)] == ["conv1", "bn1", "conv2", "bn2", "head"]
    assert np.array_equal(caricature(wrapped, image(), "conv2", **SMALL).picture, plain.picture)


class Remembers(tiny.Net):
    def forward(self, x):
        self.seen = super().forward(x)
        return self.seen


def test_a_model_that_remembers_activations_can_be_copied():
    model = Remembers()
    model(torch.rand(1, 3, 32, 32))
    assert caricature(model, image(), "conv2", **SMALL).picture.shape == (32, 32, 3)


def locked():
    model = tiny.net()
    model.lock = threading.Lock()
    return model


def meta():
    with torch.device("meta"):
        return tiny.net()


@pytest.mark.filterwarnings("ignore:.torch.jit.trace")
@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: torch.jit.trace(tiny.net().eval(), torch.rand(1, 3, 32, 32)), "TorchScript"),
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3)), "lazy"),
        (locked, "cannot be copied"),
        (meta, "meta device"),
        (lambda: torch.relu, "not a torch.nn.Module"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_the_reason(make, said):
    with pytest.raises(InputError, match=said):
        caricature(make(), image(), "conv2", **SMALL)


def grey(channels=1):
    return nn.Sequential(nn.Conv2d(channels, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3))


def test_a_model_of_one_channel_sees_luminance_and_draws_grey():
    model, x = grey(), torch.rand(2, 3, 32, 32)
    network = Network(model, mean=(0.4,), std=(0.2,), input_size=32)
    luminance = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    with torch.no_grad():
        assert torch.allclose(network.activations("2")(x), model((luminance - 0.4) / 0.2), atol=1e-5)
    for settings in ({}, {"compat": "lucent"}):
        c = caricature(network, image(), "2", **SMALL | settings)
        assert np.ptp(c.picture, axis=-1).max() < 1e-6 < c.picture.std() and c.gain_curve[-1] != c.gain_curve[0]


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_models_of_other_channels_are_refused_with_their_number(channels):
    with pytest.raises(InputError, match=f"takes pictures of {channels} channels"):
        Network(grey(channels), input_size=32)


class Gives(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.conv, self.odd, self.end = nn.Conv2d(3, 4, 3), Odd(what), nn.Identity()

    def forward(self, x):
        y = self.conv(x)
        self.odd(y)
        return self.end(y)


class Odd(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, y):
        return self.what(y)


@pytest.mark.parametrize(
    "what, said",
    [
        (lambda y: y.argmax(1), "int64 values"),
        (lambda y: y > 0, "bool values"),
        (lambda y: y.detach(), "no gradient"),
        (lambda y: torch.ones_like(y), "no gradient"),
        (lambda y: (y, y), "gives a tuple"),
        (lambda y: {"y": y}, "gives a dict"),
        (lambda y: y[..., None], "shape"),
        (lambda y: y.sum(), "shape"),
        (lambda y: None, "gives a NoneType"),
    ],
)
def test_layers_that_cannot_be_aimed_at_say_why(what, said):
    network = Network(Gives(what), input_size=32)
    assert [i.name for i in network.layers] == ["conv", "end"]
    with pytest.raises(InputError, match=said):
        caricature(network, image(), "odd", **SMALL)


def test_a_model_without_parameters_is_rendered():
    model = nn.Sequential(nn.AvgPool2d(2), nn.ReLU())
    assert caricature(model, image(), "0", **SMALL, metric="plain").gain_curve.shape == (3,)


@pytest.mark.parametrize(
    "model, said",
    [
        (nn.Identity(), "none of its layers"),
        (nn.Sequential(nn.Flatten(), nn.Linear(7, 2)), "does not run on a picture"),
        (nn.Sequential(nn.Conv2d(3, 4, 40)), "does not run on a picture 3 × 32 × 32"),
    ],
)
def test_models_that_cannot_run_or_have_no_layer_are_refused(model, said):
    with pytest.raises(InputError, match=said):
        describe_layers(model, 32)


def test_memory_that_runs_out_is_not_blamed_on_the_model():
    def full(_):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(torch.OutOfMemoryError):
        describe_layers(Gives(full), 32)
