"""Which layer tells groups of trainings apart: the planted one is named, and chance is called chance."""

import numpy as np
import pytest
from support.analysis_store import make
from support.commands import run
from support.made_up import FIGURES, family

from distcari.analysis import compare, open_study, separation
from distcari.analysis.report import html
from distcari.analysis.separation import put_right
from distcari.errors import InputError

ONE, ALL = [f"one_{i}" for i in range(6)], [f"all_{i}" for i in range(6)]
A, C = [f"a_{i}" for i in range(8)], [f"c_{i}" for i in range(4)]
TAGS = [{"camera": model.split("_")[0]} for model in [*ONE, *ALL]]


def planted(n, layer, rng):
    """Models from the 7th on differ in one figure at l2; every model has a level of its own."""
    own = np.random.default_rng([n, ord(layer[1])]).normal(size=3)
    return own + rng.normal(0, 0.1, 3) + [0, 6.0 * (n >= 6) * (layer == "l2"), 0]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return family(tmp_path_factory.mktemp("separation"), [*ONE, *ALL], TAGS, planted, layers=("l1", "l2", "l3"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return open_study(make(tmp_path_factory.mktemp("trained") / "s", models=A + C, images=("cat",), seeds=(0, 1)))


def test_the_planted_layer_is_named_and_the_others_are_not_sure(study):
    found = separation(study, {"one": ONE, "all": ALL}, figures=FIGURES).set_index("layer")
    assert list(found[found["significant"]].index) == ["l2"]
    best = found.loc["l2"]
    assert best["right"] == best["trainings"] == 12 and best["low"] < best["share"] == best["high"] == 1
    assert best["p"] <= 0.005 and best["smallest_p"] == pytest.approx(2 / 924) and best["p_corrected"] >= best["p"]
    assert 5.5 < best["chance"] < 6.5 and (found.loc[["l1", "l3"], "right"] < 11).all()


def test_a_comparison_says_it_in_words_and_on_its_page(trained):
    """c is redder at both layers; see support/analysis_store.py."""
    asked = {"figures": ["mean_r"], "metrics": (), "warn": False}
    found = compare(trained, A[:4], C, **asked)
    assert "Which layer tells the groups apart best: l1 and l2, 8 of 8 trainings rightly (chance 3.4" in str(found)
    page = html(found, trained)
    assert "Which layer tells the two apart" in page and "<td>8</td><td>8</td>" in page
    alike = compare(trained, A[:4], A[4:], **asked)
    assert "No layer tells the groups apart for sure; best: l1" in str(alike)
    pooled = compare(trained, A[:4], C, over=("image", "layer"), **asked)
    assert "all layers and images together, 8 of 8" in str(pooled)


def test_a_group_of_one_is_refused_and_left_out_of_a_comparison_with_words(trained):
    one, lone = A[:4], C[0]
    with pytest.raises(InputError, match=r"(?s)group all.*has one training only.*two trainings or more"):
        separation(trained, {"one": one, "all": [lone]})
    found = compare(trained, one, lone, metrics=(), warn=False)
    assert found.separation.empty and any("not said: c_0 has one training only" in note for note in found.notes)
    two = compare(trained, one[0], lone, metrics=(), warn=False)
    assert two.separation.empty and not any("has one training only" in note for note in two.notes)


def test_three_groups_are_told_apart(study):
    thirds = {"a": ONE[:3], "b": ONE[3:], "c": ALL}
    found = separation(study, thirds, figures=FIGURES, correction="none").set_index("layer")
    assert found["p"].idxmin() == "l2" and found.loc["l2", "right"] > found.loc["l2", "chance"] + 3
    assert found.loc["l2", "smallest_p"] == 1 / 2000, "of 18,480 deals, 2,000 are drawn"


def test_what_is_the_same_in_all_tells_nothing_apart(tmp_path):
    study = family(tmp_path, [*ONE, *ALL], TAGS, lambda n, layer, rng: (1.0, 0.1, 3.0), layers=("l1",))
    row = separation(study, {"one": ONE, "all": ALL}, figures=FIGURES).iloc[0]
    assert row["p"] == 1 and not row["significant"]


def test_a_training_is_judged_by_the_others_alone():
    """By its own group's mean with itself in it, each of these would be right; by the others', none is."""
    values = np.array([[0.0], [10.0], [4.9], [5.1]])
    assert put_right(values, np.array([[0, 0, 1, 1]]))[0] == 2, "those in the middle alone"


@pytest.mark.parametrize(("deals", "most"), [(80, 9), pytest.param(400, 31, marks=pytest.mark.long)])
def test_random_groups_are_told_apart_at_most_at_the_nominal_rate(deals, most):
    """Random deals of trainings that have nothing to do with it, at .05: 4 and 20 expected, or fewer: p is discrete."""
    rng = np.random.default_rng(3)
    groups = np.array([rng.permutation([0] * 5 + [1] * 6) for _ in range(400)])
    hits = 0
    for _ in range(deals):
        values = rng.normal(size=(11, 4)) + np.arange(11)[:, None] % 3
        right = put_right(values, groups[rng.permutation(400)])
        hits += (right >= right[0]).mean() <= 0.05
    assert 1 <= hits <= most


def test_the_command_prints_it(trained):
    code, said = run("compare", trained.store.url, "a_[0-3]", "c_*", "--figures", "mean_r,small_circles")
    assert code == 0 and "Which layer tells the groups apart best: l" in said and "8 of 8 trainings rightly" in said


def test_the_command_tells_groups_apart_without_a_judge(trained):
    groups = ["--group", "a=" + ",".join(A[:4]), "--group", "b=" + ",".join(A[4:]), "--group", "c=" + ",".join(C)]
    code, said = run("match", trained.store.url, "--judge", "none", *groups)
    assert code == 0 and " of 12 trainings rightly (chance 4" in said and "smallest_p" in said, said
    code, said = run("match", trained.store.url, "--judge", "none")
    assert code == 2 and "Add --groups-by TAG" in said
