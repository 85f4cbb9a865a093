"""What a picture may claim: nothing unseen is drawn, every cell starts or says why not, and the parametrisation of a
network does not matter."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import tiny
from torch import nn

from distcari.errors import InputError
from distcari.figures import high_frequency_share
from distcari.render import Network, caricature, caricatures
from distcari.render.augment import random_views, see
from distcari.render.metric import channel_dim, measured, reference_images
from distcari.render.objective import flat, gain_and_cosine, objective
from distcari.render.parametrization import (
    coarse_edge,
    colour_basis,
    frequencies,
    frequency_scale,
    gate_at,
    generators,
    pictures,
    starts,
)
from distcari.render.step import rate
from distcari.settings import RenderSettings

SIZE = 64
SMALL = RenderSettings(size=SIZE, steps=24, precision="float32")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


class Behind(nn.Module):
    """A network that sees its pictures through something."""

    def __init__(self, model, veil):
        super().__init__()
        self.model, self.veil = model, veil

    def forward(self, x):
        return self.model(self.veil(x))


def net(seed=0, width=16):
    torch.manual_seed(seed)
    return tiny.net(width).eval()


def network(model):
    return Network(model, mean=(0.5,) * 3, std=(0.5,) * 3, input_size=SIZE)


def photograph(n=1):
    return reference_images(SIZE)[:n]


def render(model, layer, seed=0, **changes):
    return caricatures(network(model), photograph(), layer, [seed], SMALL.with_(**changes))[0]


def chroma(picture):
    """Largest difference between a pixel's colours."""
    return float(np.ptp(picture, axis=-1).max())


@given(seed=st.integers(0, 2**16), start=st.integers(0, 2**16))
@settings(max_examples=5, deadline=None)
def test_a_colour_blind_network_gets_a_grey_picture(seed, start):
    model = net(seed)
    with torch.no_grad():
        model.conv1.weight.copy_(model.conv1.weight.mean(1, keepdim=True).expand_as(model.conv1.weight))
    assert chroma(render(model, "conv2", start).picture) < 0.002
    assert chroma(render(model, "conv2", start, damping=0.0).picture) > 0.05  # what plain Adam draws


@given(colour=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda c: math.hypot(*c) > 0.3), seed=st.integers(0, 2**16))
@settings(max_examples=5, deadline=None)
def test_what_is_seen_of_one_colour_alone_is_drawn_in_that_colour(colour, seed):
    model = net(seed)
    seen = torch.tensor(colour) / math.hypot(*colour)
    with torch.no_grad():
        model.conv1.weight.copy_(model.conv1.weight.mean(1, keepdim=True) * seen.view(1, 3, 1, 1))
    logits = torch.from_numpy(render(model, "conv2").picture).double().logit()
    along = logits @ seen.double()
    across = logits - along[..., None] * seen.double()
    assert across.norm() <= 0.02 * along.norm()


