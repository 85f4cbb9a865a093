"""The overview: distances layer by layer against the noise of seeds, the map, the tree, tags as colours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.analysis_store import make
from support.pages import walk

from distcari.dashboard.app import create_app
from distcari.dashboard.data import overview
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import Distances
from distcari.dashboard.data.labels import short, unlike
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.views.overview import plots, view
from distcari.store.models import update_models

TAGS = [{"red": "no", "discs": 0}, {"red": "no"}, {"red": "yes", "discs": 8}]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """a and b alike, c redder with discs at l2 only; two seeds; tags."""
    store = make(tmp_path_factory.mktemp("o") / "s", images=("cat", "cup"), seeds=(0, 1))
    rows = [{"experiment": "e", "model": m, **t} for m, t in zip("abc", TAGS, strict=True)]
    update_models(store.files, rows, {"red": ["no", "yes"]})
    return store


@pytest.fixture
def seen(store):
    catalog = Catalog(store)
    distances = Distances(catalog)
    return catalog, distances, distances.matrix(("e",), {})


def test_layers_are_kept_apart_and_held_against_seeds(seen):
    catalog, distances, matrix = seen
    one, two = overview.summaries(catalog, distances, ("e",), matrix)
    assert (one.layer, two.layer) == ("l1", "l2") and "c" in two.pair
    assert two.farthest > one.farthest > 0 and two.between > one.between
    assert 0 < one.noise < one.farthest and np.isnan(one.hardly)
    by_layer = overview.layers_of(matrix)
    assert by_layer["l1"][0, 1] / one.noise == pytest.approx(1, abs=0.3), "a and b differ no more than seeds do"
    first = overview.pairs(matrix)[0]
    assert {first.a, first.b} & {"c"} and first.layer == "l2" and first.there == pytest.approx(two.farthest)


def test_one_seed_is_said(tmp_path):
    store = make(tmp_path / "s", images=("cat",), seeds=(0,))
    catalog = Catalog(store)
    distances = Distances(catalog)
    assert distances.noise(("e",)) == {}
    drawn = view.draw(catalog, distances, State("overview"), distances.matrix(("e",), {}), "light")
    texts = [c.children for part in drawn[4] for c in walk(part) if isinstance(getattr(c, "children", None), str)]
    assert any("One seed only" in text for text in texts)


@given(arrays(float, st.tuples(st.integers(2, 7), st.just(2)), elements=st.floats(-50, 50, width=32)))
def test_the_map_of_points_in_a_plane_keeps_every_distance(points):
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    flat, kept = overview.scaled(distance)
    assert np.linalg.norm(flat[:, None] - flat[None], axis=-1) == pytest.approx(distance, abs=1e-4)
    assert kept == pytest.approx(1)


def test_unknown_distances_draw_no_tree_and_break_no_map():
    distance = np.array([[0, np.nan, 2], [np.nan, 0, 1], [2, 1, 0.0]])
    flat, _ = overview.scaled(distance)
    assert np.isfinite(flat).all() and len(plots.tree_matrix(["a", "b", "c"], distance, None).data) == 1
    assert np.isfinite(overview.scaled(np.full((2, 2), np.nan))[0]).all()


def test_fields_name_their_pair_whatever_the_order_and_the_diagonal_stretches_no_scale(seen):
    matrix = seen[2]
    trace = plots.tree_matrix(matrix.models, matrix.mean, "light").data[0]
    at = {tuple(trace.customdata[i][j]): trace.z[i][j] for i in range(3) for j in range(3)}
    assert at["a", "c"] == pytest.approx(matrix.mean[0, 2]) == at["c", "a"] and np.isnan(at["b", "b"])


def test_names_lose_what_they_share_and_stay_apart():
    assert unlike(["net_one_1", "net_one_2"]) == ["1", "2"]
    assert unlike(["lite0", "lite1"]) == ["lite0", "lite1"] and unlike(["a"]) == ["a"]
    assert unlike(["a_", "a_b"]) == ["a_", "b"]


def test_tags_colour_the_map_and_group_in_explore_in_their_order(store):
    catalog = Catalog(store)
    assert catalog.tags(("e",)) == {"discs": "number", "red": "ordered"}
    assert catalog.tagged(("e",), "red") == {"no": ["a", "b"], "yes": ["c"]}
    assert catalog.tagged(("e",), "discs") == {"0": ["a"], "8": ["c"], "—": ["b"]}
    from distcari.dashboard.data import grouping

    frame = grouping.cells(catalog, ("e",), {}, ["gain", "red", "discs"])
    groups = grouping.group(catalog, ("e",), frame, "red")
    assert groups.labels == ("no", "yes") and "red" in grouping.columns(catalog, ("e",))[0]
    assert [groups.labels[c] for c in groups.codes] == ["yes" if m == "c" else "no" for m in frame["model"]]
    assert grouping.group(catalog, ("e",), frame, "discs").labels == ("0", "8")


def test_new_tags_reach_a_page_that_is_open(store):
    now = [0.0]
    catalog = Catalog(store, clock=lambda: now[0])
    version = catalog.version()
    update_models(store.files, [{"experiment": "e", "model": "b", "later": 1}])
    now[0] += 60
    assert catalog.version() > version and "later" in catalog.tags(("e",)) and "later" in catalog.frame()
    update_models(store.files, [{"experiment": "e", "model": "b", "later": None}])


def test_clicks_lead_to_the_pair_and_to_the_model(store):
    app = create_app(store)
    search = State("overview").with_extra(layer="l2").search()
    pair, model = (
        next(c for c in app.callback_map.values() if any(i["id"] == f"overview-{name}" for i in c["inputs"]))[
            "callback"
        ]
        for name in ("tree", "map")
    )
    found = parse(pair.__wrapped__({"points": [{"customdata": ["a", "c"]}]}, search))
    assert (found.view, found.own("pair"), found.own("pair_b"), found.own("in_layer")) == ("explore", "a", "c", "l2")
    assert parse(model.__wrapped__({"points": [{"customdata": ["b"]}]}, search)).at == {"model": "b"}


def test_compare_groups_and_keeps_models_by_tag_and_sorts_within_groups(store):
    from distcari.dashboard.data.window import resolve, window
    from distcari.dashboard.views import compare

    catalog = Catalog(store)

    def rows(search):
        state = parse(f"?view=compare&exp=e&{search}")
        return window(catalog, state, resolve(catalog, state)).grid.rows

    assert rows("") == ("a", "b", "c")
    assert rows("compare.by=discs") == ("a", "c", "b"), "in the tag's order, models without it last"
    assert rows("compare.only=red%3Dno") == ("a", "b") and rows("compare.only=red%3Dyes&compare.by=discs") == ("c",)
    for nonsense in ("compare.only=red%3Dblue", "compare.only=red", "compare.by=nope", "compare.only=%3D"):
        assert rows(nonsense) == ("a", "b", "c")
    by_figure = rows("sort_rows=-colourfulness")
    assert rows("sort_rows=-colourfulness&compare.by=red") == (*(m for m in by_figure if m != "c"), "c")
    state = parse("?view=compare&exp=e&rows=layer&cols=model&compare.by=discs&compare.tiles=small")
    tools, body = compare.draw(catalog, state)
    assert "red=yes" in str(tools) and "compact" in str(body[0]) and "group-start" in str(body[0])


@given(st.text("abc_", max_size=60), st.integers(5, 40))
def test_a_short_name_keeps_its_ends_and_its_length(name, most):
    found = short(name, most)
    assert len(found) <= most and (found == name) == (len(name) <= most)
    if "…" in found:
        head, tail = found.split("…")
        assert name.startswith(head) and name.endswith(tail) and len(tail) >= len(head)
