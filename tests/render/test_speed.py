"""What makes it fast leaves the picture what it is: folding, truncation, packed convolutions, bfloat16, batches."""

import copy
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from support import tiny
from support.shared import ROOT
from torch import nn
from torch.nn import functional as F
from torchvision.models import mobilenet_v2, resnet18

from distcari.render import Network, caricatures
from distcari.render.adam import Nadam
from distcari.render.convolution import FrozenConvolutions, packs
from distcari.render.metric import measured
from distcari.render.network import cast
from distcari.render.passes import run_to
from distcari.render.plateau import WINDOW
from distcari.settings import RenderSettings

LAYERS = {
    "resnet18": ("conv1", "layer1_0_conv2", "layer2_0", "layer3_0_downsample_0"),
    "mobilenet": ("features_0_0", "features_3", "features_5_conv_1_0"),
}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def model(name):
    """A network of random weights whose batch norms have statistics to fold."""
    torch.manual_seed(0)
    made = (resnet18 if name == "resnet18" else mobilenet_v2)().eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return made


@pytest.fixture(scope="module", params=sorted(LAYERS))
def network(request):
    return request.param, Network(model(request.param), input_size=64)


def near(a, b, tolerance):
    return (a - b).norm() <= tolerance * b.norm()


def value_and_gradient(forward, x):
    x = x.clone().requires_grad_(True)
    out = forward(x)
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
    return out.detach(), torch.autograd.grad((out * weights).sum(), x)[0]


def test_activations_and_gradients_are_those_of_the_plain_network(network):
    """Folded, truncated and packed against the whole network as it came, at convolutions and at blocks."""
    name, fast = network
    plain, x = model(name), torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    for layer in LAYERS[name]:
        module, seen = plain.get_submodule(fast.layer(layer).path), []
        hook = module.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(out))

        def whole(z, seen=seen):
            seen.clear()
            plain((z - fast.mean) / fast.std)
            return seen[0]

        expected = value_and_gradient(whole, x)
        hook.remove()
        got = value_and_gradient(fast.activations(layer), x)
        assert near(got[0], expected[0], 1e-4) and near(got[1], expected[1], 1e-3), layer


class Padding(nn.Conv2d):
    """A convolution whose submodule pads for it, as in TensorFlow's networks."""

    def __init__(self, c, k, padding, **options):
        super().__init__(c, k, 3, **options)
        self.static_padding = nn.ZeroPad2d(padding)

    def forward(self, x):
        return super().forward(self.static_padding(x))


def test_convolutions_pad_by_themselves_where_both_sides_are_alike():
    torch.manual_seed(0)
    odd = Padding(6, 6, (0, 1, 0, 1), stride=2, groups=6)
    plain = nn.Sequential(Padding(3, 6, (1, 1, 2, 2)), nn.ReLU(), odd, nn.Conv2d(6, 4, 1))
    fast, x = Network(copy.deepcopy(plain), input_size=32), torch.rand(2, 3, 32, 32)
    seen = (x - fast.mean) / fast.std
    for layer, end in (("0", 1), ("2", 3), ("3", 4)):
        assert near(fast.activations(layer)(x), plain[:end](seen), 1e-5), layer
    folded, changed = fast.folded().model, fast.folded().changed
    assert folded[0].padding == (2, 1) and isinstance(folded[0].static_padding, nn.Identity)
    assert folded[2].padding == (0, 0) and set(changed) == {"0.static_padding"}
    assert fast.model[0].padding == (0, 0), "the user's own model stays as it is"
    assert torch.equal(fast.activations("0_static_padding")(x), plain[0].static_padding(seen))


def test_padding_that_is_not_what_it_seems_is_left_alone():
    class Twice(Padding):
        def forward(self, x):
            return super().forward(self.static_padding(x))

    fast = Network(nn.Sequential(Twice(3, 4, (1, 1, 1, 1))), input_size=32)
    assert fast.activations("0")(torch.rand(1, 3, 32, 32)).shape[-1] == 34
    assert fast.folded().model is fast.model and not fast.folded().changed


