"""Networks and layers that cannot be rendered are found before any work, by model, layer, reason and remedy."""

import re

import pytest
import torch
from support.serial import planned
from support.shared import config
from torch import nn

from distcari.errors import InputError
from distcari.planning.layers import chosen_layers, describe_models
from distcari.planning.probe import probed

NETWORKS = '''
import sys
import torch
from torch import nn

from support.tiny import Net


class Around(nn.Module):
    """A usable network, and one layer that does something else."""

    def __init__(self, layer):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.odd = layer
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.conv(x)
        self.odd(x)
        return self.head(x.mean((2, 3)))


class Do(nn.Module):
    def __init__(self, does):
        super().__init__()
        self.does = does

    def forward(self, x):
        return self.does(x)


def around(name):
    weight = nn.Parameter(torch.ones(1, 4))
    does = {
        "int": lambda x: x.flatten(1).argmax(1, keepdim=True), "bool": lambda x: x > 0,
        "constant": lambda x: torch.ones(1, 4), "detached": lambda x: x.detach() * 2, "weight": lambda x: weight * 2,
        "numpy": lambda x: torch.from_numpy(x.detach().numpy() + 1), "complex": lambda x: torch.fft.fft2(x),
        "empty": lambda x: x[:, :0], "NaN": lambda x: x / 0 * 0, "tuple": lambda x: (x, x), "nothing": lambda x: None,
    }[name]
    return Around(Do(does))


def one_channel():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten())


def fixed_size():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(7, 2))


def typed(name):
    return Net().to(getattr(torch, name))


def complex_weights():
    return nn.Sequential(nn.Linear(3, 4).to(torch.complex64))


def without():
    return nn.Sequential(nn.ReLU(), nn.AvgPool2d(2))


def own_statistics():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))


def leaves():
    return nn.Sequential(nn.Conv2d(3, 4, 3), Do(lambda x: sys.exit(0)))


def on_meta():
    return Net().to("meta")


def takes_two():
    class Two(Net):
        def forward(self, x, y):
            return super().forward(x + y)
    return Two()


def no_gradient():
    class Still(Net):
        @torch.no_grad()
        def forward(self, x):
            return super().forward(x)
    return Still()


def endless():
    class Endless(Net):
        def forward(self, x):
            return self.forward(x)
    return Endless()


def quantised():
    return torch.ao.quantization.quantize_dynamic(Net(), {nn.Linear}, dtype=torch.qint8)


def sparse():
    model = Net()
    model.head.weight = nn.Parameter(model.head.weight.detach().to_sparse())
    return model


def scripted():
    return torch.jit.script(Net())


def twins():
    model = nn.Sequential()
    model.add_module("a_b", nn.Conv2d(3, 4, 3))
    model.add_module("a", nn.Sequential())
    model.a.add_module("b", nn.Conv2d(4, 4, 3))
    model.a.add_module("new\\nline", nn.Conv2d(4, 4, 3))
    return model
'''


@pytest.fixture
def networks(work):
    (work / "networks.py").write_text(NETWORKS)
    yield work
    import sys

    sys.modules.pop("networks", None)


def refused(work, factory, layers=("*",), **changes):
    options = {"options": {"name": changes.pop("option")}} if "option" in changes else {}
    entry = {"name": "odd one", "factory": f"networks:{factory}", **options}
    with pytest.raises(InputError) as error:
        planned(work, config(models=[entry], layers=list(layers), **changes))
    assert error.value.remedy and "[0]" in error.value.where
    return str(error.value)


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("fixed_size", ["does not run on a picture 3 × 32 × 32", "input_size"]),
        ("complex_weights", ["ComplexF"]),
        ("without", ["has no parameters"]),
        ("own_statistics", ["batch norm without running statistics (1)", "GroupNorm"]),
        ("leaves", ["SystemExit: 0"]),
        ("on_meta", ["on the meta device"]),
        ("takes_two", ["TypeError"]),
        ("endless", ["RecursionError"]),
        ("quantised", ["odd one", "quantised"]),
        ("sparse", ["odd one", "sparse weight: head.weight"]),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_network_that_cannot_be_rendered_is_refused_while_planning(networks, factory, says):
    message = refused(networks, factory)
    assert all(words in message for words in says), message


@pytest.mark.parametrize(("factory", "option"), [("one_channel", None), ("typed", "float64"), ("typed", "bfloat16")])
def test_grey_networks_and_those_of_another_float_are_planned(networks, factory, option):
    entry = {"name": "odd one", "factory": f"networks:{factory}", "options": {"name": option} if option else {}}
    plan, _ = planned(networks, config(models=[entry], layers=["*"]))
    assert plan.todo


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("int", "gives int64"),
        ("bool", "gives bool"),
        ("constant", "constant"),
        ("detached", "without a gradient"),
        ("weight", "constant"),
        ("numpy", "without a gradient"),
        ("complex", "gives complex64"),
        ("empty", "gives nothing"),
        ("NaN", "not finite"),
        ("tuple", "gives a tuple"),
        ("nothing", "gives a NoneType"),
    ],
)
def test_a_layer_that_cannot_be_rendered_is_refused_by_name_and_left_out_of_patterns(networks, kind, says):
    message = refused(networks, "around", ["odd"], option=kind)
    assert says in message and "odd one" in message and "layers[0]" in message
    entry = {"factory": "networks:around", "options": {"name": kind}}
    plan, _ = planned(networks, config(layers=["*"], models=[entry]))
    assert list(plan.layers["around"]) == ["conv", "head"]
    assert says in refused(networks, "around", ["od*"], option=kind)


