"""The analysis finds the differences that are there, none where there are none, and says what it cannot know."""

import re
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab
from support.analysis_store import make, picture
from support.shared import config

from distcari.analysis import between_within, compare, distance_matrix, open_study
from distcari.analysis.metrics import COLOUR, METRICS, SPECTRUM
from distcari.cli.main import main
from distcari.errors import InputError
from distcari.figures import FIGURES

TRAININGS = ["a_0", "a_1", "a_2", "a_3", "a_4", "a_5", "a_6", "a_7", "c_0", "c_1", "c_2", "c_3"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make(tmp_path_factory.mktemp("analysis") / "store")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return make(tmp_path_factory.mktemp("analysis") / "store", models=TRAININGS, images=("cat", "dog"), seeds=(0, 1))


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    return make(tmp_path_factory.mktemp("analysis") / "store", seeds=(0,), layers=("l1",))


def test_colour_and_spectrum_measure_what_they_say():
    one, other = picture("a", "cat", "l1", 0), picture("c", "cat", "l1", 0)
    whole = np.kron(np.ones((1, 1, 1)), one)
    flat = [np.broadcast_to(np.float32(c), (64, 64, 3)) for c in ((0.5, 0.2, 0.2), (0.2, 0.5, 0.2))]
    expected = deltaE_ciede2000(*(rgb2lab(f)[0, 0] for f in flat))
    assert COLOUR.matrix(flat)[0, 1] == pytest.approx(expected, rel=1e-4)
    assert SPECTRUM.matrix([one, one[::-1, ::-1]])[0, 1] == pytest.approx(0, abs=1e-4)  # place does not count
    half = 0.5 + (one - 0.5) / 2
    assert SPECTRUM.matrix([one, half])[0, 1] == pytest.approx(20 * np.log10(2), rel=0.01)  # half the amplitude: 6 dB
    for metric in METRICS.values():
        found = metric.matrix([one, other, whole])
        assert (found == found.T).all() and (np.diag(found) == 0).all() and found[0, 1] > found[0, 2] == 0


def test_blocks_come_in_the_stores_order_however_the_rows_lie(store):
    study = open_study(store)
    mixed = study.rows.sample(frac=1, random_state=0)
    new = mixed.head(9).assign(image=[f"new_{i}" for i in range(9)])
    blocks = list(study.by_block(pd.concat([mixed, new])))
    assert [at for at, _ in blocks] == list(product(("cat", "cup", "dog", "jar"), ("l1", "l2")))
    for at, part in blocks:
        assert {tuple(row) for row in part[["image", "layer"]].to_numpy()} == {at}
        assert [tuple(row) for row in part[["model", "seed"]].to_numpy()] == list(product("abc", (0, 1, 2)))
    by_layer = list(study.by_block(mixed, ["layer"]))
    assert [(at, len(part)) for at, part in by_layer] == [(("l1",), 36), (("l2",), 36)]
    assert not list(study.by_block(new))


def test_the_distance_matrix_is_pandas_and_has_the_spread_within_on_its_diagonal(store):
    found = distance_matrix(store, "l1")
    assert list(found.index) == list(found.columns) == ["a", "b", "c"] and found.attrs["unit"] == "ΔE2000"
    assert found.loc["a", "b"] == pytest.approx(found.loc["a", "a"], rel=0.1)
    assert found.loc["a", "a"] + 1 < found.loc["a", "c"]
    pictures = [picture("a", "cat", "l1", 0), picture("c", "cat", "l1", 1)]
    one = distance_matrix(store, "l1", models=["a", "c"])
    assert one.loc["a", "c"] == pytest.approx(found.loc["a", "c"]) and COLOUR.matrix(pictures)[0, 1] > 0
    assert distance_matrix(store.url, "l2", "spectrum").loc["a", "c"] > 0


def test_with_one_seed_pictures_of_that_seed_are_compared_and_within_is_unknown(once):
    found = distance_matrix(once, "l1")
    assert found.isna().to_numpy().diagonal().all() and found.notna().to_numpy().sum() == 6
    cells = [[picture(m, image, "l1", 0) for m in "ab"] for image in ("cat", "cup", "dog", "jar")]
    assert found.loc["a", "b"] == pytest.approx(np.mean([COLOUR.matrix(pair)[0, 1] for pair in cells]), rel=1e-5)
    with pytest.raises(InputError, match=r"has one seed.*\n.*seeds: \[0, 1, 2\]"):
        between_within(once)


def test_between_and_within_tell_c_from_the_others_and_a_not_from_b(store):
    found = between_within(store).set_index(["layer", "a", "b"])
    assert len(found) == 6 and found.attrs["notes"] == []
    for layer in ("l1", "l2"):
        assert found.loc[(layer, "a", "c"), "significant"] and found.loc[(layer, "b", "c"), "significant"]
        assert not found.loc[(layer, "a", "b"), "significant"]
        row = found.loc[(layer, "a", "c")]
        assert 0 < row["low"] < row["excess"] < row["high"] and row["ratio"] > 1.05 and row["blocks"] == 4
        none = found.loc[(layer, "a", "b")]
        assert abs(none["excess"]) < 0.15 * none["within"] and none["p_corrected"] >= none["p"] > 0.05


def test_trainings_are_the_unit_of_groups(trained):
    found = between_within(trained, groups={"a": TRAININGS[:4], "alike": TRAININGS[4:8], "c": TRAININGS[8:]})
    found = found.set_index(["layer", "a", "b"])
    assert found.attrs["unit"] == "training" and list(found["smallest_p"]) == pytest.approx([2 / 70] * 6)
    assert found.loc[("l1", "a", "c"), "p"] == pytest.approx(2 / 70) and found.loc[("l1", "a", "alike"), "p"] > 0.1
    with pytest.raises(InputError, match="has one training"):
        between_within(trained, groups={"a": TRAININGS[:2], "c": TRAININGS[8]})


def test_compare_finds_the_red_and_the_discs_and_nothing_in_what_is_alike(store):
    found = compare(store, "a", "c")
    rows = found.figures.set_index(["layer", "figure"])
    assert rows.loc[("l1", "mean_r"), "significant"] and not rows.loc[("l1", "small_circles"), "significant"]
    assert rows.loc[("l2", "small_circles"), "significant"]
    red = rows.loc[("l1", "mean_r")]
    assert red["difference"] == pytest.approx(-0.15, abs=0.03)
    assert red["low"] < red["difference"] < red["high"] < 0
    assert red["effect"] < -2 and red["a_mean"] - red["b_mean"] == pytest.approx(red["difference"])
    assert len(found.images) == 4 * len(found.figures) and set(found.distances["metric"]) == {"colour", "spectrum"}
    assert not compare(store, "a", "b").figures["significant"].any()


def test_strength_is_compared_calibrated_where_every_cell_of_a_layer_has_it(store):
    """Robust figures that agree; calibrated ones that do not at l1, and of which one cell at l2 has none."""
    study = open_study(store)
    there = study.rows["layer"].eq("l1") | study.rows["model"].ne("c")
    shown = 0.2 + 0.3 * study.rows["model"].eq("c") + 0.01 * study.rows["seed"]
    made = replace(study, rows=study.rows.assign(calibrated_cosine=shown.where(there), calibrated_gain=np.nan))
    found = compare(made, "a", "c")
    strength = found.figures[~found.figures["figure"].isin(FIGURES)]
    assert list(zip(strength["layer"], strength["figure"], strict=True)) == [
        *(("l1", "robust_gain"), ("l1", "calibrated_cosine")),
        *(("l2", "robust_gain"), ("l2", "robust_cosine")),
    ]
    assert strength.set_index("figure").loc["calibrated_cosine", "significant"]
    note = next(note for note in found.notes if "calibrated" in note)
    assert "l1: robust_gain; l2: robust_gain and robust_cosine" in note and ".95" in note
    assert set(found.images.query("figure == 'calibrated_cosine'")["layer"]) == {"l1"}
    assert "calibrated_cosine: 0.21 against 0.51" in str(found)
    named = compare(made, "a", "c", figures=["robust_cosine"], layers=["l1"])
    assert list(named.figures["figure"]) == ["robust_cosine"], "what is named is taken"
    pooled = compare(made, "a", "c", over=("image", "layer"))
    assert "calibrated_cosine" not in set(pooled.figures["figure"]) and not any("calibr" in n for n in pooled.notes)


def test_the_pictures_are_of_the_image_with_the_largest_difference(store):
    found = compare(store, "a", "c", figures=["mean_r"])
    best = found.pictures[found.pictures["rank"] == 0]
    at = found.images[found.images["layer"] == best["layer"].iloc[0]].set_index("image")["difference"]
    assert set(best["image"]) == {at.abs().idxmax()} and list(best["side"]) == ["a"] * 3 + ["b"] * 3
    study = open_study(store)
    row = best.iloc[0]
    assert np.array_equal(study.picture(row["key"]), picture("a", row["image"], row["layer"], row["seed"]))


def test_trainings_judge_recipes_and_two_of_each_prove_nothing(trained):
    found = compare(trained, TRAININGS[:4], TRAININGS[8:], figures=["mean_r", "orientation_entropy"])
    red = found.figures.set_index(["layer", "figure"]).loc[("l1", "mean_r")]
    assert found.unit == "training" and red["p"] == pytest.approx(2 / 70) and red["units_a"] == 4
    same = compare(trained, TRAININGS[:4], TRAININGS[4:8], figures=["mean_r"], correction="none").figures
    assert (same["p"] > 0.05).all()
    with pytest.warns(UserWarning, match="It takes 4 trainings of each"):
        few = compare(trained, TRAININGS[:2], TRAININGS[8:10], figures=["mean_r"])
    assert not few.figures["significant"].any() and few.figures["low"].isna().all()
    assert list(few.figures["smallest_p"]) == pytest.approx([2 / 6] * 2)


def test_one_seed_shows_differences_but_proves_none(once):
    with pytest.warns(UserWarning, match="One seed each"):
        found = compare(once, "a", "c")
    assert found.figures["difference"].abs().max() > 0.1 and found.figures[["p", "low", "effect"]].isna().all().all()
    assert not found.figures["significant"].any() and found.distances.empty and len(found.pictures)
    assert "no p" in str(found) or "none of" in str(found)


def test_averaging_over_layers_asks_less(store):
    whole = compare(store, "a", "c", over=("image", "layer"))
    assert len(whole.figures) == len(FIGURES) + 2 and (whole.figures["blocks"] == 8).all()
    assert "all layers and images" in str(whole)


def test_blocks_that_one_model_lacks_and_figures_that_some_rows_lack_are_left_out(tmp_path):
    lacking = [("b", "cat", "l1", seed) for seed in (0, 1, 2)] + [("b", "cup", "l1", 2)]
    store = make(tmp_path / "store", models=("a", "b"), layers=("l1",), without=lacking)
    found = compare(store, "a", "b", figures=["mean_r", "mean_g"])
    assert (found.figures["blocks"] == 3).all() and set(found.images["image"]) == {"cup", "dog", "jar"}
    old = store.index.table().to_pylist()
    store.forget({row["key"] for row in old})
    store.commit([row | ({"mean_g": None} if i == 0 else {}) for i, row in enumerate(old)])
    found = compare(store, "a", "b", figures=["mean_r", "mean_g"])
    assert set(found.figures["figure"]) == {"mean_r", "mean_g"}  # the row without it is of the image that b lacks
    store.commit([old[-1] | {"mean_g": None}])
    found = compare(store, "a", "b", figures=["mean_r", "mean_g"])
    assert set(found.figures["figure"]) == {"mean_r"} and "mean_g" in found.notes[-1]


def test_pictures_that_never_left_their_start_are_warned_of(tmp_path):
    store = make(tmp_path / "store", models=("a", "b"), layers=("l1",))
    rows = store.index.table().to_pylist()
    store.forget({row["key"] for row in rows})
    store.commit([row | ({"colour_uniformity": 0.97} if row["model"] == "b" and row["seed"] else {}) for row in rows])
    assert any("8 of 12 pictures of b are nearly one colour" in note for note in compare(store, "a", "b").notes)
    assert not any(
        "one colour" in note
        for note in compare(store, "a", "b", figures=["mean_r"], layers=["l1"]).notes
        if "of a" in note
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda s: compare(s, "aa", "c"), "Nearest: a"),
        (lambda s: compare(s, "a", "a"), "share the model a"),
        (lambda s: compare(s, "a", "c", layers=["l3"]), "Nearest: l2, l1"),
        (lambda s: compare(s, "a", "c", figures=["mean_red"]), "Nearest: mean_r"),
        (lambda s: distance_matrix(s, "l1", "color"), "colour, spectrum, activation"),
        (lambda s: distance_matrix(s, "l1", "activation"), "Say through="),
        (lambda s: compare(s, "a", "c", experiment="f"), "Nearest: e"),
    ],
)
def test_bad_input_names_the_place_and_the_remedy(store, call, says):
    with pytest.raises(InputError, match=re.escape(says)):
        call(store)


