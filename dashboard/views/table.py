"""Table: the index, row by row, in ag-grid: filtered and sorted here, sent a page at a time; a row opens its cell."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
import numpy as np
import pandas as pd
from dash import ClientsideFunction, Dash, Input, Output, html
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from distcari.dashboard.data import columns
from distcari.dashboard.data.addresses import index_csv_url, picture_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.columns import NUMBERS, of_groups
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.rows import DATES, Rows, filters_of, sort_of
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.store.schema import COLUMNS, SETTINGS

NAME, TITLE = "table", "Table"
MOST_SLOTS, PAGE = 4, 100
COLOUR = sorted(of_groups("colour"), key=lambda name: name.startswith("mean_"))  # the mean colour last
FIRST = ("finished_at", "seconds", "run_id")  # of where it comes from: what is shown before the group is opened
GRID = {
    "rowHeight": 60,
    "headerHeight": 30,
    "groupHeaderHeight": 26,
    "cacheBlockSize": PAGE,
    "maxBlocksInCache": 20,
    "infiniteInitialRowCount": 20,
    "animateRows": False,
    "suppressCellFocus": False,
    "multiSortKey": "ctrl",
    "rowSelection": {"mode": "multiRow", "headerCheckbox": False, "enableClickSelection": False},
    "selectionColumnDef": {
        "width": 38,
        "pinned": "left",
        "headerName": "✓",
        "headerTooltip": "Mark two to four to compare them",
    },
    "suppressColumnVirtualisation": False,
}


def layout(catalog: Catalog, state: State) -> Component:
    """The grid with the URL's filters and order; its rows come as it asks for them."""
    sort = sort_of(state.own("sort"))
    return html.Div(
        [
            dmc.VisuallyHidden(html.H1(TITLE)),
            html.Div(
                [
                    html.Span("", id="table-counts", **{"aria-live": "polite"}),
                    html.Span("", id="table-picks", className="table-picks"),
                    html.Span(className="grow"),
                    components.link(
                        "Clear filters",
                        state.with_(view=NAME).with_extra(filter=None, sort=None),
                        id="table-clear",
                        className="button",
                    ),
                    html.A(
                        "CSV",
                        href=index_csv_url(state),
                        id="table-csv",
                        className="button",
                        download="",
                        title="The rows shown, all columns",
                    ),
                ],
                className="table-head",
            ),
            dag.AgGrid(
                id="table-grid",
                rowModelType="infinite",
                columnDefs=column_groups(catalog, state, sort),
                className="ag-theme-quartz",
                style={"height": "100%", "width": "100%"},
                defaultColDef={"sortable": True, "resizable": True, "filter": True, "minWidth": 60},
                dashGridOptions=GRID,
                getRowId="params.data.key",
                filterModel=filters_of(state.own("filter")),
            ),
        ],
        className="table",
    )


