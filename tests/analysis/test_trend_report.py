"""The page of trends: what it says, shows and draws; and calibrated strength in trends."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from support.analysis_store import make
from support.commands import run

from distcari.analysis import open_study, trend
from distcari.analysis.trend_plot import Tick, apart, plot, round_values
from distcari.analysis.trend_report import html
from distcari.store.models import update_models

MODELS = ("a_0", "a_1", "a_2", "c_0", "c_1", "c_2")  # c is redder than a; see support/analysis_store.py
RED = {model: i + 10 * model.startswith("c") for i, model in enumerate(MODELS)}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = make(tmp_path_factory.mktemp("trend") / "s", models=MODELS, images=("cat", "cup"), seeds=(0, 1))
    kinds = {model: "xy"[i % 2] for i, model in enumerate(MODELS)}
    update_models(
        store.files,
        [
            {
                "experiment": "e",
                "model": m,
                "red": RED[m],
                "level": "ac".index(m[0]) * "high" or "low",
                "kind": kinds[m],
            }
            for m in MODELS
        ],
        {"level": ["low", "high"]},
    )
    return store


@pytest.fixture(scope="module")
def study(store):
    return open_study(store)


def test_the_page_has_sentence_plot_table_pictures_limits_and_command(store, tmp_path):
    out = tmp_path / "page.html"
    figures = ("--figures", "mean_r,robust_cosine", "--layers", "l1")
    code, said = run("trend", store.url, "red", *figures, "--out", out)
    assert code == 0 and str(out) in said, said
    page = out.read_text()
    assert "mean_r</strong> rises with red: rank correlation +" in page and page.count("<figcaption><strong>") == 2
    assert page.count("<svg viewBox") == 1 and all(f"<title>{model}: " in page for model in MODELS)
    assert ">robust_cosine</th>" in page and "the cause follows only if" in page
    assert f"distcari trend {store.url} red --figures" in page
    at = [int(value) for value in re.findall(r"<b>red (\d+)</b>", page)]
    assert at == sorted(RED.values()), "one picture for each value, in order"
    assert len(re.findall(r'alt="Caricature of [a-z]+ by [ac]_\d at l1, seed 0"', page)) == 6
    assert "http" not in page and "<script" not in page and "prefers-color-scheme: dark" in page
    assert not re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", page)


def test_what_is_not_significant_is_shown_as_that(study):
    page = html(trend(study, "red", figures=["high_frequency_share"]), study)
    assert "Nothing is significant; drawn is what comes nearest to it." in page and "(not significant)" in page
    assert "none of 2 trends significant" in page


def test_ordered_text_keeps_its_words_and_held_tags_have_a_line_each(study):
    found = trend(study, "level", held=["kind"], figures=["mean_r"])
    page = html(found, study)
    assert "Trends over level, kind held" in page and ">low</text>" in page and ">high</text>" in page
    assert "<title>x</title>" in page and "<title>y</title>" in page
    assert set(found.points["held"]) == {"x", "y"}
    shown = found.pictures[found.pictures["rank"] == 0]
    assert list(shown["tag"]) == [0, 1] and len({"xy"[MODELS.index(m) % 2] for m in shown["model"]}) == 1


def test_the_pictures_are_of_the_image_at_which_the_figure_changes_most(study):
    only = study.rows["image"].eq("cup") & study.rows["model"].str.startswith("c")
    moved = replace(study, rows=study.rows.assign(mean_g=study.rows["mean_g"] + 0.4 * only))
    found = trend(moved, "red", figures=["mean_g"], layers=["l2"]).pictures
    assert set(found["image"]) == {"cup"} and list(found["model"]) == sorted(MODELS, key=RED.get)
    key = moved.rows.set_index("key").loc[found["key"], ["model", "image", "layer", "seed"]]
    assert (key.to_numpy() == found[["model", "image", "layer", "seed"]].to_numpy()).all()


def test_strength_goes_calibrated_with_a_tag_where_every_cell_has_it(study):
    """Calibrated cosine rises with the tag and robust does not; at l2 one cell has none."""
    tagged = study.rows["model"].map(RED)
    there = study.rows["layer"].eq("l1") | study.rows["model"].ne("c_2")
    made = replace(study, rows=study.rows.assign(calibrated_cosine=(tagged / 20).where(there), calibrated_gain=np.nan))
    found = trend(made, "red")
    strength = found.figures[found.figures["figure"].str.contains("gain|cosine")]
    assert list(zip(strength["layer"], strength["figure"], strict=True)) == [
        *(("l1", "robust_gain"), ("l1", "calibrated_cosine")),
        *(("l2", "robust_gain"), ("l2", "robust_cosine")),
    ]
    assert strength.set_index("figure").loc["calibrated_cosine", "rho"] == pytest.approx(1)
    assert any("l1: robust_gain; l2: robust_gain and robust_cosine" in note for note in found.notes)
    assert "calibrated_cosine</strong> rises with red" in html(found, made)
    assert list(trend(made, "red", figures=["robust_cosine"], layers=["l1"]).figures["figure"]) == ["robust_cosine"]


def test_points_lines_and_labels_lie_where_the_values_are(study):
    found = trend(study, "red", figures=["mean_r"], layers=["l1"])
    row = found.figures.iloc[0].to_dict()
    drawn = plot(found.points, "red", row, {float(v): str(v) for v in RED.values()})
    values = found.points.set_index("model")["mean_r"]
    by_value = sorted(drawn.points, key=lambda point: -point.y)
    assert [point.name.split(":")[0] for point in by_value] == list(values.sort_values().index)
    assert all(point.high < point.y < point.low for point in drawn.points), "upwards is less y"
    (line,) = drawn.lines
    a, b = min(drawn.points, key=lambda p: p.x), max(drawn.points, key=lambda p: p.x)
    unit = (a.y - b.y) / (values[b.name.split(":")[0]] - values[a.name.split(":")[0]])
    assert (line.y1 - line.y2) / unit == pytest.approx(row["slope"] * 15, rel=0.02) and line.x1 < line.x2


@pytest.mark.parametrize("ends", [(0, 1), (-3.2, 17), (1e-4, 3e-4), (5, 5)])
def test_round_labels_lie_inside(ends):
    values = round_values(*ends)
    assert len(values) <= 6 and all(ends[0] - 1e-9 <= value <= ends[1] + 1e-9 for value in values)
    assert len(values) >= 2 or ends[0] == ends[1]


def test_labels_do_not_touch():
    kept = apart([Tick(float(i), f"{i:.2f}") for i in range(0, 200, 5)])
    assert len(kept) > 3 and kept[-1].at == 195 and all(b.at - a.at > 28 for a, b in pairwise(kept))
