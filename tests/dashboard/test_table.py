import io
import time

import numpy as np
import pandas as pd
import pytest
from dash.exceptions import PreventUpdate
from support.dashboard_store import finish, grid, prepare
from support.pages import follow

from distcari.dashboard.app import create_app
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.rows import Rows, filters_of, passing, sort_of
from distcari.dashboard.data.state import parse
from distcari.dashboard.views import table
from distcari.store.schema import COLUMNS


@pytest.fixture
def full(store):
    g = grid(layers=("x_2", "x_10"), seeds=(0,))
    finish(store, prepare(store, g), g, g.cells())
    return store


def number(kind, value, to=None):
    return {"filterType": "number", "type": kind, "filter": value, "filterTo": to}


def test_filters_are_those_of_ag_grid(full):
    frame = Catalog(full).frame()

    def gains(filters):
        return [int(v) for v in frame["gain"][passing(frame, filters)]]

    assert gains({"gain": number("greaterThan", 5)}) == [6, 7]
    assert gains({"gain": number("inRange", 2, 3)}) == [2, 3]
    both = {"operator": "OR", "conditions": [number("equals", 0), number("greaterThanOrEqual", 7)]}
    assert gains({"gain": both}) == [0, 7]
    assert len(gains({"layer": {"type": "contains", "filter": "_1"}})) == 4
    other = {"layer": {"type": "notEqual", "filter": "X_10"}, "model": {"type": "equals", "filter": "m"}}
    assert len(gains(other)) == 2
    assert len(gains({"robust_gain": {"type": "blank"}})) == 8
    assert len(gains({"finished_at": {"type": "equals", "dateFrom": "2026-01-01 00:00:00"}})) == 8
    for nonsense in (
        {"gain": 1},
        {"gain": number("like", 1)},
        {"gain": number("equals", "x")},
        {"__class__": {}},
        {"finished_at": {"type": "equals", "dateFrom": "?"}},
        {"gain": {"conditions": [None]}},
    ):
        assert len(gains(nonsense)) == 8


def test_the_url_names_filters_and_order(full):
    assert filters_of('{"gain":{}}') == {"gain": {}} and filters_of("{[") == {} == filters_of("[1]")
    assert sort_of("-gain,nope,model") == [("gain", True), ("model", False)]
    assert table.sort_text([{"colId": "gain", "sort": "desc"}, {"colId": "0", "sort": "asc"}]) == "-gain"


def test_labels_sort_in_the_stores_order_and_nothing_last(full):
    catalog = Catalog(full)
    frame, at = Rows(catalog).find(["e"], {}, [("layer", False), ("gain", True)])
    assert list(frame["layer"].iloc[at])[:4] == ["x_2"] * 4
    assert list(frame["gain"].iloc[at])[:4] == [6, 4, 2, 0]
    _, at = Rows(catalog).find(["e"], {}, [("robust_gain", True)])
    assert list(at) == list(range(8))


def test_pages_counts_and_the_csv_agree(full):
    app = create_app(full)
    asked = {
        "startRow": 0,
        "endRow": 100,
        "sortModel": [{"colId": "gain", "sort": "desc"}],
        "filterModel": {"gain": number("lessThan", 3)},
    }
    rows, said, href = follow(app, "getRowsResponse", asked, "?view=table")
    assert rows["rowCount"] == 3 and [row["gain"] for row in rows["rowData"]] == ["2.00", "1.00", "0.00"]
    assert rows["rowData"][0]["picture"].startswith("/picture/") and "3 of 8" in str(said)
    answer = app.server.test_client().get(href)
    frame = pd.read_csv(io.BytesIO(answer.data))
    assert list(frame["gain"]) == [2, 1, 0] and list(frame.columns) == list(COLUMNS) and answer.mimetype == "text/csv"
    assert app.server.test_client().get("/index.csv?table.filter=%7B&table.sort=..%2F..").status_code == 200


def test_no_index_no_csv(tmp_path):
    from distcari.store import Store

    answer = create_app(Store(str(tmp_path / "none"))).server.test_client().get("/index.csv")
    assert answer.status_code == 404 and b"Traceback" not in answer.data


def test_filters_and_order_go_into_the_url_and_back(full):
    app = create_app(full)
    asked = {"sortModel": [{"colId": "gain", "sort": "desc"}], "filterModel": {"gain": number("lessThan", 3)}}
    tell = next(c for c in app.callback_map.values() if c["inputs"][0]["property"] == "filterModel")
    told = parse(tell["callback"].__wrapped__(asked["filterModel"], asked, "?view=table"))
    assert told.own("sort") == "-gain" and filters_of(told.own("filter")) == asked["filterModel"]
    with pytest.raises(PreventUpdate):
        table.restored(told, asked["filterModel"], asked)
    filters, columns = table.restored(parse("?view=table"), asked["filterModel"], asked)
    assert filters == {} and all(column["sort"] is None for column in columns)


def test_marked_rows_lead_into_side_by_side(full):
    catalog = Catalog(full)
    rows = [{"key": key} for key in catalog.frame()["key"]]
    assert "mark another" in str(table.picks(catalog, parse(""), rows[:1]))
    assert table.picks(catalog, parse(""), []) == []
    told = parse(table.picks(catalog, parse("?view=table"), [{"key": "nope"}, *rows[:2]])[0].href)
    assert told.view == "side" and [slot["layer"] for slot in told.slots] == ["x_2", "x_10"]
    assert "first 4 of 8" in str(table.picks(catalog, parse(""), rows))


def test_columns_are_grouped_and_named_with_their_meaning(full):
    columns = table.column_groups(Catalog(full), parse("?view=table"), [("gain", True)])
    named = {column["field"]: column for group in columns for column in group.get("children", [group])}
    assert named["gain"]["sort"] == "desc" and "unaugmented" in named["gain"]["headerTooltip"]
    assert named["model_sha256"]["columnGroupShow"] == "open" and named["key"]


def test_a_page_of_100_000_rows_comes_in_time():
    n = 100_000
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "gain": rng.random(n),
            "model": rng.choice([f"m{i}" for i in range(50)], n),
            "key": [f"{i:032x}" for i in range(n)],
        }
    )
    filters = {"gain": number("greaterThan", 0.5), "model": {"type": "contains", "filter": "m1"}}
    start = time.perf_counter()
    assert 0 < passing(frame, filters).sum() < n
    assert time.perf_counter() - start < 0.2


def test_text_that_a_spreadsheet_would_compute_is_quoted_and_numbers_are_not(store):
    g = grid(models=("=1+1", "@m"), images=("cat",), layers=("x",), seeds=(-1,))
    finish(store, prepare(store, g), g, g.cells())
    frame = pd.read_csv(io.BytesIO(create_app(store).server.test_client().get("/index.csv").data))
    assert sorted(frame["model"]) == ["'=1+1", "'@m"]
    assert list(frame["seed"]) == [-1, -1] and sorted(frame["gain"]) == [0, 1]


def test_without_an_order_rows_stand_as_in_the_store_not_as_workers_finished(store):
    g = grid(layers=("x_2", "x_10"), seeds=(1, 0))
    arrays, cells = prepare(store, g), list(g.cells())
    finish(store, arrays, g, cells[::-1])
    frame, at = Rows(Catalog(store)).find(["e"], {}, [])
    shown = frame.iloc[at][["model", "image", "layer", "seed"]].itertuples(index=False, name=None)
    assert list(shown) == [cell.labels for cell in cells]
