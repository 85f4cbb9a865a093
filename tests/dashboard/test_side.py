import io

import numpy as np
import pytest
from dash import no_update
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from support.side_store import side_catalog

from distcari.dashboard.data import columns, differences
from distcari.dashboard.data.addresses import difference_url, stretched_url
from distcari.dashboard.data.histograms import histograms
from distcari.dashboard.data.pictures import shared_range
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.pictures import differences as differences_routes
from distcari.dashboard.pictures import routes
from distcari.dashboard.views.side import charts as side_charts
from distcari.dashboard.views.side import slots as side_slots
from distcari.dashboard.views.side import view as side
from distcari.figures import radial_spectrum


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return side_catalog(tmp_path_factory.mktemp("s"))


@pytest.fixture(scope="module")
def client(catalog):
    from flask import Flask

    server = Flask("test")
    routes.register(server, catalog)
    differences_routes.register(server, catalog)
    return server.test_client()


def row(catalog, **labels):
    return catalog.slot("e", labels).row


def stored(catalog, row):
    return catalog.store.picture(row["key"]).astype(np.float64)


def pixels(answer):
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.data)))


def test_the_difference_route_gives_the_pixels_of_a_direct_computation(catalog, client):
    a, b = row(catalog, model="m"), row(catalog, model="n")
    one, two = stored(catalog, a), stored(catalog, b)
    wanted = deltaE_ciede2000(rgb2lab(one), rgb2lab(two)) / 40
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in differences.stops("delta_e", "all")])
    at = np.clip(wanted, 0, 1) * (len(colours) - 1)
    expected = np.stack([np.interp(at, np.arange(len(colours)), c) for c in colours.T], -1)
    seen = pixels(client.get(difference_url(a, b, "delta_e", "all", 40)))
    assert np.abs(seen - expected).max() <= 0.51
    seen = pixels(client.get(difference_url(a, b, "absolute", "all", 0.5)))
    assert np.abs(seen - np.clip(np.abs(two - one) / 0.5, 0, 1) * 255).max() <= 0.51
    seen = pixels(client.get(difference_url(a, b, "signed", "all", 1)))
    assert np.abs(seen - ((two - one) / 2 + 0.5) * 255).max() <= 0.51
    red = pixels(client.get(difference_url(a, b, "signed", "red", 0.25)))
    more = (two - one)[..., 0] > 0.25
    assert (red[more] == (178, 24, 43)).all() and not (red[~more] == (178, 24, 43)).all(-1).any()


