"""Trends over tags: what was planted is found, what was not is not, and held tags are taken out."""

import numpy as np
import pytest
from support.analysis_store import make
from support.commands import run
from support.made_up import FIGURES, family

from distcari.analysis.tagged import groups_by
from distcari.analysis.trend import trend
from distcari.store.models import update_models


def test_a_planted_trend_is_found_where_it_is_with_its_slope(tmp_path):
    models = [f"m{i}" for i in range(8)]
    tags = [{"epoch": 2.0 * i} for i in range(8)]
    study = family(
        tmp_path,
        models,
        tags,
        lambda n, layer, rng: (3.0 * n * (layer == "l2") + rng.normal(0, 0.2), rng.normal(), rng.normal()),
    )
    found = trend(study, "epoch", figures=FIGURES)
    sure = found.figures[found.figures["significant"]]
    assert sure[["layer", "figure"]].values.tolist() == [["l2", "colourfulness"]]
    row = sure.iloc[0]
    assert (
        row["rho"] == pytest.approx(1)
        and row["low"] < 1.5 < row["high"]
        and row["slope"] == pytest.approx(1.5, abs=0.1)
    )
    assert row["rho_low"] > 0.9 and row["seed_sd"] < 0.3 < row["range"] and row["smallest_p"] <= row["p"] < 0.001
    assert len(found.points) == 16 and "colourfulness rises with epoch" in str(found)


def test_an_ordered_text_is_a_tag_like_a_number_and_text_without_order_is_refused(tmp_path):
    models, levels = [f"m{i}" for i in range(9)], ["none", "mild", "strong"]
    study = family(
        tmp_path,
        models,
        [{"damage": levels[i % 3], "kind": "ab"[i % 2]} for i in range(9)],
        lambda n, layer, rng: (-float(n % 3), rng.normal(), rng.normal()),
    )
    with pytest.raises(Exception, match=r"(?s)text without an order.*--order damage="):
        trend(study, "damage")
    update_models(study.store.files, [], {"damage": levels})
    found = trend(study, "damage", figures=FIGURES, over=("image", "layer"))
    row = found.figures.set_index("figure").loc["colourfulness"]
    assert row["rho"] == pytest.approx(-1) and row["slope"] == -1 and row["significant"]
    assert groups_by(study, "damage") == {v: models[i::3] for i, v in enumerate(levels)}


def test_a_held_tag_takes_its_effect_with_it(tmp_path):
    """Figures follow the camera alone; epochs go with it. Held, nothing of them is left; not held, it looks like it."""
    models = [f"m{i}" for i in range(12)]
    tags = [{"camera": "one" if i < 6 else "all", "epoch": i % 6 + 4 * (i >= 6)} for i in range(12)]
    study = family(
        tmp_path,
        models,
        tags,
        lambda n, layer, rng: (5.0 * (n >= 6) + rng.normal(0, 0.1), 2.0 * tags[n]["epoch"] + 9 * (n < 6), rng.normal()),
    )
    plain = trend(study, "epoch", figures=FIGURES, over=("image", "layer")).figures.set_index("figure")
    held = trend(study, "epoch", held=["camera"], figures=FIGURES, over=("image", "layer")).figures.set_index("figure")
    assert plain.loc["colourfulness", "significant"] and not held.loc["colourfulness", "significant"]
    assert held.loc["robust_gain", "significant"] and held.loc["robust_gain", "slope"] == pytest.approx(2)
    assert held.loc["robust_gain", "low"] <= 2 <= held.loc["robust_gain", "high"]


@pytest.mark.parametrize(("deals", "most"), [(80, 9), pytest.param(200, 20, marks=pytest.mark.long)])
def test_random_tags_are_called_trends_at_the_nominal_rate(tmp_path, deals, most):
    """Random deals of a tag over models that have nothing to do with it, uncorrected at 0.05: 4 and 10 expected."""
    models = [f"m{i}" for i in range(7)]
    study = family(tmp_path, models, [{"t": i} for i in range(7)], lambda n, la, rng: rng.normal(size=3) + n % 3)
    rng = np.random.default_rng(5)
    hits = []
    for _ in range(deals):
        dealt = rng.permutation(7)
        update_models(
            study.store.files,
            [{"experiment": "e", "model": m, "t": int(t)} for m, t in zip(models, dealt, strict=True)],
        )
        found = trend(study, "t", figures=FIGURES[:1], over=("image", "layer"), correction="none")
        hits.append(bool(found.figures["significant"].iloc[0]))
    assert 1 <= sum(hits) <= most


@pytest.mark.parametrize(
    ("tag", "held", "says"),
    [
        ("epoch2", (), "no such tag"),
        ("same", (), "for every model"),
        ("few", (), "known of 2 models"),
        ("epoch", ("epoch",), "held and asked for"),
        ("epoch", ("nothing",), "no such tag"),
    ],
)
def test_bad_tags_are_refused(tmp_path, tag, held, says):
    tags = [{"epoch": i, "same": 1} | ({"few": i} if i < 2 else {}) for i in range(4)]
    study = family(tmp_path, list("abcd"), tags, lambda n, layer, rng: rng.normal(size=3))
    with pytest.raises(Exception, match=says):
        trend(study, tag, held=held, figures=FIGURES)


def test_too_few_models_are_said_to_prove_nothing(tmp_path):
    study = family(tmp_path, list("abc"), [{"t": i} for i in range(3)], lambda n, la, rng: (n, 1.0, 0.0), seeds=(0,))
    found = trend(study, "t", figures=FIGURES[:1])
    assert not found.figures["significant"].any() and "No trend can be significant" in found.notes[0]
    assert any("One seed only" in note for note in found.notes) and np.isnan(found.figures["low"]).all()


def test_the_command_on_a_real_store(tmp_path):
    store = make(tmp_path / "s", models=("a", "b", "c", "c_2", "a_2"), images=("cat", "cup"))
    update_models(
        store.files,
        [{"experiment": "e", "model": m, "red": int(m[0] == "c")} for m in store.arrays("e").labels("model")],
    )
    code, said = run("trend", store.url, "red", "--figures", "colourfulness", "--over", "image,layer", "--all")
    assert code == 0 and "5 models" in said and "the cause follows only if" in said and "rho_low" in said, said
    code, said = run("trend", store.url, "blue")
    assert code == 2 and "There are: red" in said
