"""However the steps are run, the pictures are the same but for rounding. What a CUDA graph would record is tried here
step by step, since there is no GPU; inductor itself takes half a minute: `python benchmarks/gpu.py --tiny --inductor`.
"""

import pytest
import torch
from support import tiny
from support.accelerator import watched
from torch import nn

from distcari.render import Contrast, Network, caricatures
from distcari.render import launch as launching
from distcari.render.launch import Recorded, traced
from distcari.settings import RenderSettings

TOLERANCE = 2e-5  # of pictures in [0, 1]; found: 4e-7, where rounding turns no ReLU over
SMALL = RenderSettings(size=32, steps=14, precision="float32")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def network():
    torch.manual_seed(1)
    return Network(tiny.net(), input_size=32)


class ByItself:
    """What a graph runs again and again: the step that finds its view and numbers on the device."""

    def __init__(self, step, views):
        self.recorded = Recorded(step, views)

    def __call__(self, number):
        assert int(self.recorded.number) == number
        return self.recorded.take()


def images():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def both(network, settings, launch="inductor", **more):
    eager, other = (
        caricatures(network, images(), "conv2", [0, 1], settings, launch=how, **more) for how in ("eager", launch)
    )
    for one, two in zip(eager, other, strict=True):
        assert abs(one.picture - two.picture).max() < TOLERANCE
        assert abs(one.gain_curve - two.gain_curve).max() < TOLERANCE and len(one.gain_curve) == len(two.gain_curve)
        assert one.figures == pytest.approx(two.figures, abs=1e-4) and one.woken == two.woken
    return eager


MODES = [
    {},
    {"views": "both"},
    {"plateau": 0.9, "steps": 40},
    {"compat": "v2"},
    {"damping": 0.0, "coarse": 0.0, "schedule": "constant"},
]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_step_that_finds_its_numbers_on_the_device_is_the_step(network, mode, monkeypatch):
    monkeypatch.setattr(launching, "Compiled", ByItself)
    both(network, SMALL.with_(**mode))


@pytest.mark.parametrize("mode", MODES[:2], ids=str)
def test_the_traced_step_is_the_step(network, mode, monkeypatch):
    monkeypatch.setattr(launching, "compiled", traced)
    both(network, SMALL.with_(**mode), against=Contrast(Network(tiny.net(4), input_size=32), "conv2", 0.5))


def test_cells_that_sleep_are_woken_in_it(monkeypatch):
    """A network that answers to nothing faint, so that a start has to be doubled."""
    torch.manual_seed(0)
    deaf = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Threshold(2.0, 0.0), nn.Conv2d(4, 4, 1))
    torch.nn.init.constant_(deaf[0].bias, 0)
    network = Network(deaf, input_size=32, mean=(0.5, 0.5, 0.5), std=(0.05, 0.05, 0.05))
    monkeypatch.setattr(launching, "Compiled", ByItself)
    found = [
        caricatures(network, images(), "2", [0, 1], SMALL.with_(metric="plain"), launch=how)
        for how in ("eager", "inductor")
    ]
    assert [c.woken for c in found[0]] == [c.woken for c in found[1]] and max(c.woken for c in found[0]) > 0
    assert abs(found[0][0].picture - found[1][0].picture).max() < TOLERANCE


def test_it_waits_for_nothing_and_keeps_every_tensor_at_its_place(monkeypatch):
    kept = []

    class Places(ByItself):
        def __call__(self, number):
            gain = self.recorded.take()
            kept.append([id(t) for t in self.recorded.step.state])
            return gain

    monkeypatch.setattr(launching, "Compiled", Places)
    network = Network(tiny.net(), input_size=32, device="meta", fold=False)
    network.settle("conv2", "float32")

    def work(on_step):
        return caricatures(network, images(), "conv2", [0, 1], SMALL, on_step=on_step, launch="inductor")

    assert not watched(work, 4, lambda step: False).found
    assert len(kept) == 4 and kept[0] == kept[3]


def test_a_graph_is_refused_where_there_is_none(network):
    with pytest.raises(ValueError, match="needs a CUDA device"):
        caricatures(network, images(), "conv2", [0, 1], SMALL, launch="graph")
    with pytest.raises(ValueError, match="must be eager, graph or inductor"):
        caricatures(network, images(), "conv2", [0, 1], SMALL, launch="swift")
