"""A swept setting, and the cells of differences, in every view: an axis, and a model, like any other."""

import io

import pytest
from PIL import Image
from support.dashboard_store import finish, grid, note, prepare
from support.pages import follow

from distcari.dashboard.app import create_app
from distcari.dashboard.data import grouping
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import Distances
from distcari.dashboard.data.note_exports import view_title
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.views import cell, compare, table
from distcari.dashboard.views.explore import view as explore
from distcari.dashboard.views.run import view as run
from distcari.dashboard.views.side import slots as side_slots
from distcari.grid import Axis, Grid

PAIR = "m − n"


@pytest.fixture
def store(store):
    """Experiment e, three powers: all done but one that fails and one at work; f, older, without any."""
    g = swept(grid(models=("m", "n", PAIR), images=("cat",), layers=("x", "y"), seeds=(0,)), (0.0, 2.0, 0.5))
    arrays = prepare(store, g, cossim_pow=None)
    cells = {one.labels: one for one in g.cells()}
    bad, busy = cells["m", "cat", "y", 0, 0.5], cells["n", "cat", "y", 0, 2.0]
    done = [one for one in cells.values() if one not in (bad, busy)]
    finish(store, arrays, g, done)
    row = dict(zip(arrays.axes, bad.labels, strict=True))
    store.failed.append([{"key": bad.key, "experiment": "e", **row, "error": "ValueError: NaN", "attempt": 3}])
    note(store, "e", running=[busy], total=18, done=16, failed=1, models={"m": {"total": 6, "done": 5, "failed": 1}})
    f = grid("f", models=("m",), images=("cat",), layers=("x",), seeds=(0,))
    finish(store, prepare(store, f), f, f.cells(), first=50)
    return store


def swept(g, values):
    return Grid(g.experiment, g.settings_hash, (*g.axes, Axis("cossim_pow", {v: f"{v}" for v in values})))


@pytest.fixture
def catalog(store):
    return Catalog(store, every=0)


def test_it_is_an_axis_with_labels_as_people_write_them(catalog):
    assert catalog.axes(["e"]) == ["model", "image", "layer", "seed", "cossim_pow"]
    assert catalog.labels(["e"], "cossim_pow") == ["0", "0.5", "2"] and catalog.labels(["f"], "cossim_pow") == ["1"]
    assert catalog.labels(["e", "f"], "cossim_pow") == ["0", "0.5", "1", "2"]
    slot = catalog.slot("e", {"model": PAIR, "layer": "y", "cossim_pow": "2"})
    assert slot.status == "done" and slot.row["cossim_pow"] == 2.0
    assert catalog.status("e", {"layer": "y", "cossim_pow": "0.5"}) == (
        "failed",
        "ValueError: NaN (tried 3 times; again: --retry-failed)",
    )
    assert catalog.status("e", {"model": "n", "layer": "y", "cossim_pow": "2"})[0] == "running"
    assert catalog.status("e", {"cossim_pow": "7"}) == ("not planned", "e has no cossim_pow 7.")


def test_compare_lays_it_on_columns_or_holds_it(catalog):
    state = parse("?exp=e&rows=model&cols=cossim_pow&at.layer=y")
    shown = compare.resolve(catalog, state)
    seen = compare.window(catalog, state, shown)
    grid_, counts = seen.grid, seen.counts
    assert grid_.cols == ("0", "0.5", "2") and grid_.rows == ("m", "n", PAIR)
    assert counts == {"done": 7, "failed": 1, "running": 1}
    held = compare.resolve(catalog, parse("?exp=e&at.cossim_pow=0.5"))
    assert (held.rows, held.cols, held.at["cossim_pow"]) == ("model", "layer", "0.5")
    said = str(compare.draw(catalog, parse("?exp=e&at.cossim_pow=0.5")))
    assert "at:cossim_pow" in said and "at.cossim_pow=2" in said and "data-key" in said
    both = compare.window(
        catalog, s := parse("?exp=e&exp=f&rows=experiment&cols=cossim_pow"), compare.resolve(catalog, s)
    ).grid
    assert [slot.status for slot in both.slots[1]] == ["not planned", "not planned", "done", "not planned"]


def test_the_figures_of_a_difference_are_offered_where_there_is_one(store, catalog):
    assert "gain_in_b" not in catalog.figures(["e"]) and "gain in b" not in str(compare.draw(catalog, parse("?exp=e")))
    key = catalog.slot("e", {"model": PAIR}).key
    row = store.row(key) | {"gain_in_b": 0.125, "cosine_in_b": 0.25, "contrast": 2.0}
    store.forget([key])
    store.commit([row])
    catalog = Catalog(store, every=0)
    assert "gain_in_b" in catalog.figures(["e"]) and "gain_in_b" not in catalog.figures(["f"])
    drawn = str(compare.draw(catalog, parse("?exp=e")))
    assert "gain in b=0.125" in drawn and drawn.count("gain in b=") == 1
    said = str(cell.draw(catalog, State("cell", cell=key)))
    assert "gain in b" in said and "contrast" in said
    assert "gain in b" not in str(cell.draw(catalog, State("cell", cell=catalog.slot("e", {"model": "m"}).key)))


