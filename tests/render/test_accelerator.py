"""What an accelerator would be given, tried without one: every mode on the meta device, and no wait in any loop."""

import warnings

import pytest
import torch
from support import tiny
from support.accelerator import Watch, planted, watched
from torch import nn
from torchvision.models import VisionTransformer

from distcari.render import Contrast, Network, caricatures
from distcari.render.measure import SEEN_AT_ONCE, _robust, _views_together, robust_views
from distcari.render.metric import measured
from distcari.render.objective import flat
from distcari.render.plateau import WINDOW
from distcari.render.step import WAKING
from distcari.settings import RenderSettings


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def transformer():
    """With a class token, two blocks, four patches."""
    return VisionTransformer(32, 16, 2, 2, 16, 32, num_classes=5)


class Grey(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv2 = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv2(x)).mean((2, 3))


def beyond(model, layer, precision="float32"):
    """A network on the meta device, with the arithmetic of a layer decided elsewhere."""
    network = Network(model, input_size=32, device="meta", fold=False)
    network.settle(layer, precision)
    return network


def never(step):
    return False


MODES = {
    "plain": {},
    "one metric": {"metric": "plain"},
    "both views": {"views": "both"},
    "resized": {"size": 48},
    "resized, both views": {"size": 48, "views": "both"},
    "no damping": {"damping": 0.0},
    "no gate": {"coarse": 0.0},
    "lucent": {"compat": "lucent"},
    "version 2": {"compat": "v2"},
}


def watch_loop(network, layer, settings, but=never, against=None):
    images = torch.rand(2, 3, settings.size, settings.size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return watched(
            lambda on_step: caricatures(network, images, layer, [0, 1], settings, against=against, on_step=on_step),
            settings.steps,
            but,
        )


@pytest.mark.parametrize("mode", MODES)
def test_no_step_of_any_mode_waits_or_copies(mode):
    settings = RenderSettings(**{"size": 32, "steps": 4} | MODES[mode])
    seen = watch_loop(beyond(tiny.net(), "conv2"), "conv2", settings)
    assert not seen.found
    assert 50 < seen.operations / 3 < 400


@pytest.mark.parametrize("mode", ["plain", "one metric", "both views"])
def test_no_step_of_several_layers_together_waits_or_copies(mode):
    settings = RenderSettings(**{"size": 32, "steps": 4} | MODES[mode])
    network = beyond(tiny.net(), "conv2")
    network.settle("conv1", "float32")
    seen = watch_loop(network, ["conv2", "conv1"], settings)
    assert not seen.found
    assert 50 < seen.operations / 3 < 450, "one pass for both"


def test_no_step_waits_in_bfloat16_nor_once_cells_are_no_longer_woken():
    settings = RenderSettings(size=32, steps=WAKING + 2)
    assert not watch_loop(beyond(tiny.net(), "conv2", "bfloat16"), "conv2", settings).found


@pytest.mark.parametrize("tokens", ["patch", "all", "class"])
def test_no_step_waits_for_a_transformer(tokens):
    layer = "encoder.layers.encoder_layer_1"
    settings = RenderSettings(size=32, steps=3, tokens=tokens)
    assert not watch_loop(beyond(transformer().eval(), layer), layer, settings).found


def test_no_step_waits_for_a_difference_or_a_grey_network():
    settings = RenderSettings(size=32, steps=3, views="both")
    other = Contrast(beyond(tiny.net(4), "conv2"), "conv2", 0.5)
    assert not watch_loop(beyond(tiny.net(), "conv2"), "conv2", settings, against=other).found
    assert not watch_loop(beyond(Grey(), "conv2"), "conv2", settings).found


def test_plateau_waits_every_sixteen_steps_alone():
    settings = RenderSettings(size=32, steps=2 * WINDOW - 1, plateau=0.1)
    network = beyond(tiny.net(), "conv2")
    assert not watch_loop(network, "conv2", settings).found
    with pytest.raises(NotImplementedError, match="no data"):  # the look: the gains are fetched
        watch_loop(network, "conv2", settings.with_(steps=2 * WINDOW + 1))


def test_the_watch_finds_what_waits():
    for wait in planted():
        watch = Watch()
        watch.looking = True
        refused = False
        with watch:
            try:
                wait(torch.empty(3, device="meta"))
            except (NotImplementedError, RuntimeError):
                refused = True
        assert watch.found or refused


@pytest.mark.parametrize("cells", [1, 3, 50, 200])
def test_views_measured_together_are_those_measured_one_by_one(cells, monkeypatch):
    torch.manual_seed(0)
    forward = measured(Network(tiny.net(), input_size=32), "conv2", "float32", RenderSettings(size=32))
    pictures = torch.rand(3, 3, 32, 32)
    target = flat(forward(torch.rand(3, 3, 32, 32)))
    monkeypatch.setattr("distcari.render.measure.SEEN_AT_ONCE", SEEN_AT_ONCE * 3 // cells)
    with torch.no_grad():
        together = torch.cat(list(_views_together(forward, pictures, target, 32, robust_views())), 1)
        assert together.shape == (2, len(robust_views()), 3)
        assert torch.allclose(together.mean(1), _robust(forward, pictures, target, 32), rtol=1e-5, atol=1e-6)
