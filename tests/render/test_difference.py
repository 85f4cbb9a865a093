"""Difference caricatures: what one network sees and another does not; alone, and as cells of a grid."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from support.serial import compute, planned
from support.shared import config
from support.tiny import net

from distcari import caricature, difference
from distcari.cluster.driver import Run
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.worker import Worker
from distcari.errors import InputError
from distcari.render import Network
from distcari.settings import RenderSettings
from distcari.sources.models import load_model
from distcari.store.check import check

PAIR = {"a": "a", "b": "b"}
CROSS = ["gain_in_b", "cosine_in_b", "robust_gain_in_b", "robust_cosine_in_b"]
HALF = ((0.5,) * 3, (0.5,) * 3)


def two():
    torch.manual_seed(0)
    return Network(net(), mean=HALF[0], std=HALF[1], input_size=32), Network(net(), input_size=48)


def noise(seed=1):
    return np.random.default_rng(seed).random((32, 32, 3), np.float32)


@pytest.mark.parametrize("views", ["picture", "both"])
def test_a_keeps_seeing_it_and_b_sees_less_the_more_the_contrast(views):
    a, b = two()
    s = RenderSettings(size=32, steps=20, views=views, cossim_pow=1.0, metric="plain")
    made = [difference(a, b, noise(), "conv1", contrast=c, settings=s) for c in (0, 1, 4)]
    in_b = [one.figures["gain_in_b"] for one in made]
    assert in_b[0] > 2 * in_b[1] > 2 * in_b[2] and made[1].figures["gain"] > 2 * in_b[1]
    plain = caricature(a, noise(), "conv1", settings=s)
    assert np.allclose(made[0].picture, plain.picture, atol=1e-4) and not set(CROSS) & set(plain.figures)
    seen = made[1].figures
    lost = max(0, seen["gain_in_b"] * max(seen["cosine_in_b"], 0.1))
    assert seen["objective"] == pytest.approx(seen["gain"] * max(seen["cosine"], 0.1) - lost, rel=1e-4)


def test_what_cannot_be_is_refused():
    a, b = two()
    with pytest.raises(InputError, match="no such layer"):
        difference(a, b, noise(), "conv2", layer_b="conv9", size=32)
    with pytest.raises(ValueError, match="contrast"):
        difference(a, b, noise(), "conv2", contrast=-1)
    with pytest.raises(ValueError, match="lucent"):
        difference(a, b, noise(), "conv2", compat="lucent", steps=1)


def test_a_difference_is_a_label_of_the_grid_with_figures_of_its_own(work):
    simple = {"size": 32, "steps": 3, "metric": "plain"}
    plain, _ = planned(work, config(layers=["conv2"], render=simple))
    pairs = [PAIR, {**PAIR, "contrast": 0.5, "name": "half"}]
    run = compute(work, config(layers=["conv2"], render=simple, differences=pairs))
    assert run.done == 8 and run.store.arrays("small").labels("model") == ["a", "b", "a − b", "half"]
    frame = run.store.table()
    assert {cell.key for cell in plain.grid.cells()} < set(frame["key"]) and frame["key"].nunique() == 8
    own = frame[frame["model"].isin(["a", "b"])]
    pairs = frame[~frame["model"].isin(["a", "b"])].set_index(["model", "image"])
    assert own[[*CROSS, "contrast"]].isna().all().all() and pairs[CROSS].notna().all().all()
    assert (pairs["gain_in_b"]["a − b"] < pairs["gain_in_b"]["half"]).all() and pairs["contrast"]["half"].eq(0.5).all()
    a, b = (run.plan.models[name] for name in "ab")
    assert set(pairs["model_sha256"]) == {f"{a.sha256}-{b.sha256}"} and pairs["layer_kind"].eq("conv").all()
    alone = difference(
        load_model(a),
        load_model(b),
        Image.fromarray(run.plan.images["one"].pixels),
        "conv2",
        input_size_a=32,
        input_size_b=32,
        **simple,
    )
    assert np.array_equal(run.store.picture(pairs["key"]["a − b", "one"]), alone.picture)
    assert list(check(run.store)) == [8] and run.store.arrays("small").meta["models"]["half"]["difference"]["b"] == "b"
    again = config(layers=["conv2"], render=simple, differences=[{**PAIR, "name": "half", "contrast": 0.5}])
    assert not planned(work, again)[0].todo


def test_a_key_hangs_on_all_that_decides_the_pixels(work):
    def keys(**changes):
        document = config(layers=["conv2"], images=["photos/one.png"], store=str(work / "empty"), **changes)
        return [cell.key for cell in planned(work, document)[0].grid.cells() if cell.labels[0] == "d"]

    models = config()["models"]
    other = [models[0], {**models[1], "init_seed": 7}]
    named = {**PAIR, "name": "d"}
    found = [
        keys(differences=[named]),
        keys(differences=[named], models=other),
        keys(differences=[{**named, "contrast": 2}]),
        keys(differences=[{**named, "layers": {"conv2": "conv1"}}]),
    ]
    assert len({key for one in found for key in one}) == 4 == sum(map(len, found))
    with pytest.raises(InputError, match="model d: its content has changed"):
        compute(work, config(layers=["conv2"], differences=[named]))
        planned(work, config(layers=["conv2"], differences=[{**named, "contrast": 2}]))


OTHER = {"name": "r", "torchvision": "resnet18", "input_size": 32}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"differences": [{"a": "a", "b": "bb"}]}, ["differences[0].b", "no model 'bb'", "Nearest: b"]),
        ({"differences": [{"a": "a", "b": "a"}]}, ["differences[0]", "both 'a'"]),
        ({"differences": [{"a": "a"}]}, ["differences[0].b", "missing"]),
        ({"differences": [{**PAIR, "contrast": 0}]}, ["differences[0].contrast", "greater than 0"]),
        ({"differences": [PAIR, PAIR]}, ["differences[1]", "duplicate model name 'a − b'"]),
        ({"differences": [{**PAIR, "name": "b"}]}, ["'b'", "cannot be told apart"]),
        ({"differences": [PAIR], "render": {"compat": "lucent"}}, ["compat: lucent"]),
        ({"differences": [{**PAIR, "layers": {"conv2": "conf1"}}]}, ["no layer 'conf1'", "counterpart of conv2"]),
        ({"differences": [{**PAIR, "layers": {"conf2": "conv1"}}]}, ["model a has no layer 'conf2'", "conv2"]),
        (
            {"models": [*config()["models"], OTHER], "layers": ["conv[2]"], "differences": [{"a": "a", "b": "r"}]},
            ["a and r share no layer", "layers: {layer of a: layer of b}"],
        ),
    ],
)
def test_a_difference_that_cannot_be_is_refused(work, changes, says):
    with pytest.raises(InputError) as error:
        planned(work, config(**changes))
    assert all(words in str(error.value) for words in ["c.yaml", "->", *says])


def test_layers_are_paired_by_name_or_by_the_mapping(work):
    models = [config()["models"][0], OTHER]
    pair = {"a": "a", "b": "r", "layers": {"conv2": "layer1.0.conv2"}}
    plan, _ = planned(work, config(models=models, layers=["conv[12]", "head*", "layer1*"], differences=[pair]))
    assert {label: info.path for label, info in plan.counterparts["a − r"].items()} == {
        "conv1": "conv1",
        "conv2": "layer1.0.conv2",
    }  # of head there is none in r
    cells = {cell.labels[2] for cell in plan.grid.cells() if cell.labels[0] == "a − r"}
    assert cells == {"conv1", "conv2"}


def test_a_second_model_that_cannot_be_loaded_fails_its_cells_alone(work):
    torch.save(net().state_dict(), work / "b.pt")
    models = [config()["models"][0], {"name": "b", "factory": "tiny:net", "checkpoint": "b.pt"}]
    document = config(models=models, layers=["conv2"], differences=[PAIR], resources={"batch": 1})
    plan, store = planned(work, document)
    run = Run(plan, store, SerialExecutor())
    units = run.prepare()
    torch.save({"other": torch.zeros(1)}, work / "b.pt")
    worker = Worker(store.url, {}, "small", "r", threads=1, device="cpu")
    results = [worker.run(run.job(unit)) for unit in units]
    assert [len(result.rows) for result in results] == [1, 1, 0, 0, 0, 0]
    assert all(
        "model b cannot be loaded" in message and "has changed" in message and trace
        for result in results
        for _, message, trace in result.failures
    )


def test_failed_rows_name_the_difference(work):
    Image.new("RGB", (40, 40)).save(work / "photos/black.png")
    models = [{"name": "p", "factory": "tiny:poisoned", "normalization": "imagenet"}, config()["models"][0]]
    run = compute(work, config(models=models, layers=["conv2"], differences=[{"a": "a", "b": "p"}]))
    assert [(row["model"], row["image"]) for row in run.failures] == [("p", "black"), ("a − p", "black")]
    assert set(pd.read_parquet("store/failures")["model"]) == {"p", "a − p"} and run.done == 7