def register(app: Dash, catalog: Catalog) -> None:
    """Rows as asked for; filters and order into the URL and back; rows to cells and into side by side; the CSV."""
    rows = Rows(catalog)

    @app.callback(
        Output("table-grid", "getRowsResponse"),
        Output("table-counts", "children"),
        Output("table-csv", "href"),
        Input("table-grid", "getRowsRequest"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def page(asked: Mapping[str, Any] | None, search: str | None) -> Any:
        if not asked or catalog.problem():
            raise PreventUpdate
        return answer(catalog, rows, parse(search), asked)

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("table-grid", "filterModel"),
        Input("table-grid", "getRowsRequest"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def tell(filters: Mapping[str, Any] | None, asked: Mapping[str, Any] | None, search: str | None) -> Any:
        state = parse(search)
        if state.view != NAME or not asked:
            raise PreventUpdate
        sort = sort_text(asked.get("sortModel"))
        model = json.dumps(filters, separators=(",", ":"), ensure_ascii=False) if filters else None
        return components.go(state, lambda s: s.with_extra(filter=model, sort=sort))

    @app.callback(
        Output("table-grid", "filterModel"),
        Output("table-grid", "columnState"),
        Input("url", "search"),
        Before("table-grid", "filterModel"),
        Before("table-grid", "getRowsRequest"),
        prevent_initial_call=True,
    )
    def follow(search: str | None, filters: Mapping[str, Any] | None, asked: Mapping[str, Any] | None) -> Any:
        return restored(parse(search), filters, asked)

    @app.callback(
        Output("table-picks", "children"),
        Input("table-grid", "selectedRows"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def pick(selected: Sequence[Mapping[str, Any]] | None, search: str | None) -> Any:
        return picks(catalog, parse(search), selected or [])

    app.clientside_callback(
        ClientsideFunction("table", "open"),
        Output("goto", "data", allow_duplicate=True),
        Input("table-grid", "cellClicked"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("table", "refresh"),
        Output("table-counts", "title"),
        Input("version", "data"),
        prevent_initial_call=True,
    )


def answer(catalog: Catalog, rows: Rows, state: State, asked: Mapping[str, Any]) -> tuple[Any, list[Any], str]:
    """A page of rows for ag-grid, how many there are in words, and where their CSV is."""
    experiments = catalog.chosen(state)
    filters = asked.get("filterModel") or {}
    sort = sort_of(sort_text(asked.get("sortModel")) or "")
    frame, at = rows.find(experiments, filters, sort)
    start = max(0, int(asked.get("startRow", 0)))
    part = frame.iloc[at[start : min(int(asked.get("endRow", start + PAGE)), start + 1000)]]
    total = len(catalog.frame(experiments))
    message = f"{len(at):,} of {total:,} cells" if len(at) < total else f"{total:,} cells"
    model = json.dumps(filters, separators=(",", ":"), ensure_ascii=False) if filters else None
    now = state.with_(view=NAME).with_extra(filter=model, sort=sort_text(asked.get("sortModel")))
    return {"rowData": shown(part), "rowCount": len(at)}, [html.B(message)], index_csv_url(now)


def shown(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as ag-grid gets them: numbers to three digits, times to the second, the picture's address."""
    found = []
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    for record in records:
        row: dict[str, Any] = {"picture": picture_url(record, 96), "alt": components.alt(record)}
        for name, value in record.items():
            if name in NUMBERS and name not in SETTINGS:
                row[name] = columns.number(value)
            elif name in DATES:
                row[name] = "" if pd.isna(value) else f"{value:%Y-%m-%d %H:%M:%S}"
            else:
                row[name] = text(value.item() if isinstance(value, np.generic) else value) if pd.notna(value) else ""
        found.append(row)
    return found


def column_groups(catalog: Catalog, state: State, sort: Sequence[tuple[str, bool]]) -> list[dict[str, Any]]:
    """The columns in groups; what is rarely looked at shows once its group is opened."""
    experiments = catalog.chosen(state)
    axes = catalog.axes(experiments) or ["model", "image", "layer", "seed"]
    ordered = {name: ("desc" if descending else "asc", i) for i, (name, descending) in enumerate(sort)}

    def one(name: str, hidden: bool = False) -> dict[str, Any]:
        number, date = name in NUMBERS or name == "seed", name in DATES
        kind = "agNumberColumnFilter" if number else "agDateColumnFilter" if date else "agTextColumnFilter"
        width = 76 if name == "seed" else 140 if name in SETTINGS else 132 if number else 160 if date else 120
        column = {
            "field": name,
            "headerName": columns.title(name),
            "filter": kind,
            "width": width,
            "headerTooltip": " · ".join(part for part in (columns.meaning(name), columns.unit(name)) if part),
        }
        if number:
            column["type"] = "rightAligned"
        if name in ordered:
            column["sort"], column["sortIndex"] = ordered[name]
        return column | ({"columnGroupShow": "open"} if hidden else {})

    picture = {
        "field": "picture",
        "headerName": "picture",
        "cellRenderer": "DistcariPicture",
        "width": 70,
        "pinned": "left",
        "sortable": False,
        "filter": False,
        "resizable": False,
    }
    origin = [name for name in of_groups("settings", "provenance") if name not in FIRST and name not in axes]
    groups = (
        ("labels", list(axes), 99),
        ("measures", of_groups("match", "difference"), 4),
        ("layer", of_groups("layer"), 99),
        ("colour", COLOUR, 3),
        ("texture", of_groups("texture"), 99),
        ("where it comes from", [*FIRST, *origin, "key"], len(FIRST)),
    )
    # In a group as the others are: ag-grid's row of group headings must not be empty, or screen readers stumble.
    return [
        {"headerName": "cell", "children": [picture]},
        *(
            {"headerName": title, "children": [one(name, i >= first) for i, name in enumerate(names)]}
            for title, names, first in groups
        ),
    ]


def restored(state: State, filters: Mapping[str, Any] | None, asked: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """Filters and order for a grid that shows others than the URL says: after Back, or a link."""
    if state.view != NAME or asked is None:
        raise PreventUpdate
    wanted, sort = filters_of(state.own("filter")), sort_of(state.own("sort"))
    if wanted == (filters or {}) and sort == sort_of(sort_text(asked.get("sortModel")) or ""):
        raise PreventUpdate
    order = {name: ("desc" if descending else "asc", i) for i, (name, descending) in enumerate(sort)}
    columns_ = [
        {"colId": name, "sort": order.get(name, (None, None))[0], "sortIndex": order.get(name, (None, None))[1]}
        for name in COLUMNS
    ]
    return wanted, columns_


def picks(catalog: Catalog, state: State, selected: Sequence[Mapping[str, Any]]) -> list[Any]:
    """How many rows are marked, and the way into side by side."""
    rows = [row for one in selected[:MOST_SLOTS] if (row := catalog.row(str(one.get("key"))))]
    slots = []
    for row in rows:
        axes = catalog.axes([str(row["experiment"])])
        slots.append({"experiment": str(row["experiment"]), **{axis: text(row[axis]) for axis in axes if axis in row}})
    if not slots:
        return []
    if len(slots) == 1:
        return ["1 marked, mark another to compare"]
    many = f"the first {MOST_SLOTS} of {len(selected)}" if len(selected) > MOST_SLOTS else f"{len(slots)}"
    side = state.with_(view="side", slots=tuple(slots))
    return [components.link(f"Compare {many} side by side", side, className="go")]


def sort_text(model: Sequence[Mapping[str, str]] | None) -> str | None:
    """ag-grid's order as the URL has it."""
    parts = [("-" if s.get("sort") == "desc" else "") + str(s.get("colId")) for s in model or []]
    return ",".join(part for part in parts if part.removeprefix("-") in COLUMNS) or None
