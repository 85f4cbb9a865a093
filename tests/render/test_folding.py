"""Folding changes no layer that can be asked for, and one odd pair does not cost the others."""

import copy

import pytest
import torch
from torch import nn

from distcari.render import Network
from distcari.render.folding import fold
from distcari.render.passes import noise


@pytest.fixture(autouse=True)
def seeded():
    torch.set_num_threads(1)
    torch.manual_seed(0)


def lively(model):
    """Norms with statistics and weights that a wrong folding would show in."""
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.running_mean is not None:
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.5, 2)
            if m.weight is not None:
                nn.init.uniform_(m.weight, 0.5, 1.5)
                nn.init.normal_(m.bias, 0, 0.3)
    return model.eval()


def block(c_in=3, c=6, *rest):
    return nn.Sequential(nn.Conv2d(c_in, c, 3, padding=1), nn.BatchNorm2d(c), *rest)


def wrong(model, size=24):
    """Layers whose output is not the plain model's, of all that can be asked for."""
    plain, network, x = copy.deepcopy(model).eval(), Network(model, input_size=size), torch.rand(2, 3, size, size)
    bad = []
    for info in network.layers:
        seen = []
        hook = plain.get_submodule(info.path).register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out + 0))
        with torch.no_grad():
            plain((x - network.mean) / network.std)
            got = network.activations(info.name)(x)
        hook.remove()
        if not (got - seen[info.calls - 1]).norm() <= 1e-4 * seen[info.calls - 1].norm():
            bad.append(info.name)
    return bad


def folded_norms(network):
    return set(network.folded().changed)


class DeepStem(nn.Module):
    """timm's ResNets: the container's output is its last convolution's, the norm of which stands outside."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(True), nn.Conv2d(4, 6, 3))
        self.drop, self.bn1, self.end = nn.Identity(), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        return self.end(self.bn1(self.drop(self.conv1(x))).relu_())


def test_a_container_that_hands_on_a_folded_convolutions_output_gives_that_output():
    model = lively(DeepStem())
    network = Network(model, input_size=24)
    assert folded_norms(network) == {"conv1.0", "conv1.3", "conv1", "drop"}
    assert wrong(model) == []


def test_every_layer_is_right_in_timms_deep_stems():
    import timm

    model = lively(timm.create_model("resnet26d", num_classes=5))
    assert wrong(model, 32) == []


def test_norms_that_also_activate_are_folded_and_go_on_activating():
    from timm.layers import BatchNormAct2d

    model = lively(nn.Sequential(nn.Conv2d(3, 6, 3), BatchNormAct2d(6, act_layer=nn.SiLU), nn.Conv2d(6, 4, 3)))
    network = Network(model, input_size=24)
    assert folded_norms(network) == {"0"} and isinstance(network.folded().model[1].act, nn.SiLU)
    assert wrong(model) == []


class Gates(nn.Module):
    """An activation within the tensor, between a convolution and its norm."""

    def __init__(self):
        super().__init__()
        self.first, self.conv, self.relu = block(3, 6, nn.ReLU()), nn.Conv2d(6, 6, 3), nn.ReLU(True)
        self.bn, self.last = nn.BatchNorm2d(6), block(6, 4)

    def forward(self, x):
        return self.last(self.bn(self.relu(self.conv(self.first(x)))))


class Skips(Gates):
    """A convolution whose output is used beside its norm too."""

    def forward(self, x):
        y = self.conv(self.first(x))
        return self.last(self.bn(y) + y)


class Tells(Gates):
    """A model that gives a dict."""

    def forward(self, x):
        y = self.first(x)
        return {"features": [y], "out": self.last(y)}


@pytest.mark.parametrize("kind", [Gates, Skips, Tells])
def test_one_odd_pair_or_output_does_not_cost_the_others(kind):
    model = lively(kind())
    assert folded_norms(Network(model, input_size=24)) == {"first.0", "last.0"}
    assert wrong(model) == []


def test_norms_without_statistics_of_their_own_are_left_alone():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), *block(4, 4)).eval()
    assert folded_norms(Network(model, input_size=24)) == {"2"}
    assert wrong(lively(model)) == []


def test_convolutions_with_computed_weights_are_left_alone():
    odd = nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 6, 3))
    model = lively(nn.Sequential(*block(), odd, nn.BatchNorm2d(6)))
    assert folded_norms(Network(model, input_size=24)) == {"0"}
    assert wrong(model) == []


def test_a_shared_padding_is_not_folded():
    class Padded(nn.Conv2d):
        def forward(self, x):
            return super().forward(self.pad(x))

    first, second = Padded(3, 4, 3), Padded(4, 4, 3)
    first.pad = second.pad = nn.ZeroPad2d(1)
    assert wrong(nn.Sequential(first, second)) == []


def test_memory_that_runs_out_while_folding_is_not_taken_for_a_fact_about_the_model(monkeypatch):
    model = lively(block())

    def full(*_):
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr("distcari.render.folding.prints", full)
    with pytest.raises(torch.OutOfMemoryError):
        fold(model, noise(24))


def test_folding_is_done_on_the_cpu_whatever_the_device(monkeypatch):
    """A GPU would check it in TF32; the meta device stands for one here."""
    seen = []

    def spy(model, x):
        seen.append((next(model.parameters()).device.type, x.device.type))
        return fold(model, x)

    monkeypatch.setattr("distcari.render.network.fold", spy)
    network = Network(lively(block()), input_size=24)
    network.device = torch.device("meta")
    assert next(network.folded().model.parameters()).is_meta and seen == [("cpu", "cpu")]
