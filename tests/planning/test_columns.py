"""One column for layers of several architectures: aliases and depths, one key whatever the column is called."""

import re

import numpy as np
import pytest
import yaml
from support.commands import run, serially
from support.serial import compute, planned
from support.shared import config

from distcari.analysis.cross import cross
from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.planning.layers import chosen_layers, describe_models
from distcari.sources.models import expand_models
from distcari.store import open_store

MODELS = [{"name": "a", "factory": "tiny:net"}, {"name": "r18", "torchvision": "resnet18", "input_size": 32}]
EARLY = {"early": {"a": "conv1", "r*": "layer1.0"}}


def keys(plan):
    return {cell.labels: cell.key for cell in plan.grid.cells()}


def test_an_alias_is_one_column_with_the_keys_of_the_paths(work):
    plain = keys(planned(work, config(models=MODELS, layers=["conv1*", "layer1_0*"]))[0])
    plan, _ = planned(work, config(models=MODELS, layers=[EARLY]))
    assert plan.grid.axis("layer").labels == ("early",)
    for (model, image, _, seed), key in keys(plan).items():
        assert key == plain[model, image, "conv1" if model == "a" else "layer1_0", seed]


def test_an_alias_may_have_the_name_that_it_has_in_one_model(work):
    plan, _ = planned(work, config(models=MODELS, layers=[{"layer1": {"a": "conv2", "r18": "layer1"}}]))
    assert {m: found["layer1"].name for m, found in plan.layers.items()} == {"a": "conv2", "r18": "layer1"}
    assert plan.grid.own_contents == {"a": {"layer1": ("conv2", "conv2:3")}}


def test_depths_are_the_blocks_nearest_to_a_share_of_the_compute(work):
    plan, _ = planned(work, config(models=MODELS, layers=["depth:0.25"]))
    for found in plan.layers.values():
        assert list(found) == ["depth_0_25"]
    blocks, _ = planned(work, config(models=MODELS[1:], layers=["depth:blocks:4"]))
    found = blocks.layers["r18"]
    assert list(found) == [f"block_{i}_of_4" for i in (1, 2, 3, 4)]
    assert [info.name for info in found.values()] == ["layer1_0", "layer2_0", "layer3_0", "layer4_0"]
    depths = [info.depth for info in found.values()]
    assert depths == sorted(depths) and np.abs(np.array(depths) - [0.125, 0.375, 0.625, 0.875]).max() < 0.1


@pytest.fixture
def described(work):
    experiment = Experiment.model_validate(config(models=MODELS))
    return describe_models({spec.name: spec for spec in expand_models(experiment, "c.yaml")})


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        ([{"early": {"lite0": "conv1"}}], "layers[0].early: 'lite0' matches no model"),
        ([{"early": {"a": "conv3"}}], "model a has no layer 'conv3'"),
        ([{"early": "head.0"}], "layers[0].early: model a has no layer 'head.0'"),
        (["conv*", EARLY], "would be in two columns, 'conv1' and 'early'"),
        ([{"conv2": {"a": "conv1"}}], "'conv2' is itself a layer of model a"),
        (["depth:blocks:90"], "model a has 3 layers, not 90"),
        (["depth:0.9", "depth:0.91"], "would be in two columns, 'depth_0_9' and 'depth_0_91'"),
    ],
)
def test_what_cannot_be_a_column_is_refused_before_any_work(described, layers, says):
    with pytest.raises(InputError) as refused:
        chosen_layers(Experiment.model_validate(config(models=MODELS, layers=layers)), described, "c.yaml")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("layers", "says"),
    [
        (["depth:2"], "line 3, layers[0]: 'depth:2' must be depth:SHARE"),
        ([{"early": "conv*"}], "'conv*' may stand for several layers"),
        ([{"blocks": "conv1"}], "cannot be called 'blocks'"),
        ([{"early": {}}], "names no layer"),
        ([{"early": "conv1"}, "early"], "duplicate layer 'early'"),
        ([3], "layers[0]: Input should be a valid string"),
    ],
)
def test_a_config_with_a_wrong_entry_is_refused(work, layers, says):
    (work / "c.yaml").write_text(yaml.safe_dump(config(layers=layers)))
    code, said = run("submit", work / "c.yaml")
    assert code == 2 and re.sub(r"line \d+, ", "", says) in said


