"""Natural exemplars: real networks rank a real folder by the index's own cosine; bad input is said before any work."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from support.commands import run
from support.serial import compute
from support.shared import config

from distcari.analysis import compare, report
from distcari.analysis.activations import network_of, spec_of
from distcari.analysis.exemplars import find_exemplars
from distcari.analysis.study import open_study
from distcari.errors import InputError
from distcari.render.augment import see
from distcari.render.metric import measured
from distcari.render.objective import flat, gain_and_cosine
from distcari.settings import RenderSettings
from distcari.sources.folder import boxes
from distcari.sources.images import prepare
from distcari.store import open_store
from distcari.store.exemplars import thumbnail


@pytest.fixture
def grid(work):
    """A store of two small networks, and a folder with five pictures, the two inputs and three broken files."""
    compute(
        work, config(layers=["conv1", "conv2"], render={"size": 32, "steps": 1, "metric": ["plain", "standardised"]})
    )
    rng, folder = np.random.default_rng(1), work / "natural"
    (folder / "below").mkdir(parents=True)
    for i in range(5):
        coarse = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((90, 60), Image.Resampling.BICUBIC).save(folder / f"below/n{i}.png")
    for name in ("one", "two"):
        Image.open(work / f"photos/{name}.png").save(folder / f"{name}.webp", lossless=True)
    (folder / "text.png").write_text("no picture")
    (folder / "empty.jpg").touch()
    (folder / "README.md").write_text("not even called one")
    return work


def by_hand(study, model, layer, image, metric, file):
    """The cosine of a file's central square with the direction of an input, as distcari.render measures it."""
    network = network_of(spec_of(study, model))
    forward = measured(network, layer, "float32", RenderSettings().with_(metric=metric))
    natural = prepare(Image.open(file), study.arrays.input(image).shape[0])
    seen = [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (natural, study.arrays.input(image))]
    with torch.no_grad():
        z, target = (flat(forward(see(picture, None, network.input_size))) for picture in seen)
    return float(gain_and_cosine(z, target)[1])


def test_pictures_are_ranked_by_the_cosine_that_the_index_has_and_the_input_is_no_exemplar_of_itself(grid):
    said = []
    found = find_exemplars("store", "natural", top=4, progress=lambda *now: said.append(now))
    rows = open_store("store").exemplars()
    places = ["model", "layer", "image", "metric"]
    assert len(rows) == len(found.rows) == 2 * 2 * 2 * 2 * 4 and not rows.duplicated([*places, "rank"]).any()
    assert said[-1][1] == said[-1][2] and [now[1] for now in said] == sorted(now[1] for now in said)
    assert len(found.left_out) == 2 and any(line.startswith("text.png: ") for line in found.left_out)
    study = open_study("store")
    for place, part in rows.groupby(places):
        part = part.sort_values("rank")
        assert part["cosine"].is_monotonic_decreasing and part["rank"].tolist() == [1, 2, 3, 4]
        assert (part["files"] == 6).all() and (part["median"] <= part["cosine"].max()).all()
        assert f"{place[2]}.webp" not in set(part["file"]) and (part["file"].str.startswith("below/n")).sum() >= 3
        worst = part.iloc[-1]
        assert worst["cosine"] == pytest.approx(by_hand(study, *place, grid / "natural" / worst["file"]), abs=1e-4)
        assert tuple(worst[["left", "top", "side"]]) in ((15, 0, 60), (4, 0, 40))


def test_crops_find_what_lies_in_a_part_of_a_picture_and_the_thumbnail_shows_it(grid):
    one = Image.open("photos/one.png").crop((4, 0, 44, 40)).resize((64, 64), Image.Resampling.LANCZOS)
    big = Image.new("RGB", (128, 128), (120, 130, 140))
    big.paste(one, (64, 32))
    big.save("natural/below/big.png")
    find_exemplars("store", "natural", crops=True, only={"model": ["a"], "image": ["one"]})
    rows = open_store("store").exemplars("small", image="one", layer="conv1", metric="plain")
    best = rows[rows["rank"] == 1].iloc[0]
    assert (best["file"], best["left"], best["top"], best["side"]) == ("below/big.png", 64, 32, 64)
    assert best["cosine"] > 0.95 and set(rows["model"]) == {"a"}
    small = Image.open(io.BytesIO(thumbnail(open_store("store").files, best["thumbnail"])))
    away = np.abs(np.asarray(small.convert("RGB").resize((64, 64)), float) - np.asarray(one)).mean()
    assert small.format == "WEBP" and small.size == (160, 160) and away < 20
    with pytest.raises(KeyError):
        thumbnail(open_store("store").files, "../" + best["thumbnail"])


