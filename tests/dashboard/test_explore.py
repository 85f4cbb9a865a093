from collections import Counter

import numpy as np
import pandas as pd
import pytest
from support.dashboard_store import fail, finish, grid, prepare
from support.pages import follow, walk

from distcari.dashboard.app import create_app
from distcari.dashboard.data import grouping
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import Distances, evenly
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.views.explore import matrix as matrix_view
from distcari.dashboard.views.explore import plots as explore_plots
from distcari.dashboard.views.explore import state as explore_state
from distcari.dashboard.views.explore import strip as explore_strip
from distcari.dashboard.views.explore import view as explore


@pytest.fixture
def wide(store):
    """Three models, each cell done but one, which failed."""
    g = grid(models=("m", "n", "o"), layers=("x", "y"), seeds=(0,))
    arrays = prepare(store, g)
    cells = list(g.cells())
    finish(store, arrays, g, cells[:-1])
    fail(store, g, cells[-1])
    return store


def drawn(catalog, search, scheme="light", before=None):
    return explore.draw(catalog, Distances(catalog), parse("?view=explore&exp=e&" + search), scheme, before)


def test_a_state_fills_in_and_nonsense_falls_back(wide):
    catalog = Catalog(wide)
    for search in ("", "explore.kind=nope&explore.x=nope&explore.y=nope&explore.by=key&explore.in_model=nope"):
        shown = explore_state.resolve(catalog, parse("?view=explore&exp=e&" + search))
        assert (shown.kind, shown.x, shown.by, shown.held) == ("violin", "model", "", {})
    shown = explore_state.resolve(catalog, parse("?view=explore&exp=e&explore.y=gain,cosine,gain&explore.in_model=m"))
    assert shown.y == ("gain", "cosine") and shown.held == {"model": "m"}


def test_groups_count_cells_and_failures(wide):
    catalog = Catalog(wide)
    frame = grouping.cells(catalog, ["e"], {}, ["gain"])
    groups = grouping.group(catalog, ["e"], frame, "model")
    found = grouping.summaries(frame["gain"].to_numpy(float), groups.codes, frame["failed"].to_numpy(bool), 3)
    assert groups.labels == ("m", "n", "o")
    assert [(s.n, s.failed) for s in found] == [(4, 0), (4, 0), (3, 1)] and found[0].mean == 1.5
    said = str(drawn(catalog, "explore.y=gain&explore.x=model"))
    assert "11 finished cells" in said and "1 failed" in said


def test_a_figure_groups_by_ranges():
    groups = grouping._ranges(np.r_[np.linspace(0, 1, 100), np.nan])
    assert len(groups.labels) == grouping.BINS and groups.codes[0] == 0 and groups.codes[99] == 7
    assert groups.codes[100] == -1 and grouping._ranges(np.array([np.nan])).labels == ()


def test_depths_have_the_names_of_their_layers(wide):
    frame = pd.DataFrame({"layer": ["x", "y", "y", "z"], "layer_depth": [0.1, 0.5, 0.5, 0.5]})
    groups = grouping.group(Catalog(wide), ["e"], frame, "layer_depth")
    assert groups.labels == ("x (0.1)", "0.5"), "two layers at one depth keep the number"
    groups = grouping.group(Catalog(wide), ["e"], frame[:3], "layer_depth")
    assert groups.labels == ("x (0.1)", "y (0.5)") and list(groups.codes) == [0, 1, 1]


def test_every_kind_of_plot_draws_and_knows_its_cells(wide):
    catalog = Catalog(wide)
    for kind in explore_state.KINDS:
        for x in ("model", "gain"):
            figure = drawn(catalog, f"explore.kind={kind}&explore.y=gain&explore.x={x}")[3]
            assert figure.data, (kind, x)
    figure = drawn(catalog, "explore.kind=violin&explore.y=gain&explore.x=model")[3]
    keys = {point[0] for trace in figure.data for point in trace.customdata}
    assert keys == {key[: explore_plots.KEY] for key in catalog.frame()["key"]}
    figure = drawn(catalog, "explore.kind=heat&explore.y=gain&explore.x=model&explore.by=layer")[3]
    assert np.asarray(figure.data[0].z).shape == (2, 3) and figure.data[0].z[0][0] == 1.0  # gains 0 and 2 of cat, dog


def test_questions_are_recognised_and_large_groups_are_bounded(wide):
    for name in ("colour", "cosine", "matrix"):
        state = explore_state.asking(State("explore", experiments=("e",)), name)
        assert parse(state.search()) == state
    assert len(explore_plots.spread(np.arange(10_000.0), 300)) == 300
    assert list(grouping.spread(np.array([3.0, np.nan, 1.0, 2.0]), 2)) == [2, 0]


def test_selecting_points_shows_their_pictures(wide):
    catalog = Catalog(wide)
    state = parse("?view=explore&exp=e&explore.kind=scatter&explore.x=cosine&explore.y=gain")
    keys = list(catalog.frame()["key"])
    points = [{"customdata": [key[:12]], "y": i} for i, key in enumerate(keys)]
    told = parse(explore.choose(catalog, state, 0, {"points": points[:3]}))
    assert told.own("sel").split(".") == [key[:12] for key in keys[:3]]
    strip = drawn(catalog, told.search().removeprefix("?"))[-2]
    assert [key for key in keys if key in str(strip)] == keys[:3] and "3 pictures" in str(strip)
    many = [{"customdata": [f"{i:012x}"], "y": i} for i in range(500)]
    told = explore_strip.picked(state, many, "scatter", "gain")
    assert len(told.own("sel").split(".")) == explore_strip.MOST and told.own("of") == "500"