def test_steps_that_differ_within_a_column_are_refused(work):
    document = config(models=MODELS, layers=[EARLY], steps_by_layer={"layer1_0": 9})
    with pytest.raises(InputError, match=r"gives early 3 steps in a and 9 in r18.*\n.*`early: 9`"):
        planned(work, document)
    plan, _ = planned(work, document | {"steps_by_layer": {"[l]ayer1_0": 9, "early": 5}})
    assert plan.settings["early"].steps == 5


def test_cells_get_their_new_column_with_nothing_computed_anew(work):
    first = compute(work, config(layers=["conv1", "conv2"]))
    store, before = first.store, first.store.table().set_index("key")
    pictures = {key: store.picture(key) for key in before.index}
    renamed = config(layers=[{"early": "conv1"}, "conv2"])
    assert not planned(work, renamed)[0].todo
    run = compute(work, renamed)
    assert run.done == 0 and len(store.index.table()) == len(before)  # no key twice
    after = open_store(str(store.url)).table().set_index("key").loc[before.index]
    assert set(after["layer"]) == {"early", "conv2"}
    moved = after[after["layer"] == "early"]
    assert set(moved["layer_path"]) == {"conv1"} and set(before.loc[moved.index, "layer"]) == {"conv1"}
    same = [column for column in after if column not in ("layer", "layer_path")]
    assert after[same].equals(before[same])
    assert all(np.array_equal(store.picture(key), pictures[key]) for key in before.index)
    arrays = open_store(str(store.url)).arrays("small")
    assert arrays.description.layers("a") == ("conv2", "early") and arrays.description.layer("a", "early") == "conv1"
    assert "early" in store.xarray("small").layer.values
    assert run_verify(store) == 0
    compute(work, config(layers=["conv1", "conv2"]))  # and back
    assert set(store.table()["layer"]) == {"conv1", "conv2"} and len(store.index.table()) == len(before)


def run_verify(store):
    return run("verify", store.url)[0]


def test_another_layer_under_a_known_alias_needs_another_name(work):
    compute(work, config(layers=[{"early": "conv1"}]))
    with pytest.raises(InputError, match="layer early of a: conv1 in the store, conv2 now"):
        planned(work, config(layers=[{"early": "conv2"}]))
    again = compute(work, config(layers=[{"early": "conv2"}]), overwrite=True)
    assert again.done == 4 and set(again.store.table()["layer_path"]) == {"conv2"}
    assert again.store.arrays("small").description.layer("a", "early") == "conv2"


def test_damaged_cells_are_computed_anew_in_their_new_column(work):
    store = compute(work, config(layers=["conv1"])).store
    chunk = next((work / "store/arrays.zarr/small/caricature").glob("c.0.0.0*"), None)
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"xyz")
    with pytest.warns(UserWarning, match="1 cells are damaged"):
        run = compute(work, config(layers=[{"early": "conv1"}]))
    assert run.done == 1 and set(store.table()["layer"]) == {"early"} and len(store.table()) == 4


def test_differences_and_crosses_take_each_model_at_its_own_layer(work):
    pair = {"a": "a", "b": "r18", "name": "pair"}
    document = config(models=MODELS, layers=[EARLY], differences=[pair], images=["photos/one.png"])
    run = compute(work, document)
    assert run.plan.counterparts["pair"]["early"].name == "layer1_0"
    assert run.plan.grid.own_contents["pair"]["early"] == ("conv1", "conv1:3 in b layer1_0")
    rows = run.store.table().set_index("model")
    assert dict(rows["layer_path"]) == {"a": "conv1", "r18": "layer1.0", "pair": "conv1"}
    seen = cross(run.store, "small", only={"model": ["a"]})
    assert set(seen["in_model"]) == {"a", "r18"} and seen["robust_gain"].notna().all()


def test_the_command_shows_which_layer_each_model_gets(work):
    (work / "c.yaml").write_text(yaml.safe_dump(config(models=MODELS, layers=[EARLY, "depth:0.9"])))
    code, said = run("layers", "c.yaml")
    lines = [line.split() for line in said.splitlines() if "=" in line]
    assert code == 0 and [(line[1], line[-1]) for line in lines] == [
        ("conv1", "early"),
        ("conv2", "depth_0_9"),
        ("layer1_0", "early"),
        ("layer4_0", "depth_0_9"),
    ]
    code, said = serially("c.yaml", "--set", "layers=[{early: {a: conv1}}]", "--dry-run")
    assert code == 0 and "1 layer" in said