def test_the_command_prints_and_writes_one_page(store, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert main(["compare", store.url, "a", "c", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "layer l2:" in said and "mean_r: " in said and str(out) in said and "Unit: the seed" in said
    page = out.read_text()
    assert page.count("data:image/png;base64,") >= 12 and "http" not in page and "</html>" in page
    assert all(f">{figure}</th>" in page for figure in FIGURES) and "prefers-color-scheme: dark" in page
    assert not re.search(r"<img(?![^>]*\balt=\"[^\"]+\")", page)


def test_the_command_takes_groups_and_patterns(trained, capsys):
    assert main(["compare", trained.url, "a_[0-3]", "c_*", "--figures", "mean_r", "--layers", "l1"]) == 0
    said = capsys.readouterr().out
    assert "A = a" in said and "4 networks" in said and "Unit: the training" in said
    assert main(["compare", trained.url, "z_*", "c_*"]) == 2 and "There are: a_0" in capsys.readouterr().err


def test_the_command_says_what_is_wrong(store, once, tmp_path, capsys):
    assert main(["compare", store.url, "a", "d"]) == 2
    assert "model 'd'" in (said := capsys.readouterr().err) and "Nearest: a, b, c" in said
    assert main(["compare", str(tmp_path / "none"), "a", "b"]) == 2 and "no distcari store" in capsys.readouterr().err
    assert main(["compare", store.url, "a", "b", "--out", str(tmp_path / "no/where.html")]) == 2
    assert main(["compare", once.url, "a", "b"]) == 0 and "One seed each" in capsys.readouterr().out
    assert main(["distances", once.url]) == 2 and "has one seed" in capsys.readouterr().err
    assert main(["distances", store.url, "--metric", "spectrum"]) == 0 and "smallest_p" in capsys.readouterr().out


def test_frames_survive_parquet(store, tmp_path):
    found = compare(store, "a", "c")
    for frame in (found.figures, found.images, found.distances, found.pictures):
        frame.to_parquet(tmp_path / "f.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "f.parquet"), frame)


def test_no_torch_is_loaded():
    code = (
        "import sys, distcari.analysis, distcari.analysis.report, distcari.cli.compare; "
        "print([m for m in ('torch', 'ray') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_activation_distance_sees_through_one_network(work):
    """A real experiment with a network of a factory; its weights are found again by what the store remembers."""
    import tiny
    import torch

    from distcari.cluster.start import run_plan
    from distcari.config.experiment import Experiment
    from distcari.planning.plan import make_plan
    from distcari.render import Network
    from distcari.store import Store

    torch.save(tiny.net().state_dict(), work / "a.pt")
    models = [
        {"name": n, "factory": "tiny:net", **more}
        for n, more in (("a", {"checkpoint": "a.pt"}), ("b", {"init_seed": 5}))
    ]
    experiment = Experiment.model_validate(config(models=models, layers=["conv2"], seeds=[0, 1]))
    store = Store("store", writable=True)
    plan = make_plan(experiment, store, "c.yaml")
    run_plan(plan, store, "serial")
    found = distance_matrix(store, "conv2", "activation", through="a")
    assert found.shape == (2, 2) and (found > 0).all().all() and (found < 2).all().all()
    network = Network(tiny.net(), input_size=32)
    network.model.load_state_dict(torch.load(work / "a.pt", weights_only=True))
    given = distance_matrix(store, "conv2", "activation", through=network)
    assert np.allclose(found, given, atol=1e-4)
    assert main(["distances", "store", "--metric", "activation", "--through", "a"]) == 0
    torch.save(tiny.net(8).state_dict(), work / "a.pt")
    with pytest.raises(InputError, match="not those of the store"):
        distance_matrix(store, "conv2", "activation", through="a")