def test_violins_and_fields_open_their_pictures(wide):
    catalog = Catalog(wide)
    state = parse("?view=explore&exp=e&explore.kind=violin&explore.x=model&explore.y=gain")
    told = parse(explore.choose(catalog, state, 0, {"points": [{"customdata": ["0" * 12, "n", grouping.ALL]}]}))
    assert told.own("group") == "n" and "4 pictures" in str(drawn(catalog, told.search()[1:])[-2])
    state = parse("?view=explore&exp=e&explore.kind=heat&explore.x=model&explore.by=layer&explore.y=gain")
    told = parse(explore.choose(catalog, state, 0, {"points": [{"x": "o", "y": "y"}]}))
    said = str(drawn(catalog, told.search()[1:])[-2])
    assert "1 picture" in said and "1 failed" in said


def test_distances_lead_into_side_by_side(wide):
    catalog = Catalog(wide)
    matrix = Distances(catalog).matrix(["e"], {"layer": "x"})
    assert matrix.mean.shape == (3, 3) and np.allclose(matrix.mean, matrix.mean.T) and not matrix.mean.diagonal().any()
    assert (matrix.mean[np.triu_indices(3, 1)] > 5).all() and set(matrix.ordered().models) == {"m", "n", "o"}
    state = parse("?view=explore&exp=e&explore.kind=matrix&explore.in_layer=x")
    told = parse(explore.choose(catalog, state, 0, {"points": [{"x": "o", "y": "m"}]}))
    strip = drawn(catalog, told.search()[1:])[-2]
    links = [parse(part.href) for child in strip for part in walk(child) if "view=side" in getattr(part, "href", "")]
    assert [[slot["model"] for slot in link.slots] for link in links] == [["m", "o"]] * 2
    assert {link.slots[0]["image"] for link in links} == {"cat", "dog"}


def test_distances_are_bounded_and_kept(wide, monkeypatch):
    from distcari.dashboard.data import distances

    catalog = Catalog(wide)
    kept = Distances(catalog)
    assert kept.matrix(["e"], {}) is kept.matrix(["e"], {})
    monkeypatch.setattr(distances, "MOST", 3)
    growing = Distances(catalog)
    matrix = growing.matrix(["e"], {})
    assert len(matrix.places) == 1 < matrix.total == 4
    for thread in list(growing.growing.values()):
        thread.join(60)
    assert len(growing.matrix(["e"], {}).places) == 4 and not growing.is_growing(["e"], {}), "all, a while later"
    said = matrix_view.summary(matrix, growing.noise(["e"]))
    assert "1 of 4 pictures" in said and ("One seed only" in said or "Two seeds of one model differ by" in said)
    z = np.array(matrix_view.plot(matrix, None).data[0].z)
    assert np.isnan(z.diagonal()).all() and np.isfinite(z[np.triu_indices(3, 1)]).all()


def test_the_callback_leaves_an_unchanged_plot_alone(wide):
    from dash import no_update

    app = create_app(wide)
    first = follow(app, "explore-drawn", "?view=explore&exp=e&explore.y=gain", 1, "light", None, None)
    picked = "?view=explore&exp=e&explore.y=gain&explore.group=m"
    again = follow(app, "explore-drawn", picked, 1, "light", None, first[-1])
    assert again[3] is no_update and "B('All cells')" in str(first[-2]) and "B('m')" in str(again[-2])


def test_a_sample_of_places_is_even():
    places = [(image, layer, seed) for image in "abcdefg" for layer in "wxyz" for seed in "01"]
    taken = [places[i] for i in evenly(places, 14)]
    assert len(set(taken)) == 14 and evenly(places, 99) == list(range(56))
    for axis, (low, high) in enumerate(((2, 2), (3, 4), (7, 7))):
        counts = Counter(place[axis] for place in taken)
        assert set(counts.values()) <= {low, high} and len(counts) == (7, 4, 2)[axis]


def test_against_a_reference_each_cell_meets_the_references_at_the_same_place(wide):
    catalog = Catalog(wide)
    frame = grouping.cells(catalog, ("e",), {}, ["gain", "layer"])
    found = grouping.against(frame, "n", ["gain"])
    at = {(r["model"], r["image"], r["layer"]): r["gain"] for r in frame.to_dict("records")}
    assert set(found["model"]) == {"m", "o"} and len(found) == 8 and list(found) == list(frame)
    for row in found[~found["failed"]].to_dict("records"):
        place = row["image"], row["layer"]
        assert row["gain"] == at[(row["model"], *place)] - at[("n", *place)]
    lone = grouping.against(frame, "o", ["gain"])
    assert len(lone) == 6, "without a counterpart there is no difference"


def test_a_reference_is_said_and_its_heat_map_parts_at_zero(wide):
    catalog = Catalog(wide)
    heat = "explore.kind=heat&explore.x=layer&explore.by=model&explore.y=gain"
    tools, said, plot = drawn(catalog, heat + "&explore.ref=n")[1:4]
    assert "less those of" in str(tools) and "Differences to n at the same image" in "".join(map(str, said))
    assert plot.data[0].zmid == 0 and "n" not in plot.data[0].y
    for nonsense in ("&explore.ref=nope", "&explore.ref=n&explore.in_model=m"):
        assert "Differences" not in "".join(map(str, drawn(catalog, heat + nonsense)[2]))
    asked = explore_state.resolve(catalog, explore_state.asking(parse("?view=explore&exp=e"), "layers"))
    assert (asked.kind, asked.x, asked.by) == ("heat", "layer", "model")
