"""Compare: a grid of pictures, any axis on rows, any on columns, the others held; the input at the margin."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from distcari.dashboard.data.catalog import FIGURES, Catalog
from distcari.dashboard.data.facets import Facets
from distcari.dashboard.data.state import Labels, State, parse
from distcari.dashboard.page import components as pieces
from distcari.dashboard.pictures.images import input_url

NAME, TITLE = "compare", "Compare"
MOST_COLS, MOST_TILES = 40, 960  # shown at once; more is a page further on
SORTABLE = 20_000  # slots that are sorted as a whole; of more, a page by itself


@dataclass(frozen=True)
class Shown:
    """A state with its defaults filled in from the store: which axes lie where, and what the others are held at."""

    scope: tuple[str, ...]  # experiments whose labels are shown
    axes: tuple[str, ...]
    rows: str
    cols: str
    at: Labels


def resolve(catalog: Catalog, state: State) -> Shown:
    """What a state shows: models × layers of the first image, unless it says otherwise."""
    experiments = catalog.chosen(state)
    axes = catalog.axes(experiments)
    rows = state.rows if state.rows in axes else _first(("model", *axes), "" if state.cols not in axes else state.cols)
    cols = state.cols if state.cols in axes and state.cols != rows else _first(("layer", "model", *axes), rows)
    scope = experiments
    if len(experiments) > 1 and "experiment" not in (rows, cols):
        scope = (state.at["experiment"],) if state.at.get("experiment") in experiments else experiments[:1]
    at = {}
    for axis in axes:
        if axis not in (rows, cols):
            labels = catalog.labels(scope, axis)
            at[axis] = state.at[axis] if state.at.get(axis) in labels else next(iter(labels), "")
    return Shown(scope, tuple(axes), rows, cols, at)


def _first(wanted: tuple[str, ...], taken: str) -> str:
    return next((axis for axis in wanted if axis != taken), "model")


def layout(catalog: Catalog, state: State) -> Component:
    """The tools above, the grid below."""
    tools_, body = draw(catalog, state)
    return html.Div([
        dmc.VisuallyHidden(html.H1("Compare")),
        html.Div(tools_, id="compare-tools", className="tools"),
        html.Div(body, id="compare-body"),
        dcc.Store(id="compare-drawn", data=_token(catalog, state)),
        html.Div(id="picks", className="picks", hidden=True),  # filled by assets/pick.js
    ], className="compare")


def register(app: Dash, catalog: Catalog) -> None:
    """The grid follows the URL and the store; the tools are parameters of the URL by themselves."""
    app.clientside_callback(
        ClientsideFunction("pick", "mark"), Output("picks", "title"),
        Input("url", "search"), Input("compare-body", "children"),
    )

    @app.callback(
        Output("compare-tools", "children"), Output("compare-body", "children"), Output("compare-drawn", "data"),
        Input("url", "search"), Input("version", "data"), Before("compare-drawn", "data"), prevent_initial_call=True,
    )
    def follow(search: str | None, _: int, drawn: str | None) -> Any:
        state = parse(search)
        token = _token(catalog, state)
        if state.view != NAME or catalog.problem() or token == drawn:
            raise PreventUpdate
        return *draw(catalog, state), token


def _token(catalog: Catalog, state: State) -> str:
    """What the grid depends on: not the picks, which the browser marks by itself."""
    return f"{catalog.version()} {state.with_(slots=(), cell='').search()}"


def draw(catalog: Catalog, state: State) -> tuple[list[Component], list[Component]]:
    """The tools and the grid of a state."""
    shown = resolve(catalog, state)
    if catalog.problem() or not shown.scope:
        return [], []
    grid, counts, pages = window(catalog, state, shown)
    return tools(catalog, state, shown, counts, pages), [facet_grid(catalog, state, shown, grid)]


def window(catalog: Catalog, state: State, shown: Shown) -> tuple[Facets, Counter[str], list[Component]]:
    """The part of the grid that is shown, sorted; how many slots have which status; links to its other parts."""
    rows, cols = catalog.labels(shown.scope, shown.rows), catalog.labels(shown.scope, shown.cols)
    n_cols = min(len(cols), MOST_COLS)
    n_rows = max(1, min(len(rows), MOST_TILES // max(n_cols, 1)))
    row0, col0 = _offset(state.own("row0"), len(rows)), _offset(state.own("col0"), len(cols))
    whole = len(rows) * len(cols) <= SORTABLE
    if not whole:
        rows_, cols_ = rows[row0 : row0 + n_rows], cols[col0 : col0 + n_cols]
    else:
        rows_, cols_ = rows, cols
    grid = catalog.grid(shown.scope, shown.rows, shown.cols, shown.at, rows_, cols_)
    counts = Counter(str(slot.status) for line in grid.slots for slot in line)
    if state.sort_rows and state.sort_rows[0] in FIGURES:
        grid = grid.sorted("rows", *state.sort_rows)
    if state.sort_cols and state.sort_cols[0] in FIGURES:
        grid = grid.sorted("cols", *state.sort_cols)
    if whole:
        lines = tuple(line[col0 : col0 + n_cols] for line in grid.slots[row0 : row0 + n_rows])
        grid = Facets(grid.rows[row0 : row0 + n_rows], grid.cols[col0 : col0 + n_cols], lines)
    pages = [*_pages(state, shown.rows, "row0", row0, n_rows, len(rows)),
             *_pages(state, shown.cols, "col0", col0, n_cols, len(cols))]
    return grid, counts, pages


def _offset(text: str, length: int) -> int:
    return min(int(text), max(length - 1, 0)) if text.isdecimal() and len(text) < 9 else 0


def _pages(state: State, axis: str, name: str, start: int, size: int, length: int) -> list[Component]:
    if length <= size:
        return []
    before = state.with_extra(**{name: str(max(0, start - size))}) if start else None
    after = state.with_extra(**{name: str(start + size)}) if start + size < length else None
    said = f" {axis} {start + 1}–{min(start + size, length)} of {length} "
    return [html.Span([pieces.stepper(axis, -1, before, ""), said, pieces.stepper(axis, 1, after, "")])]


def tools(
    catalog: Catalog, state: State, shown: Shown, counts: Counter[str], pages: list[Component]
) -> list[Component]:
    """One line of controls, each a parameter of the URL, and how much of the grid is there."""
    axes, known = [{"value": axis, "label": axis} for axis in shown.axes], catalog.figures(shown.scope)
    orders = [{"value": sign + f, "label": f"{pieces.words(f)} {arrow}"}
              for f in known for sign, arrow in (("-", "↓"), ("", "↑"))]
    figures = [{"value": f, "label": pieces.words(f)} for f in known if f not in ("steps", "seconds")]
    swap = pieces.link("⇄", state.with_(
        rows=shown.cols, cols=shown.rows, sort_rows=state.sort_cols, sort_cols=state.sort_rows, extra={},
    ), className="step", title="Swap rows and columns", **{"aria-label": "Swap rows and columns"})
    order = {name: ("-" if sort[1] else "") + sort[0] if sort else None
             for name, sort in (("sort_rows", state.sort_rows), ("sort_cols", state.sort_cols))}
    alone = [axis for axis in shown.at if len(_labels(catalog, state, shown, axis)) < 2]
    said = [f"{axis} {shown.at[axis]}" for axis in alone]
    said += [f"{counts[s]} {s}" for s in ("done", "running", "failed", "pending", "not planned") if counts[s]]
    return [
        pieces.choice("rows", "rows", axes, shown.rows), swap, pieces.choice("cols", "columns", axes, shown.cols),
        *[_selector(catalog, state, shown, axis) for axis in shown.at if axis not in alone],
        pieces.choice("sort_rows", "sort rows", orders, order["sort_rows"], "as stored"),
        pieces.choice("sort_cols", "sort columns", orders, order["sort_cols"], "as stored"),
        pieces.choice("compare.label", "show", figures, state.own("label") or None, "pictures only"),
        html.A("Sheet", href="/sheet.png" + state.with_(view="compare", slots=(), cell="").search(), download="",
               className="button", title="This view as one picture, with its settings"),
        html.Span([*pages, " · ".join(said)], className="counts", **{"aria-live": "polite"}),
    ]


def _selector(catalog: Catalog, state: State, shown: Shown, axis: str) -> Component:
    """An axis that is held: its label, and links to the labels beside it."""
    labels = _labels(catalog, state, shown, axis)
    return pieces.walk(axis, labels, shown.at[axis], lambda label: state.with_(at={**state.at, axis: label}))


def _labels(catalog: Catalog, state: State, shown: Shown, axis: str) -> list[str]:
    return catalog.labels(catalog.chosen(state) if axis == "experiment" else shown.scope, axis)


def facet_grid(catalog: Catalog, state: State, shown: Shown, grid: Facets) -> Component:
    """The headings and tiles; rows are CSS `display: contents` of one grid."""
    label = state.own("label")
    label = label if label in FIGURES else ""
    names = [html.Span(f"{shown.rows} ↓"), html.Span(f"{shown.cols} →")]
    corner = html.Div(names, role="columnheader", className="corner")
    heads = [_head(catalog, shown, grid, shown.cols, i, state.sort_cols) for i in range(len(grid.cols))]
    lines = [html.Div([corner, *heads], role="row", className="line")]
    size = 160 if len(grid.cols) > 10 else 224  # of the tiles' pictures: no larger than they are shown
    for i, line in enumerate(grid.slots):
        head = _head(catalog, shown, grid, shown.rows, i, state.sort_rows, of_row=True)
        lines.append(html.Div([head, *(pieces.tile(slot, state, size, label) for slot in line)], role="row",
                              className="line"))
    longest = max((len(row) for row in grid.rows), default=0)
    style = {"--cols": len(grid.cols), "--rows": len(grid.rows), "--head": f"{min(112, max(48, 9 * longest + 6))}px"}
    margin = _margin(catalog, shown)
    inner = html.Div(lines, role="grid", className="facets", **{"aria-label": f"{shown.rows} by {shown.cols}"})
    kinds = "stage" + (" with-margin" if margin else "") + (" image-rows" if shown.rows == "image" else "")
    return html.Div([*margin, inner], className=kinds, style=style)


def _margin(catalog: Catalog, shown: Shown) -> list[Component]:
    if "image" not in shown.at:
        return []
    image = shown.at["image"]
    url = _input(catalog, shown, image)
    return [html.Figure([html.Img(src=url, alt=f"Input image {image}"), html.Figcaption(["input ", html.B(image)])],
                        className="margin")] if url else []


def _input(catalog: Catalog, shown: Shown, image: str) -> str:
    for experiment in shown.scope:
        about = catalog.about(experiment)
        if about is not None and image in about.raw.get("image", {}):
            return input_url(catalog, experiment, image, 224)
    return ""


def _head(
    catalog: Catalog, shown: Shown, grid: Facets, axis: str, i: int, sort: Any, of_row: bool = False
) -> Component:
    """A row's or column's heading: its label, its input image where the axis is image, its mean where sorted by one."""
    label = (grid.rows if of_row else grid.cols)[i]
    parts: list[Any] = [html.Span(pieces.breakable(label), className="label", title=label)]
    if axis == "image" and (url := _input(catalog, shown, label)):
        parts.insert(0, html.Img(src=url, alt=f"Input image {label}"))
    if sort and sort[0] in FIGURES:
        mean = grid.means(sort[0], "rows" if of_row else "cols")[i]
        parts.append(html.Span(f"{pieces.words(sort[0])} {pieces.number(mean)}", className="mean"))
    role, name = ("rowheader", "head of-row") if of_row else ("columnheader", "head of-col")
    return html.Div(parts, role=role, className=name)