def test_differences_are_cached_for_ever_under_their_hash_and_black_with_themselves(catalog, client):
    a = row(catalog, model="m")
    answer = client.get(difference_url(a, a, "absolute", "all", 0.5))
    assert pixels(answer).max() == 0 and "immutable" in answer.headers["Cache-Control"]
    url = difference_url(a, a, "absolute", "all", 0.5)
    assert client.get(url, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize(
    "query",
    [
        "kind=ssim&scale=40",
        "kind=delta_e&scale=41",
        "kind=delta_e",
        "kind=delta_e&scale=nan",
        "scale=1e999",
        "kind=absolute&channel=alpha&scale=0.5",
    ],
)
def test_bad_parameters_are_refused_in_one_line(catalog, client, query):
    a = row(catalog, model="m")
    answer = client.get(f"/difference/{a['key']}/{a['key']}.png?{query}")
    assert answer.status_code == 400 and answer.text.count("\n") == 1 and "Traceback" not in answer.text


@pytest.mark.parametrize("key", ["0" * 32, "..%2f..%2fetc", "A" * 32, "x"])
def test_unknown_keys_are_not_found(catalog, client, key):
    a = row(catalog, model="m")
    assert client.get(f"/difference/{a['key']}/{key}.png?kind=delta_e&scale=40").status_code == 404
    assert client.get(f"/difference/{key}/{a['key']}.png?kind=delta_e&scale=40").status_code == 404
    assert client.get(f"/stretched/{key}.png?low=0&high=255").status_code == 404


def test_stretching_is_one_range_for_all(catalog, client):
    a, b = row(catalog, model="m"), row(catalog, model="n")
    low, high = shared_range(catalog, [a, b])
    both = np.stack([stored(catalog, a), stored(catalog, b)])
    assert abs(low / 255 - np.percentile(both, 0.5)) < 1 / 255 and abs(high / 255 - np.percentile(both, 99.5)) < 1 / 255
    for one in (a, b):
        wanted = np.clip((stored(catalog, one) - low / 255) / ((high - low) / 255), 0, 1) * 255
        assert np.abs(pixels(client.get(stretched_url(one, low, high))) - wanted).max() <= 0.51
    for query in ("low=9&high=9", "low=-1&high=9", "low=0", "low=0&high=256"):
        assert client.get(f"/stretched/{a['key']}.png?{query}").status_code == 400


def test_the_scale_that_fits_is_one_step_for_all():
    small, large = np.full((4, 4), 6, np.float32), np.full((4, 4), -33, np.float32)
    assert differences.fitting([small], "delta_e") == 10 and differences.fitting([small, large], "delta_e") == 40
    assert differences.fitting([large * 9], "delta_e") == 80 and differences.fitting([], "absolute") == 0.5
    found = differences.summary(large, 20)
    assert (found.mean, found.p95, found.above) == (33, 33, 1)


@pytest.mark.parametrize("cycles", [3, 8, 20])
def test_the_spectrum_of_a_wave_peaks_at_its_frequency(cycles):
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * cycles * np.arange(64) / 64)
    frequency, power = radial_spectrum(np.repeat(np.tile(wave, (64, 1))[..., None], 3, -1))
    assert frequency[power.argmax()] == cycles / 64 and frequency[-1] == 0.5


def test_white_noise_has_the_same_power_everywhere_whatever_its_size():
    for n in (64, 128):
        _, power = radial_spectrum(np.repeat(np.random.default_rng(1).random((n, n, 1)), 3, -1))
        assert np.median(power) == pytest.approx(1 / 12, rel=0.15)


def test_histograms_count_every_pixel_where_it_lies():
    picture = np.zeros((8, 8, 3))
    picture[:2, :, 0] = 1
    (red, centres, share), (_, _, green), _ = histograms(picture, "rgb")
    assert red == "R" and share[-1] == 25 and share[0] == 75 and green[0] == 100 and len(centres) == len(share)
    for name, centres, share in histograms(np.ones((4, 4, 3)), "lab"):
        assert share.sum() == pytest.approx(100)
        assert centres[share.argmax()] == pytest.approx(100 if name == "L*" else 0, abs=3)


def follow(catalog, search, **choice):
    answer = side.chosen(catalog, search, **choice)
    return None if answer is no_update else parse(answer)


def test_without_slots_two_models_stand_side_by_side_and_the_open_cell_comes_first(catalog):
    a, b = side_slots.filled(catalog, parse("?view=side"))
    assert a == {"experiment": "e", "model": "m", "image": "cat", "layer": "x", "seed": "0"}
    assert b == {**a, "model": "n"}
    c = side_slots.beside(catalog, [a, b])
    assert c == {**a, "model": "o"} and side_slots.beside(catalog, [a, b, c]) == {**c, "image": "cup"}
    key = row(catalog, model="n", layer="y", seed="1")["key"]
    assert side_slots.filled(catalog, State("side", cell=key))[0] == {**a, "model": "n", "layer": "y", "seed": "1"}


def test_a_choice_in_a_slot_changes_that_slot_in_the_url(catalog):
    state = follow(catalog, "?view=side&side.mode=swipe", at=1, axis="layer", label="y")
    assert state.slots[1]["layer"] == "y" and state.slots[0]["layer"] == "x" and state.own("mode") == "swipe"
    assert follow(catalog, state.search(), at=1, axis="layer", label="y") is None
    assert follow(catalog, "?view=compare", at=1, axis="layer", label="y") is None
    assert follow(catalog, "?view=side", at=3, axis="layer", label="y") is None


