"""The two-way game on pictures whose answers are known, judged by a real trained network."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data
from support.analysis_store import make
from torch import nn

from distcari.analysis import Judge, match_groups, match_inputs, open_judge
from distcari.analysis.study import open_study
from distcari.errors import InputError
from distcari.grid import Axis, Grid
from distcari.render import Network
from distcari.store import Store

SIDE = 64
PHOTOGRAPHS = {"cat": data.chelsea, "cup": data.coffee, "woman": data.astronaut}


def photograph(name):
    picture = Image.fromarray(PHOTOGRAPHS[name]())
    side = min(picture.size)
    return np.asarray(picture.crop((0, 0, side, side)).resize((SIDE, SIDE)))


def photographs(url, shown):
    """A store whose picture of an image is what `shown(image, seed)` gives, uint8 (64, 64, 3)."""
    labels = {"model": ("m",), "image": tuple(PHOTOGRAPHS), "layer": ("l",), "seed": (0, 1)}
    grid = Grid("e", "s", tuple(Axis(axis, {label: str(label) for label in of}) for axis, of in labels.items()))
    store = Store(str(url), writable=True)
    arrays = store.prepare(
        grid,
        {"settings": {}, "steps": {}, "models": {}, "config": {"name": "e"}},
        size=SIDE,
        input_size=SIDE,
        steps=2,
        dtype="float32",
    )
    store.write_inputs(arrays, {name: photograph(name) for name in PHOTOGRAPHS})
    rows = []
    for cell in grid.cells():
        at = dict(zip(arrays.axes, cell.labels, strict=True))
        picture = (shown(at["image"], at["seed"]) / 255).astype(np.float32)
        sha = arrays.write(arrays.place(cell.labels), picture, np.zeros(2), np.zeros((56, 56)))
        rows.append({"key": cell.key, "experiment": "e", **at, "pixels_sha256": sha})
    store.commit(rows)
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make(tmp_path_factory.mktemp("any"))


@pytest.fixture(scope="module")
def judge(store):
    return open_judge(open_study(store), "lite0")


def test_a_picture_that_is_its_input_is_always_matched(tmp_path, judge):
    found = match_inputs(photographs(tmp_path, lambda image, _: photograph(image)), judge=judge)
    assert list(found["score"]) == [100.0] and list(found["choices"]) == [3 * 2 * 2]
    assert found.attrs["chance"] == 50 and list(found["images"]) == [3]


def test_a_picture_of_another_input_loses_and_one_for_all_is_chance(tmp_path, judge):
    turned = dict(zip(PHOTOGRAPHS, [*list(PHOTOGRAPHS)[1:], next(iter(PHOTOGRAPHS))], strict=True))
    wrong = match_inputs(photographs(tmp_path / "a", lambda image, _: photograph(turned[image])), judge=judge)
    assert wrong["score"].iloc[0] <= 50
    same = match_inputs(photographs(tmp_path / "b", lambda *_: photograph("cat")), judge=judge)
    assert same["score"].iloc[0] == 50


def test_an_unseen_training_is_told_by_what_its_group_shares_and_equal_groups_are_not(tmp_path, judge):
    names = [f"{kind}_{n}" for kind in "abc" for n in range(3)]
    store = make(tmp_path, models=names, seeds=(0,), images=("cat", "cup"))
    groups = {kind: [name for name in names if name.startswith(kind)] for kind in "abc"}
    apart = match_groups(store, {k: groups[k] for k in "ac"}, judge=judge).set_index("layer")
    assert apart.loc["l2", "score"] > 90 and apart.loc["l2", "low"] > 50
    assert apart.loc["l2", "p"] == pytest.approx(2 / 20, abs=0.04), "of 20 deals of six, this one and its mirror image"
    alike = match_groups(store, {k: groups[k] for k in "ab"}, judge=judge)
    assert (alike["p"] > 0.2).all() and "p" not in match_groups(store, groups, judge=judge, by=("layer", "model"))
    assert (alike["score"] < apart.loc["l2", "score"]).all() and (alike["low"] < 60).all()


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def seen_plainly(judge, pictures):
    """What a judge sees, each layer by a pass of its own."""
    x = nn.functional.interpolate(
        torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
        size=(judge.network.input_size,) * 2,
        mode="bilinear",
        antialias=True,
    )
    with torch.no_grad():
        layers = [judge.network.activations(layer)(x).mean((2, 3)).double().numpy() for layer in judge.layers]
    return unit(np.concatenate([unit(layer - layer.mean(0)) for layer in layers], axis=1))


def by_hand(store, judge, groups, layer):
    """The score of `match_groups` at a layer, choice by choice; images of one training are averaged."""
    study = open_study(store)
    rows = study.of([model for models in groups.values() for model in models], layer=layer)
    seen = seen_plainly(judge, [study.picture(key) for key in rows["key"]])
    right = {}
    for image in study.known("image"):
        mean = {m: seen[(rows["model"] == m) & (rows["image"] == image)].mean(0) for m in set(rows["model"])}
        for own, other in product(groups, groups):
            for model, left_out in product(groups[own], groups[other]) if own != other else ():
                mates = np.mean([mean[m] for m in groups[own] if m != model], axis=0)
                rest = np.mean([mean[m] for m in groups[other] if m != left_out], axis=0)
                right.setdefault(model, []).append(unit(mean[model]) @ unit(mates) > unit(mean[model]) @ unit(rest))
    return 100 * np.mean([np.mean(choices) for choices in right.values()])


def test_the_score_is_that_of_choices_made_one_by_one(tmp_path, judge):
    groups = {"a": ["a_0", "a_1", "a_2", "a_3"], "b": ["b_0", "b_1", "b_2"], "c": ["c_0", "c_1"]}
    models = [model for of in groups.values() for model in of]
    store = make(tmp_path, models=models, images=("cat", "cup"), layers=("l1",), seeds=(0, 1))
    (found,) = match_groups(store, groups, judge=judge)["score"]
    assert 50 < found < 100 and by_hand(store, judge, groups, "l1") == pytest.approx(found)


def test_a_judge_looks_at_each_picture_once_and_tells_how_far_it_is(tmp_path):
    groups = {"a": ["a_0", "a_1"], "c": ["c_0", "c_1"]}
    store = make(
        tmp_path, models=[model for of in groups.values() for model in of], images=("cat", "cup"), seeds=(0, 1)
    )
    judge, said = open_judge(open_study(store), "lite0"), []
    match_inputs(store, judge=judge, progress=lambda *now: said.append(now))
    assert said[-1][1:] == (32, 32) and {layer for layer, *_ in said} == {"l1", "l2"}
    blind = replace(judge, network=None)  # remembers, and cannot look
    assert len(match_groups(store, groups, judge=blind)) == 2


def test_layers_that_folding_changes_are_seen_as_they_are():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
    for norm in (model[1], model[4]):
        norm.running_mean.normal_()
    network = Network(model.eval(), input_size=32)
    judge = Judge("small", network, ("0", "1", "3", "4"))
    pictures = list(np.random.default_rng(0).random((5, 32, 32, 3), np.float32))
    np.testing.assert_allclose(judge.features(pictures), seen_plainly(judge, pictures), atol=1e-6)


@pytest.mark.parametrize(
    ("groups", "says"),
    [({"a": ["a"], "c": ["c"]}, "one training only"), ({"a": ["a", "b"], "c": ["b", "c"]}, "share the model b")],
)
def test_groups_that_cannot_be_told_are_refused(store, judge, groups, says):
    with pytest.raises(InputError, match=says):
        match_groups(store, groups, judge=judge)


@pytest.mark.parametrize("name", ["nonsense", "torchvision:no_such_network", "timm:"])
def test_a_judge_that_cannot_be_loaded_is_refused_before_any_work(store, name):
    with pytest.raises(InputError, match="judge"):
        match_inputs(store, judge=name)


def test_one_image_leaves_no_choice(tmp_path, judge):
    with pytest.raises(InputError, match="one image only"):
        match_inputs(make(tmp_path, images=("cat",)), judge=judge)


def test_scores_by_any_axis(tmp_path, judge):
    found = match_inputs(make(tmp_path, images=("cat", "cup"), seeds=(0,)), judge=judge, by=("model", "layer"))
    assert isinstance(found, pd.DataFrame) and len(found) == 6 and set(found["model"]) == {"a", "b", "c"}