def test_the_cell_page_walks_along_it_and_fetches_with_it(store, catalog):
    at = {"model": "m", "layer": "x"}
    keys = [catalog.slot("e", {**at, "cossim_pow": power}).key for power in ("0", "0.5", "2")]
    said = str(cell.draw(catalog, State("cell", cell=keys[1])))
    assert keys[0] in said and keys[2] in said and "cossim_pow=0.5" in said and "', cossim_pow '" in said
    code = next(part for part in said.split("Code(") if "ds.caricature.sel" in part)
    assert "seed=0, cossim_pow=0.5)" in code
    picture = store.xarray("e").caricature.sel(model="m", image="cat", layer="x", seed=0, cossim_pow=0.5)
    assert picture.shape == (16, 16, 3)


def test_table_sheet_run_and_notes_know_it(store, catalog):
    app = create_app(store)
    titles = str(table.column_groups(catalog, parse("?view=table&exp=e"), []))
    labels = titles[titles.index("'labels'") : titles.index("'measures'")]
    assert "cossim_pow" in labels and titles.count("'cossim_pow'") == 1
    asked = {
        "startRow": 0,
        "endRow": 100,
        "sortModel": [{"colId": "cossim_pow", "sort": "desc"}],
        "filterModel": {"cossim_pow": {"filterType": "number", "type": "greaterThan", "filter": 0.2}},
    }
    rows = follow(app, "getRowsResponse", asked, "?view=table&exp=e")[0]["rowData"]
    assert [row["cossim_pow"] for row in rows] == ["2"] * 5 + ["0.5"] * 5
    answer = app.server.test_client().get("/sheet.png?exp=e&rows=cossim_pow&cols=layer&at.model=n")
    assert answer.status_code == 200 and Image.open(io.BytesIO(answer.data)).height > 3 * 200
    drawn = str(run.draw(catalog, parse("?view=run&exp=e")))
    assert "n · cat · y · 0 · 2" in drawn and "m · cat · y · 0 · 0.5" in drawn
    assert "m cat x 0.5 | n" in view_title("?view=side&a.model=m&a.image=cat&a.layer=x&a.cossim_pow=0.5&b.model=n")


def test_explore_groups_by_it_and_pairs_models_at_each_value(catalog):
    for kind in ("violin", "heat"):
        search = f"?view=explore&exp=e&explore.kind={kind}&explore.x=cossim_pow&explore.by=layer&explore.y=gain"
        assert explore.draw(catalog, Distances(catalog), parse(search), "light", None)[3].data
    texts, figures = grouping.columns(catalog, ["e"])
    assert "cossim_pow" in texts and "cossim_pow" not in figures and not set(texts) & set(figures)
    frame = grouping.cells(catalog, ["e"], {"cossim_pow": "0.5"}, ["gain"])
    assert len(frame) == 6 and frame["failed"].sum() == 1
    assert grouping.group(catalog, ["e"], frame, "cossim_pow").labels == ("0.5",)
    matrix = Distances(catalog).matrix(["e"], {})
    assert matrix.models == ("m", "n", PAIR) and len(matrix.places) == 6
    assert Distances(catalog).matrix(["e", "f"], {}).models == ("m", "n", PAIR)


def test_side_by_side_has_a_selector_for_it(catalog):
    slots = side_slots.filled(catalog, parse("?view=side&exp=e&a.model=m&a.cossim_pow=2"))
    assert slots[0]["cossim_pow"] == "2" and slots[1]["model"] == "n" and slots[1]["cossim_pow"] == "2"
    assert side_slots.choices(catalog, slots[0], "cossim_pow") == ["0", "0.5", "2"]
    moved = side_slots.stepped(catalog, slots, True, 0, "cossim_pow", -1)
    assert [slot["cossim_pow"] for slot in moved] == ["0.5", "0.5"]


def test_a_value_that_a_run_adds_is_seen(store):
    catalog = Catalog(store, every=0)
    assert catalog.labels(["e"], "cossim_pow") == ["0", "0.5", "2"]
    g = swept(grid(models=("m", "n", PAIR), images=("cat",), layers=("x", "y"), seeds=(0,)), (0.0, 2.0, 0.5, 1.5))
    arrays = prepare(store, g, cossim_pow=None)
    finish(store, arrays, g, [one for one in g.cells() if one.labels == ("m", "cat", "x", 0, 1.5)], first=30)
    assert catalog.labels(["e"], "cossim_pow") == ["0", "0.5", "1.5", "2"]
    assert catalog.status("e", {"model": "m", "layer": "x", "cossim_pow": "1.5"})[0] == "done"
