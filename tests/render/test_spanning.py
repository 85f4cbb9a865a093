"""Cells of several layers in one pass: each is what it would be at its layer alone."""

import numpy as np
import pytest
import torch
from support.tiny import net
from torch import nn

from distcari.render import Contrast, Network, caricatures
from distcari.render.metric import measured
from distcari.render.objective import flat, gain_and_cosine
from distcari.render.spanning import alike, spanning
from distcari.settings import RenderSettings

SMALL = RenderSettings(size=48, steps=6, precision="float32")
LAYERS = ["conv2", "conv1", "bn2", "conv1", "head"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return Network(net(), input_size=48)


@pytest.fixture(scope="module")
def images():
    return torch.rand(len(LAYERS), 3, 48, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("metric", ["standardised", "plain"])
def test_gain_and_cosine_are_those_of_each_layer_alone(network, images, metric):
    settings, seen = SMALL.with_(metric=metric), torch.rand(images.shape, generator=torch.Generator().manual_seed(2))
    for cells in alike(network, LAYERS, "float32"):
        names = [LAYERS[i] for i in cells]
        together = spanning(network, names, "float32", settings)
        found = gain_and_cosine(together(seen[cells]), together(images[cells]))
        for row, i in enumerate(cells):
            alone = measured(network, LAYERS[i], "float32", settings)
            z, target = flat(alone(seen[i : i + 1])), flat(alone(images[i : i + 1]))
            for mine, theirs in zip(found, gain_and_cosine(z, target), strict=True):
                assert float(mine[row]) == pytest.approx(float(theirs[0]), rel=1e-4, abs=1e-6)


def test_no_cells_gradient_reaches_another(network, images):
    cells = alike(network, LAYERS, "float32")[0]
    shown = images[cells].clone().requires_grad_(True)
    z = spanning(network, [LAYERS[i] for i in cells], "float32", SMALL)(shown)
    for row in range(len(cells)):
        (gradient,) = torch.autograd.grad(z[row].square().sum(), shown, retain_graph=True)
        arrived = gradient.flatten(1).abs().sum(1) > 0
        assert arrived.tolist() == [i == row for i in range(len(cells))]


@pytest.mark.parametrize("changed", [{}, {"views": "both"}, {"plateau": 0.001}, {"cossim_pow": 0.0, "metric": "plain"}])
def test_pictures_and_figures_are_those_of_cells_rendered_alone(network, images, changed):
    settings, seeds = SMALL.with_(**changed), [0, 1, 2, 3, 4]
    together = caricatures(network, images, LAYERS, seeds, settings)
    for i, layer in enumerate(LAYERS):
        (alone,) = caricatures(network, images[i : i + 1], layer, seeds[i : i + 1], settings)
        assert np.abs(together[i].picture - alone.picture).mean() < 0.005, layer
        assert together[i].gain_curve == pytest.approx(alone.gain_curve, rel=0.02, abs=1e-3)
        assert set(together[i].figures) == set(alone.figures) and together[i].match.shape == alone.match.shape
        for name in ("gain", "cosine", "robust_gain", "target_norm"):
            assert together[i].figures[name] == pytest.approx(alone.figures[name], rel=0.03, abs=1e-3), (layer, name)
        assert (together[i].precision, together[i].woken, together[i].failure) == (alone.precision, alone.woken, "")


def test_layers_of_another_form_or_precision_stand_apart(network):
    folded = network.folded().changed
    assert folded, "the network has a layer that folding changes"
    groups = alike(network, LAYERS, "float32")
    assert sorted(i for cells in groups for i in cells) == list(range(len(LAYERS)))
    for cells in groups:
        forms = {id(network.model_for(network.layer(LAYERS[i]), "float32")) for i in cells}
        assert len(forms) == 1
    network.settle("conv2", "bfloat16")
    apart = alike(network, ["conv2", "conv1"], "auto")
    assert len(apart) == 2
    network._decided.clear()


def test_a_cell_that_never_starts_fails_alone(images):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Identity())
    for p in model[1].parameters():
        nn.init.zeros_(p)
    network = Network(model, input_size=48, fold=False)
    made = caricatures(network, images[:2], ["0", "1"], [0, 0], SMALL.with_(metric="plain"))
    assert made[0].failure == "" and "layer 1 does not respond" in made[1].failure


def test_what_cannot_span_is_refused(network, images):
    with pytest.raises(ValueError, match="together"):
        caricatures(network, images, LAYERS, [0] * 5, SMALL, against=Contrast(network, "conv1"))
    with pytest.raises(ValueError, match="together"):
        caricatures(network, images, LAYERS, [0] * 5, SMALL.with_(compat="lucent"))
    with pytest.raises(ValueError, match="4 layers for 5 images"):
        caricatures(network, images, LAYERS[:4], [0] * 5, SMALL)