def test_bfloat16_reaches_the_gain_of_float32(network):
    """Within 5 % of the gain and 0.02 of the cosine, both measured in float32."""
    name, fast = network
    shown, layer = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3)), LAYERS[name][1]
    settings = RenderSettings(size=64, steps=24)
    full, half = (caricatures(fast, shown, layer, [0], settings.with_(precision=p))[0] for p in ("float32", "bfloat16"))
    assert (full.precision, half.precision) == ("float32", "bfloat16")
    exact = measured(fast, layer, "float32", settings)
    with torch.no_grad():
        t = exact(shown)
        shown_by = [exact(torch.from_numpy(c.picture).permute(2, 0, 1)[None]) for c in (full, half)]
        gains = [float((z * t).sum() / (t * t).sum()) for z in shown_by]
        cosines = [float(F.cosine_similarity(z.flatten(), t.flatten(), 0)) for z in shown_by]
    assert gains[1] == pytest.approx(gains[0], rel=0.05)
    assert cosines[1] == pytest.approx(cosines[0], abs=0.02)
    assert half.figures["gain"] == pytest.approx(gains[1], rel=0.03)


def test_a_network_that_bfloat16_breaks_is_computed_in_float32():
    class Picky(nn.Sequential):
        def forward(self, x):
            if x.dtype != torch.float32:
                raise RuntimeError("expected float32")
            return super().forward(x)

    torch.manual_seed(0)
    picky = Network(Picky(nn.Conv2d(3, 4, 3), nn.ReLU()), input_size=32)
    assert picky.precision("1", "bfloat16") == "float32"
    c = caricatures(picky, torch.rand(1, 3, 32, 32), "1", [0], RenderSettings(size=32, steps=1, precision="bfloat16"))
    assert c[0].precision == "float32"


