"""Every layer of many architectures, folded and in both precisions, is the plain model's."""

import contextlib

import pytest
import timm
import torch
from torch import nn
from torchvision.models import get_model

from distcari.render import Network
from distcari.render.network import cast
from distcari.render.passes import watch
from distcari.render.precision import HALF_TOLERANCE

TOLERANCE = 1e-3  # of a layer's norm; folding reorders sums
SMALL = {"img_size": 64, "depth": 3}

TORCHVISION = {  # name: side of the picture, options
    "alexnet": (64, {}),
    "resnet18": (64, {}),
    "resnext50_32x4d": (64, {}),
    "densenet121": (64, {}),
    "squeezenet1_1": (64, {}),
    "mobilenet_v2": (64, {"width_mult": 0.35}),
    "mobilenet_v3_small": (64, {}),
    "mnasnet0_5": (64, {}),
    "shufflenet_v2_x0_5": (64, {}),
    "googlenet": (64, {"init_weights": False}),
    "inception_v3": (96, {"init_weights": False}),
    "efficientnet_b0": (64, {}),
    "regnet_y_400mf": (64, {}),
    "convnext_tiny": (64, {}),
    "swin_t": (64, {}),
    "swin_v2_t": (64, {}),
}
TIMM = {
    **dict.fromkeys(
        (
            "resnet26d",
            "resnest14d",
            "seresnet18",
            "ecaresnet26t",
            "skresnet18",
            "cspresnet50",
            "dla34",
            "dpn48b",
            "ese_vovnet19b_slim",
            "gernet_s",
            "ghostnet_050",
            "hardcorenas_a",
            "hrnet_w18_small",
            "lcnet_035",
            "mobilenetv3_small_050",
            "mobilenetv4_conv_small_035",
            "mobileone_s0",
            "nf_resnet26",
            "regnetx_002",
            "repvgg_a0",
            "resnetv2_50",
            "rexnetr_100",
            "selecsls42",
            "tf_efficientnet_lite0",
            "tinynet_e",
            "mobilevit_xxs",
            "mobilevitv2_050",
            "edgenext_xx_small",
            "fastvit_t8",
            "repvit_m0_9",
            "efficientvit_b0",
            "poolformer_s12",
            "mixnet_s",
            "res2net50_14w_8s",
            "inception_next_atto",
            "starnet_s1",
            "ghostnetv2_100",
            "tresnet_m",
            "gcresnext26ts",
            "hgnetv2_b0",
            "mambaout_femto",
            "pvt_v2_b0",
            "semnasnet_050",
            "cs3darknet_s",
            "xcit_nano_12_p16_224",
            "swiftformer_xs",
            "shvit_s1",
            "rdnet_tiny",
        ),
        (64, {}),
    ),
    "vit_tiny_patch16_224": (64, SMALL),
    "deit_tiny_distilled_patch16_224": (64, SMALL),
    "cait_xxs24_224": (64, SMALL),
    "levit_128s": (224, {}),
    "pit_ti_224": (224, {}),
    "beit_base_patch16_224": (64, {"img_size": 64, "depth": 2, "embed_dim": 64, "num_heads": 4}),
}
# Dear ones with a cheaper relative above that has the same kinds of layers.
LONG = {
    *("regnet_y_400mf", "resnext50_32x4d", "cspresnet50", "dpn48b", "ecaresnet26t", "efficientvit_b0"),
    *("gcresnext26ts", "ghostnetv2_100", "hardcorenas_a", "hgnetv2_b0", "hrnet_w18_small", "lcnet_035", "levit_128s"),
    *("mixnet_s", "mobileone_s0", "mobilevit_xxs", "rdnet_tiny", "repvit_m0_9", "res2net50_14w_8s", "rexnetr_100"),
    *("selecsls42", "semnasnet_050", "tinynet_e", "tresnet_m"),
}
NAMES = [("torchvision", name) for name in TORCHVISION] + [("timm", name) for name in TIMM]


@pytest.mark.parametrize(
    "library, name", [pytest.param(*at, marks=[pytest.mark.long] * (at[1] in LONG)) for at in NAMES]
)
def test_every_layer_is_the_plain_models(library, name):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    size, options = (TORCHVISION if library == "torchvision" else TIMM)[name]
    make = get_model if library == "torchvision" else timm.create_model
    model = lively(make(name, **options))
    network = Network(model, input_size=size)
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = outputs(network, network.model, (x - network.mean) / network.std)
        wrong = differing(network, x, expected, "float32")
        assert not wrong, f"float32: {wrong}"
        for layer, error in differing(network, x, expected, "bfloat16").items():
            assert network.precision(layer, "bfloat16") == "float32", f"bfloat16, {layer}: {error}"


def lively(model):
    """With statistics of the norms that a wrong folding would show in, evaluated."""
    for m in model.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.running_mean.normal_(0, 0.1)
            m.running_var.uniform_(0.5, 2)
    return model.eval()


def outputs(network, model, x, may_fail=False):
    """Of each layer what can be asked for, in one pass: {path: (1, …)}; of a changed module what its original gives."""
    at, calls, found = {i.path: i.calls for i in network.layers}, {}, {}
    changed = {} if model is network.model else network.folded().changed

    def look(path, _module, inputs, output):
        calls[path] = calls.get(path, 0) + 1
        if calls[path] == at.get(path):
            if changed.get(path) == path:
                own = network.model.get_submodule(path)
                output = cast(own, inputs[0].dtype)(*inputs)
            found[path] = output.float() + 0  # a copy: the next may work in place

    with network._context("float32"), contextlib.suppress(*[RuntimeError] * may_fail):
        watch(model, x, look)
    return found


def differing(network, x, expected, precision):
    """Layers whose output is another, with the error as a share of the norm, inf where the model does not get there.

    Most are looked at in one pass of the folded model. The convolutions that were folded each get a model of their own,
    which is that one with the convolution as it was: the first, the middle and the last are run so, the others in
    their place in that pass; and all containers that hand on such an output.
    """
    half = precision == "bfloat16"
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    changed, paths = network.folded().changed, [i.path for i in network.layers]
    info = next((i for i in network.layers if i.path not in changed), network.layers[0])
    network.forward(info.name, precision)
    model = network._cast[torch.bfloat16] if half else network.folded().model
    dtype = torch.bfloat16 if half else torch.float32
    seen = outputs(network, model, ((x - network.mean) / network.std).to(dtype), may_fail=half)
    own = [path for path in paths if path in changed]
    asked = {own[0], own[len(own) // 2], own[-1]} if own else set()
    asked |= {path for path in own if changed[path] != path}
    wrong = {}
    for layer in network.layers:
        target = expected[layer.path]
        try:
            got = network.forward(layer.name, precision)(x) if layer.path in asked else seen[layer.path]
        except (KeyError, RuntimeError):
            if not half:
                raise
            wrong[layer.name] = float("inf")
            continue
        rounding = (2**-8 if half else 1e-6) * target.numel() ** 0.5  # of values of 1 that cancel
        if not (got - target).norm() <= tolerance * target.norm() + rounding:
            wrong[layer.name] = float((got - target).norm() / target.norm())
    return wrong