def test_a_network_of_one_channel_gets_a_grey_picture():
    model = net()
    model.conv1 = nn.Conv2d(1, 16, 3, padding=1)
    made = render(model, "conv2")
    assert chroma(made.picture) < 1e-6 and made.picture.std() > 0.02


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_blurred_away_is_not_drawn(seed):
    at = torch.arange(SIZE)
    kernel = torch.exp(-0.5 * ((at[:, None] - at[None]) / 4.0) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    model = Behind(net(seed), lambda x: kernel @ x @ kernel.T)
    assert high_frequency_share(render(model, "model.conv2").picture) <= 0.002


@pytest.mark.parametrize(("seed", "axis"), [(0, 2), (1, 3)])
def test_where_nothing_is_seen_nothing_is_drawn(seed, axis):
    shape = [1, 1, 1, 1]
    shape[axis] = SIZE
    seen = (torch.arange(SIZE) < SIZE // 2).float().view(shape)
    picture = render(Behind(net(seed), lambda x: x * seen), "model.conv2").picture
    near, beyond = np.split(picture, [SIZE // 2 + SIZE // 8], axis=axis - 2)  # views bring the next pixels into sight
    assert beyond.std() <= 0.02 * near.std() and abs(beyond - 0.5).max() < 0.02


class Threshold(nn.Module):
    """Answers to strong contrasts only: a start that is nearly grey gives no gradient."""

    def __init__(self, at):
        super().__init__()
        self.at, self.inner = at, net()

    def forward(self, x):
        return self.inner(torch.relu(x - self.at) - torch.relu(-x - self.at))


def test_a_cell_that_sleeps_is_woken():
    made = render(Threshold(0.2), "inner.conv2")
    assert 0 < made.woken < 10 and not made.failure
    assert made.figures["gain"] > 0.25 and made.picture.std() > 0.02
    asleep = render(Threshold(0.2), "inner.conv2", compat="v2")
    assert asleep.picture.std() < 0.02 and "gradient" in asleep.failure
    assert render(net(), "conv2").woken == 0


def test_a_cell_that_never_wakes_or_has_nothing_to_show_says_why():
    never = net()
    with torch.no_grad():
        never.conv1.weight.zero_()
    assert "gradient" in render(never, "conv2", metric="plain").failure
    with pytest.raises(InputError, match="gradient"):
        caricature(never, photograph()[0], "conv2", settings=SMALL, input_size=SIZE, metric="plain")
    nothing = net()
    with torch.no_grad():
        nothing.conv2.weight.zero_()
        nothing.conv2.bias.zero_()
    assert "target is zero" in render(nothing, "conv2", metric="plain").failure
    with pytest.raises(InputError, match="no spread"):
        render(nothing, "conv2", metric="standardised")


def test_a_failed_cell_leaves_its_neighbours_as_they_are():
    made = network(nn.Sequential(nn.ReLU(), net()))
    images = torch.cat([photograph(), torch.zeros_like(photograph())])
    both = caricatures(made, images, "0", [0, 1], SMALL.with_(metric="plain"))
    assert not both[0].failure and "target is zero" in both[1].failure


def v2(model, image, layer, seed, s):
    """Version 2's loop, as it was."""
    forward = model.activations(layer)
    t = flat(forward(see(image, None, SIZE)))
    draws = generators([seed])
    spectra = starts(draws, SIZE).requires_grad_()
    views = random_views(draws, s.steps, 5.0, 0.05, 0.045)
    scale, mean, square = frequency_scale(SIZE), torch.zeros_like(spectra), torch.zeros_like(spectra)
    for step in range(s.steps):
        shown = pictures(spectra, scale, SIZE, colour_basis())
        loss = -objective(*gain_and_cosine(flat(forward(see(shown, views[step], SIZE))), t), 1.0).sum()
        (gradient,) = torch.autograd.grad(loss, spectra)
        with torch.no_grad():
            mean.lerp_(gradient, 1 - 0.7)
            square.mul_(0.99).addcmul_(gradient, gradient, value=1 - 0.99)
            ahead = torch.lerp(gradient, mean, 0.7)
            spread = square.sqrt().mul_((1 - 0.99 ** (step + 1)) ** -0.5).add_(1e-8)
            spectra.addcdiv_(ahead, spread, value=-0.1 * rate(step, s.steps, "cosine") / (1 - 0.7 ** (step + 1)))
    return pictures(spectra.detach(), scale, SIZE, colour_basis())[0].permute(1, 2, 0).numpy()


def test_compat_v2_gives_version_2s_pixels():
    model = network(net())
    s = SMALL.with_(compat="v2")
    now = caricatures(model, photograph(), "conv2", [3], s)[0]
    assert np.array_equal(now.picture, v2(model, photograph(), "conv2", 3, s))
    assert s.in_force()["damping"] == 0 and s.in_force()["metric"] == "plain"
    assert not np.array_equal(now.picture, caricatures(model, photograph(), "conv2", [3], SMALL)[0].picture)


def test_a_standardised_layer_has_mean_zero_and_spread_one_over_the_reference():
    model = network(net())
    seen = measured(model, "conv2", "float32", SMALL.with_(metric="standardised"))(reference_images(SIZE))
    assert torch.allclose(seen.mean((0, 2, 3)), torch.zeros(16), atol=1e-3)
    assert (seen.std((0, 2, 3)) <= 1.001).all() and (seen.std((0, 2, 3)) > 0.9).any()
    assert reference_images(32).shape == (16, 3, 32, 32)


def test_channels_are_found_in_every_layout():
    shapes = {(1, 8, 5, 5): 1, (1, 5, 5, 8): 3, (1, 16, 8): 2, (1, 8): 1}
    assert all(channel_dim(torch.Size(shape)) == dim for shape, dim in shapes.items())


def test_tokens_of_a_transformer():
    import timm

    torch.manual_seed(0)
    model = network(timm.create_model("vit_tiny_patch16_224", depth=2, img_size=SIZE, reg_tokens=4))
    asked = [
        SMALL.with_(tokens=tokens, metric=m) for tokens in ("patch", "all", "class") for m in ("plain", "standardised")
    ]
    count = {s.tokens: measured(model, "blocks.1", "float32", s)(photograph()).shape for s in asked}
    assert count == {"patch": (1, 16, 192), "all": (1, 21, 192), "class": (1, 1, 192)}
    shown = {
        tokens: caricatures(model, photograph(), "blocks.1", [0], SMALL.with_(tokens=tokens, steps=3))[0].picture
        for tokens in ("patch", "class")
    }
    assert not np.array_equal(shown["patch"], shown["class"])
    vector = caricatures(model, photograph(), "head", [0], SMALL.with_(metric="standardised", steps=3))[0]
    assert np.isfinite(vector.picture).all() and not vector.failure


def test_a_class_token_is_asked_of_transformers_alone():
    with pytest.raises(InputError, match="no tokens"):
        render(net(), "conv2", tokens="class")


def test_fine_patterns_come_in_after_the_coarse_ones():
    f = frequencies(SIZE)[..., 0]
    first, half, last = (gate_at(f, coarse_edge(progress)) for progress in (0.0, 0.5, 1.0))
    assert (first <= half).all() and (half <= last).all() and last.min() > 0.15
    assert first[0, 0] == 1 and first[0, SIZE // 4] < 1e-3 < 0.9 < last[0, SIZE // 4]


def test_what_no_gradient_asks_for_fades_from_the_start():
    blind = copy.deepcopy(net())
    with torch.no_grad():
        blind.conv1.weight.copy_(blind.conv1.weight.mean(1, keepdim=True).expand_as(blind.conv1.weight))
    kept, faded = (
        render(blind, "conv2", 0, damping=100.0, weight_decay=w, learning_rate=1e-6, steps=16).picture
        for w in (0.0, 0.3)
    )
    assert (faded - 0.5).std() < 0.1 * (kept - 0.5).std()


def test_amplify_is_contrast_alone():
    plain, twice = (render(net(), "conv2", 0, amplify=a).picture for a in (1.0, 2.0))
    logit = lambda p: np.log(p / (1 - p))  # noqa: E731
    assert np.allclose(logit(twice), 2 * logit(plain), atol=1e-3)