def test_batch_norms_keep_their_variances():
    half = cast(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), torch.bfloat16)
    assert half[0].weight.dtype == torch.bfloat16 and half[1].running_var.dtype == torch.float32


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize(
    "c, k, kernel, stride, padding, groups",
    [
        (8, 12, 1, 1, 0, 1),
        (8, 12, 1, 2, 0, 1),
        (8, 12, 3, 1, 1, 1),
        (8, 12, 3, 2, 1, 1),
        (8, 8, 5, 2, 2, 8),
        (8, 8, 3, 2, 0, 8),
        (3, 8, 7, 2, 3, 1),
        (3, 8, 3, 2, 1, 1),
        (3, 8, 4, 4, 0, 1),
        (8, 12, 3, 1, 1, 4),
        (8, 8, 3, 1, 0, 8),
        (1, 4, 5, 3, 2, 1),
        (8, 4, 1, 1, 2, 1),
    ],
)
@pytest.mark.parametrize("side", [15, 16])
def test_a_frozen_convolution_is_torchs(c, k, kernel, stride, padding, groups, side, dtype, tolerance):
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, c, side, side, generator=draw)
    weight, bias = torch.randn(k, c // groups, kernel, kernel, generator=draw), torch.randn(k, generator=draw)

    def plain(z):
        return F.conv2d(z, weight, bias, stride, padding, 1, groups)

    def frozen(z):
        with FrozenConvolutions() as mode:
            out = F.conv2d(z.to(dtype), weight.to(dtype), bias.to(dtype), stride, padding, 1, groups)
            assert (next(iter(mode._known.values()))[1] is not None) == packs(dtype)
        return out.float()

    for got, expected in zip(value_and_gradient(frozen, x), value_and_gradient(plain, x), strict=True):
        assert got.shape == expected.shape and near(got, expected, tolerance)


def test_what_is_no_plain_convolution_is_left_to_torch():
    x, weight = torch.rand(1, 2, 8, 8), torch.rand(2, 2, 3, 3)
    for options in ({"dilation": 2}, {"padding": "same"}):
        with FrozenConvolutions():
            got = F.conv2d(x, weight, **options)
        assert torch.equal(got, F.conv2d(x, weight, **options))
    trained = weight.clone().requires_grad_(True)
    with FrozenConvolutions():
        F.conv2d(x, trained).sum().backward()
    assert trained.grad is not None


def test_nothing_is_packed_twice():
    network = Network(model("resnet18"), input_size=64)
    forward, x = network.activations("layer1_0_conv2"), torch.rand(1, 3, 64, 64)
    forward(x)
    packed = len(network._convolutions._known)
    network.activations("layer1_0_conv2")(x)
    assert len(network._convolutions._known) == packed == 3


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_cell_alone_and_in_a_batch(precision):
    network, shown = Network(tiny.net()), torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    settings = RenderSettings(size=48, steps=8, precision=precision)
    together = caricatures(network, shown, "conv2", [5, 6, 5], settings)
    alone = caricatures(network, shown[1:2], "conv2", [6], settings)[0]
    assert np.abs(together[1].picture - alone.picture).max() < (1e-3 if precision == "float32" else 0.1)
    assert together[1].figures["gain"] == pytest.approx(alone.figures["gain"], rel=0.02)
    again = caricatures(network, shown[1:2], "conv2", [6], settings)[0]
    assert np.array_equal(again.picture, alone.picture) and again.figures == alone.figures


def test_plateau_stops_a_cell_and_not_its_neighbours():
    torch.manual_seed(0)
    network, shown = Network(tiny.net(), input_size=32), torch.rand(2, 3, 32, 32)
    settings = RenderSettings(size=32, steps=10 * WINDOW, precision="float32", weight_decay=0.0, coarse=0.3)
    full = caricatures(network, shown, "conv2", [0, 1], settings)
    assert all(len(c.gain_curve) == settings.steps for c in full)
    stopped = caricatures(network, shown, "conv2", [0, 1], settings.with_(plateau=0.05))
    taken = [len(c.gain_curve) for c in stopped]
    assert all(2 * WINDOW <= n < settings.steps and n % WINDOW == 0 for n in taken)
    for i, c in enumerate(stopped):
        assert np.allclose(c.gain_curve, full[i].gain_curve[: taken[i]], atol=1e-4)
        alone = caricatures(network, shown[i : i + 1], "conv2", [i], settings.with_(plateau=0.05))[0]
        assert len(alone.gain_curve) == taken[i] and np.abs(alone.picture - c.picture).max() < 0.02


def test_nadam_goes_down_and_its_first_step_is_the_rate():
    x = torch.tensor([3.0, -2.0], requires_grad=True)
    nadam = Nadam(x)
    before = x.detach().clone()
    nadam.minimise((x**2).sum(), 0.1)
    # it looks ahead: (0.7 · the mean's 0.3 + 0.3) / 0.3, the bias, is 1.7 rates
    assert torch.allclose(before - x.detach(), 0.17 * before.sign(), atol=1e-4)
    for _ in range(60):
        nadam.minimise((x**2).sum(), 0.1)
    assert x.detach().abs().max() < 0.2


def test_a_layer_that_nothing_leads_to_by_gradient_still_runs():
    network = Network(model("resnet18"), input_size=64)
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad(), FrozenConvolutions():
        assert run_to(network.model, network.model.layer1, 1, x).shape == (1, 64, 16, 16)


def test_the_command_for_a_real_card_runs_on_a_bare_machine_and_says_what_it_leaves_out(tmp_path):
    code = (
        "import sys, runpy; sys.modules.update(dict.fromkeys(('ray', 'zarr', 'pyarrow', 'pydantic', 'timm')));"
        f"sys.argv = ['gpu.py', '--tiny', '--out', {str(tmp_path)!r}];"
        "runpy.run_path('benchmarks/gpu.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(next(tmp_path.glob("*-tiny.json")).read_text())
    assert not found["failed"] and found["tiny"]
    assert found["left_out"]["whole_run"] == "no ray, zarr, pyarrow"
    assert found["arithmetic"]["layer2_1_conv2, float32"] < 1e-5 < found["arithmetic"]["layer2_1_conv2, bfloat16"] < 0.1
    assert all(row["cells_per_hour"] > 0 for row in found["against_lucent"].values())
    assert found["batches"]["2 eager"]["step_ms"] > 0 and found["tail"]["figures_ms"] > 0