def test_a_network_without_gradients_has_no_layer_to_render(networks):
    assert "without a gradient" in refused(networks, "no_gradient", ["conv2"])
    assert "none of its layers can be rendered" in refused(networks, "no_gradient", ["conv*"])


@pytest.mark.parametrize("layer", ["a.b", "a_b", "*b", "*"])
def test_two_modules_of_one_label_are_refused(networks, layer):
    message = refused(networks, "twins", [layer])
    assert "two layers for the label 'a_b': 'a_b' and 'a.b'" in message or "cannot be printed" in message


def test_a_module_name_that_is_no_label_is_refused(networks):
    assert "cannot be printed" in refused(networks, "twins", ["a_new*"])


def test_a_probe_leaves_the_network_as_it_was(networks, work):
    from distcari.planning.probe import probed
    from distcari.render import describe_layers

    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)).eval()
    model[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    infos = describe_layers(model, 32)
    assert probed(model, infos, 32) == infos
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == [True, False, True, True]
    assert not any(m._forward_hooks for m in model.modules()) and all(p.grad is None for p in model.parameters())


def test_a_difference_names_the_layer_of_b_that_cannot_be_rendered(networks):
    models = [
        {"name": "a", "factory": "networks:around", "options": {"name": "NaN"}},
        {"name": "b", "factory": "networks:around", "options": {"name": "int"}},
    ]
    pair = {"a": "a", "b": "b", "layers": {"conv": "odd"}}
    with pytest.raises(InputError, match="layer 'odd' of model b gives int64"):
        planned(networks, config(models=models, layers=["conv"], differences=[pair]))
    with pytest.raises(InputError, match="cannot be told apart"):
        planned(
            networks,
            config(
                models=[*models, {"name": "A - b", "factory": "tiny:net"}],
                layers=["conv"],
                differences=[{"a": "a", "b": "b"}],
            ),
        )


def test_planning_describes_one_model_of_each_architecture(work):
    from distcari.config.experiment import Experiment
    from distcari.sources.models import expand_models

    experiment = Experiment.model_validate(config())
    specs = {spec.name: spec for spec in expand_models(experiment)}
    infos = describe_models(specs)
    assert infos["a"] is infos["b"] and list(chosen_layers(experiment, infos, "c.yaml")["a"]) == ["conv2", "head"]


VIT = {"name": "vit", "input_size": 32, "timm": "vit_tiny_patch16_224", "options": {"depth": 2, "img_size": 32}}


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"models": [VIT], "layers": ["patch_embed.proj"]}, "layers[0]: layer 'patch_embed.proj' of model vit has no"),
        ({"layers": ["conv2"]}, "layers[0]: layer 'conv2' of model a has no tokens (it gives"),
        ({"models": [VIT, config()["models"][0]], "layers": ["*1*"]}, "layers[0]: no match of model a can be rendered"),
        ({"layers": ["depth:0.5"]}, "layers[0]: none of the layers of model a can be rendered"),
        (
            {
                "models": [
                    VIT | {"options": VIT["options"] | {"class_token": False, "global_pool": "avg", "reg_tokens": 4}}
                ]
            },
            "class token",
        ),
        ({"render": {"size": 32, "steps": 3, "tokens": ["patch", "class"]}, "layers": ["conv2"]}, "has no tokens"),
    ],
)
def test_a_class_token_that_a_layer_lacks_is_refused_before_any_work(networks, changes, said):
    asked = {"layers": ["blocks.1"], "render": {"size": 32, "steps": 3, "tokens": "class"}} | changes
    with pytest.raises(InputError, match=re.escape(said)) as told:
        planned(networks, config(**asked))
    assert "c.yaml: layers" in told.value.where and "Set render.tokens to patch or all" in told.value.remedy


def test_patterns_leave_out_what_has_no_class_token(networks):
    document = config(models=[VIT], layers=["*"], render={"size": 32, "steps": 3, "tokens": "class"})
    layers = set(planned(networks, document)[0].layers["vit"])
    assert {"blocks_0", "blocks_1", "norm"} <= layers and not {"patch_embed", "head", "blocks_0_attn_q_norm"} & layers
    old = document | {"render": {"size": 32, "steps": 3, "tokens": "class", "compat": "v2"}}
    assert "head" in planned(networks, old | {"name": "old"})[0].layers["vit"], "version 2 counted all tokens"


def test_networks_are_looked_at_on_one_thread_and_torch_has_its_threads_again(work, monkeypatch):
    threads, seen = torch.get_num_threads(), []

    def watching(*given):
        seen.append(torch.get_num_threads())
        return probed(*given)

    monkeypatch.setattr("distcari.planning.layers.probed", watching)
    torch.set_num_threads(3)
    try:
        planned(work, config())
        assert set(seen) == {1} and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