def test_linked_slots_move_together(catalog):
    state = follow(catalog, "?view=side&side.link=1", at=0, axis="image", label="cup")
    assert [slot["image"] for slot in state.slots] == ["cup", "cup"]
    assert [slot["model"] for slot in state.slots] == ["m", "n"]
    on = side_slots.stepped(catalog, state.slots, True, 0, "layer", 1)
    assert [slot["layer"] for slot in on] == ["y", "y"]
    assert side_slots.stepped(catalog, on, True, 0, "layer", 1) is None


def text(component):
    found = [component] if isinstance(component, str) else []
    children = getattr(component, "children", component if isinstance(component, list | tuple) else None)
    for child in children if isinstance(children, list | tuple) else [children] if children is not None else []:
        found += text(child)
    return found


def test_what_is_not_there_says_why(catalog):
    search = "?view=side&a.model=m&b.model=o&c.model=o&c.layer=y&d.model=zzz&side.mode="
    said = " ".join(text(side.layout(catalog, parse(search + "side"))))
    assert "RuntimeError: no memory" in said and "No run is at work on it" in said and "e has no model zzz." in said
    said = " ".join(text(side.layout(catalog, parse(search + "difference"))))
    assert "B has no picture: failed." in said and "C has no picture: pending." in said
    for mode in side_slots.MODES:
        side.layout(catalog, parse(f"?view=side&a.model=zzz&b.experiment=nope&side.mode={mode}&side.norm=shared"))


def test_unknown_options_fall_back_and_the_scale_is_said(catalog):
    known = side_slots.options(parse("?view=side"), 2)
    names = ("mode", "kind", "channel", "scale", "norm", "background", "left")
    odd = "&".join(f"side.{name}=%3Cb%3E" for name in names)
    assert side_slots.options(parse(f"?view=side&{odd}&side.right=d"), 2) == known
    said = text(side.draw(catalog, parse("?view=side&side.mode=difference"))["said"])
    assert "0" in said and "40" in said and any("0 – 80 ΔE, same scale for all" in line for line in said), "it fits"
    said = text(side.draw(catalog, parse("?view=side&side.mode=difference&side.scale=20"))["said"])
    assert any("0 – 20 ΔE, same scale for all" in line for line in said)
    said = " ".join(text(side.draw(catalog, parse("?view=side&side.norm=shared"))["said"]))
    assert "one range for all, 1 – 254 of 255" in said


def test_pictures_are_stretched_over_the_same_range_in_every_slot(catalog):
    stage = side.draw(catalog, parse("?view=side&side.norm=shared"))["stage"]
    sources = [part.src for part in stage._traverse() if getattr(part, "className", "") == "picture"]
    ranges = {source.partition("?")[2].rpartition("&v=")[0] for source in sources if "/stretched/" in source}
    assert len(ranges) == 1 and sum("/stretched/" in source for source in sources) == 2


def test_the_table_says_how_far_each_slot_is_from_the_first(catalog):
    a, b = row(catalog, model="m"), row(catalog, model="n")
    mean = deltaE_ciede2000(rgb2lab(stored(catalog, a)), rgb2lab(stored(catalog, b))).mean()
    said = text(side.draw(catalog, parse("?view=side"))["figures"])
    assert f"{mean:.1f}" in said and "-1 … 1" in said
    assert columns.signed(0.25).startswith("+0.25") and columns.signed(-3.0).startswith("−3")
    assert columns.signed(float("nan")) == "—"


def test_charts_hold_a_line_for_each_finished_slot_in_its_colour(catalog):
    found = side_slots.cells(catalog, side_slots.filled(catalog, parse("?view=side&a.model=m&b.model=o&c.model=n")))
    colours = [side_slots.COLOURS["a"], side_slots.COLOURS["c"]]
    assert [line.line.color for line in side_charts.gain(catalog, found).data] == colours
    assert list(side_charts.gain(catalog, found).data[0].x) == [1, 2, 3, 4]
    assert [line.line.color for line in side_charts.spectra(catalog, found).data[1:]] == colours
    assert len(side_charts.colours(catalog, found, "lab").data) == 3 * 3