def test_by_channels_it_does_not_matter_where_something_is(grid):
    turned = Image.open("photos/one.png").crop((4, 0, 44, 40)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned.resize((32, 32), Image.Resampling.LANCZOS).save("natural/turned.png")
    cosine = {}
    for by in ("places", "channels"):
        find_exemplars("store", "natural", by=by, only={"layer": ["conv1"], "image": ["one"]})
        rows = open_store("store").exemplars(metric="standardised", model="a")
        cosine[by] = rows[rows["file"] == "turned.png"]["cosine"].max()
        assert set(rows["by"]) == {by} and len(rows) == 6
    assert cosine["channels"] > 0.9 > cosine["places"]


def test_again_puts_new_rows_in_the_place_of_old_ones_and_leaves_the_others(grid):
    find_exemplars("store", "natural", top=3)
    (grid / "other").mkdir()
    Image.open("natural/below/n0.png").save("other/lone.png")
    find_exemplars("store", "other", only={"model": ["b"], "layer": ["conv2"]})
    rows = open_store("store").exemplars()
    anew = (rows["model"] == "b") & (rows["layer"] == "conv2")
    assert set(rows["file"][anew]) == {"lone.png"} and (rows["files"][anew] == 1).all() and anew.sum() == 4
    with pytest.raises(InputError, match="no such column"):
        open_store("store").exemplars(colour="red")
    with pytest.raises(KeyError, match="no experiment 'other'"):
        open_store("store").exemplars("other")
    assert len(rows[~anew]) == 3 * 4 * 3 and "lone.png" not in set(rows["file"][~anew])


def test_the_report_has_them_below_its_pictures(grid):
    study = open_study("store")
    with pytest.warns(UserWarning, match="One seed each"):
        found = compare(study, "a", "b", figures=["mean_r"])
    assert "Exemplar" not in report.html(found, study)
    find_exemplars(study, "natural")
    page = report.html(found, study)
    assert page.count('alt="Exemplar 1: ') == len(found.pictures) and "natural exemplars, real pictures" in page


def test_the_command_says_what_it_found_and_refuses_before_any_work(grid, monkeypatch):
    code, said = run("exemplars", "store", "--from", "natural", "--only", "model=a", "--top", "2")
    assert code == 0 and "conv2" in said and "left out: text.png" in said
    assert "16 exemplars of 6 pictures in store/exemplars/small.parquet" in said
    (grid / "nothing").mkdir()
    (grid / "broken").mkdir()
    (grid / "broken/a.png").write_text("no picture")
    monkeypatch.setattr("distcari.analysis.exemplars.network_of", None)  # whoever begins to work fails
    for arguments, problem in [
        (["--from", "nowhere"], "no folder at"),
        (["--from", "nothing"], "no pictures in"),
        (["--from", "broken"], "none of the 1 pictures can be read"),
        (["--from", "natural", "--only", "layer=conv3"], "Nearest: conv"),
        (["--from", "natural", "--only", "colour=red"], "no such axis"),
        (["--from", "natural", "--top", "0"], "greater than or equal to 1"),
        (["--from", "natural", "--by", "eye"], "places"),
    ]:
        code, said = run("exemplars", "store", *arguments)
        assert code == 2 and problem in said and "Traceback" not in said, said


def test_a_model_whose_weights_are_gone_is_said_before_any_is_ranked(work):
    state = __import__("tiny").net().state_dict()
    torch.save(state, "w.pt")
    models = [{"name": "a", "factory": "tiny:net"}, {"name": "gone", "factory": "tiny:net", "checkpoint": "w.pt"}]
    compute(work, config(models=models, layers=["conv2"]))
    (work / "w.pt").unlink()
    with pytest.raises(InputError, match="model gone of small: its weights cannot be found"):
        find_exemplars("store", "photos")
    assert open_store("store").exemplars().empty


def test_a_folder_of_nothing_but_the_input_is_said(work):
    compute(work, config(images=["photos/one.png"], layers=["conv2"], models=config()["models"][:1]))
    (work / "photos/two.png").unlink()
    with pytest.raises(InputError, match="shows nothing but the inputs themselves"):
        find_exemplars("store", "photos")


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (64, 64), (1, 5)])
def test_squares_lie_within_the_picture_and_the_first_is_the_central_one(size):
    found = boxes(*size, True)
    assert found[0][2] == min(size) and len(found) == (10 if min(size) > 1 else 1)
    for left, top, side in found:
        assert side > 0 and left >= 0 and top >= 0 and left + side <= size[0] and top + side <= size[1]
    assert boxes(*size, False) == found[:1]
