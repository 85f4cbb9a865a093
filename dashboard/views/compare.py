"""Compare: a grid of pictures, any axis on rows, any on columns, the others held; the input at the margin."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from distcari.dashboard.data import columns
from distcari.dashboard.data.addresses import input_url, sheet_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.columns import FIGURES
from distcari.dashboard.data.facets import Facets
from distcari.dashboard.data.families import filters
from distcari.dashboard.data.labels import short, unlike
from distcari.dashboard.data.pictures import inputs_of
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.data.window import LIKENESS, Part, Shown, Window, resolve, window
from distcari.dashboard.page import components
from distcari.yardsticks import HARDLY, SHARE

NAME, TITLE = "compare", "Compare"
SIZES = [{"value": "small", "label": "small"}]
ALIKE = [{"value": LIKENESS, "label": "likeness"}]
FOLDED = [{"value": "all", "label": "folded to their mean"}]
MOSTLY = 0.5  # of a line's pictures: from here its heading says that the layer hardly responds


def layout(catalog: Catalog, state: State) -> Component:
    """The tools above, the grid below."""
    tools_, body = draw(catalog, state)
    return html.Div(
        [
            dmc.VisuallyHidden(html.H1("Compare")),
            html.Div(tools_, id="compare-tools", className="tools"),
            html.Div(body, id="compare-body"),
            dcc.Store(id="compare-drawn", data=_token(catalog, state)),
            html.Div(id="picks", className="picks", hidden=True),  # filled by assets/pick.js
        ],
        className="compare",
    )


def register(app: Dash, catalog: Catalog) -> None:
    """The grid follows the URL and the store; the tools are parameters of the URL by themselves."""
    app.clientside_callback(
        ClientsideFunction("pick", "mark"),
        Output("picks", "title"),
        Input("url", "search"),
        Input("compare-body", "children"),
    )

    @app.callback(
        Output("compare-tools", "children"),
        Output("compare-body", "children"),
        Output("compare-drawn", "data"),
        Input("url", "search"),
        Input("version", "data"),
        Before("compare-drawn", "data"),
        prevent_initial_call=True,
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
    seen = window(catalog, state, shown)
    return tools(catalog, state, shown, seen), [facet_grid(catalog, state, shown, seen)]


def _steps(state: State, part: Part) -> list[Component]:
    """Links to the parts before and after, where not all is shown."""
    if part.length <= part.size:
        return []
    after = part.start + part.size
    to_before = state.with_extra(**{part.name: str(max(0, part.start - part.size))}) if part.start else None
    to_after = state.with_extra(**{part.name: str(after)}) if after < part.length else None
    text = f" {part.axis} {part.start + 1}–{min(after, part.length)} of {part.length} "
    return [
        html.Span(
            [components.stepper(part.axis, -1, to_before, ""), text, components.stepper(part.axis, 1, to_after, "")]
        )
    ]


def tools(catalog: Catalog, state: State, shown: Shown, seen: Window) -> list[Component]:
    """One line of controls, each a parameter of the URL, and how much of the grid is there."""
    axes, known = [{"value": axis, "label": axis} for axis in shown.axes], catalog.figures(shown.scope)
    orders = [
        {"value": sign + f, "label": f"{columns.title(f)} {arrow}"}
        for f in known
        for sign, arrow in (("-", "↓"), ("", "↑"))
    ]
    sorts = [ALIKE + orders if axis == "model" else orders for axis in (shown.rows, shown.cols)]
    figures = [{"value": f, "label": columns.title(f)} for f in known if f not in ("steps", "seconds")]
    swap = components.link(
        "⇄",
        state.with_(rows=shown.cols, cols=shown.rows, sort_rows=state.sort_cols, sort_cols=state.sort_rows, extra={}),
        className="step",
        title="Swap rows and columns",
        **{"aria-label": "Swap rows and columns"},
    )
    order = {
        name: ("-" if sort[1] else "") + sort[0] if sort else None
        for name, sort in (("sort_rows", state.sort_rows), ("sort_cols", state.sort_cols))
    }
    alone = [axis for axis in shown.at if len(_labels(catalog, state, shown, axis)) < 2]
    summary = [f"{axis} {shown.at[axis]}" for axis in alone]
    statuses = ("done", "running", "failed", "pending", "not planned")
    summary += [f"{seen.counts[status]} {status}" for status in statuses if seen.counts[status]]
    parts = [*_steps(state, seen.rows), *_steps(state, seen.cols)]
    return [
        components.choice("rows", "rows", axes, shown.rows),
        swap,
        components.choice("cols", "columns", axes, shown.cols),
        *[_selector(catalog, state, shown, axis) for axis in shown.at if axis not in alone],
        components.choice("sort_rows", "sort rows", sorts[0], order["sort_rows"], "as stored"),
        components.choice("sort_cols", "sort columns", sorts[1], order["sort_cols"], "as stored"),
        *_by_tag(catalog, state, shown),
        components.choice("compare.label", "show", figures, state.own("label") or None, "pictures only"),
        components.choice("compare.tiles", "tiles", SIZES, state.own("tiles") or None, "large"),
        html.A(
            "Sheet",
            href=sheet_url(state),
            download="",
            className="button",
            title="This view as one picture, with its settings",
        ),
        html.Span([*parts, " · ".join(summary)], className="counts", **{"aria-live": "polite"}),
    ]


def _by_tag(catalog: Catalog, state: State, shown: Shown) -> list[Component]:
    """Group the models by a tag, keep one value of one; nothing where there are no tags."""
    tags = catalog.tags(shown.scope)
    if not tags or "model" not in (shown.rows, shown.cols):
        return []
    by_one = state.own("by") in tags
    by, only = ([{"value": n, "label": n} for n in names] for names in (tags, filters(catalog, shown.scope)))
    return [
        components.choice("compare.by", "group by", by, state.own("by") or None, "no tag"),
        components.choice("compare.only", "only", only, state.own("only") or None, "every model"),
        *([components.choice("compare.fold", "groups", FOLDED, state.own("fold") or None, "open")] if by_one else []),
    ]


def _selector(catalog: Catalog, state: State, shown: Shown, axis: str) -> Component:
    """An axis that is held: its label, and links to the labels beside it."""
    labels = _labels(catalog, state, shown, axis)
    return components.walk(axis, labels, shown.at[axis], lambda label: state.with_(at={**state.at, axis: label}))


def _labels(catalog: Catalog, state: State, shown: Shown, axis: str) -> list[str]:
    return catalog.labels(catalog.chosen(state) if axis == "experiment" else shown.scope, axis)


def facet_grid(catalog: Catalog, state: State, shown: Shown, seen: Window) -> Component:
    """The headings and tiles; rows are CSS `display: contents` of one grid."""
    label, grid, compact = state.own("label"), seen.grid, state.own("tiles") == "small"
    label = label if label in FIGURES else ""
    names = [html.Span(f"{shown.rows} ↓"), html.Span(f"{shown.cols} →")]
    corner = html.Div(names, role="columnheader", className="corner")
    row_names, col_names = (unlike(labels) if compact else labels for labels in (grid.rows, grid.cols))
    if compact:  # in one line, beside the name of the group where one begins
        row_names = [short(name, 16 if _begins(seen, grid.rows, i) else 30) for i, name in enumerate(row_names)]
    row_hardly, col_hardly = _hardly(shown, grid, "rows"), _hardly(shown, grid, "cols")
    heads = [_head(catalog, state, shown, seen, i, name, col_hardly[i]) for i, name in enumerate(col_names)]
    lines = [html.Div([corner, *heads], role="row", className="line")]
    size = 160 if compact or len(grid.cols) > 10 else 224  # of the tiles' pictures: no larger than they are shown
    for i, line in enumerate(grid.slots):
        head = _head(catalog, state, shown, seen, i, row_names[i], row_hardly[i], of_row=True)
        lines.append(
            html.Div(
                [head, *(components.tile(slot, state, size, label) for slot in line)], role="row", className="line"
            )
        )
    longest = max(map(len, row_names), default=0)
    longest += 12 * (compact and state.sort_rows is not None) + 6 * (compact and bool(seen.groups))  # beside the name
    said = any(share >= MOSTLY for share in row_hardly)
    longest = longest + 13 * said if compact else max(longest, 6 * said)
    style = {"--cols": len(grid.cols), "--rows": len(grid.rows), "--head": f"{_head_width(longest, compact)}px"}
    margin = _margin(catalog, shown)
    inner = html.Div(lines, role="grid", className="facets", **{"aria-label": f"{shown.rows} by {shown.cols}"})
    kinds = {"compact": compact, "with-margin": bool(margin), "image-rows": shown.rows == "image"}
    stage = " ".join(["stage", *(kind for kind, it_is in kinds.items() if it_is)])
    return html.Div([*margin, inner], className=stage, style=style)


def _head_width(longest: int, compact: bool) -> int:
    """Pixels of the rows' headings: names break in large rows, and have one line in small ones."""
    return min(280, max(64, 8 * longest + 16)) if compact else min(168, max(48, 9 * longest + 6))


def _margin(catalog: Catalog, shown: Shown) -> list[Component]:
    if "image" not in shown.at:
        return []
    image = shown.at["image"]
    url = _input(catalog, shown, image)
    return (
        [
            html.Figure(
                [html.Img(src=url, alt=f"Input image {image}"), html.Figcaption(["input ", html.B(image)])],
                className="margin",
            )
        ]
        if url
        else []
    )


def _input(catalog: Catalog, shown: Shown, image: str) -> str:
    info = inputs_of(catalog, shown.scope, [image]).get(image)
    return input_url(catalog, info.name, image, 224) if info else ""


def _hardly(shown: Shown, grid: Facets, side: Literal["rows", "cols"]) -> list[float]:
    """The share of each line's pictures at which its layer hardly responds; NaN where a line is of several layers."""
    axis, labels = (shown.rows, grid.rows) if side == "rows" else (shown.cols, grid.cols)
    one_layer = axis == "layer" or (axis in ("model", "image") and "layer" in shown.at)
    return list(grid.hardly(side)) if one_layer else [math.nan] * len(labels)


def _begins(seen: Window, labels: Sequence[str], i: int) -> bool:
    """Whether a group of models begins at the i-th label."""
    group = seen.groups.get(labels[i])
    return group is not None and (i == 0 or seen.groups.get(labels[i - 1]) != group)


def _head(
    catalog: Catalog, state: State, shown: Shown, seen: Window, i: int, told: str, hardly: float, of_row: bool = False
) -> Component:
    """A row's or column's heading: its label, its input image where the axis is image, its mean where sorted by one.

    `told` is what is shown of the label, `hardly` the share of the line's pictures at which the layer hardly responds.
    A model in groups has its group beneath; a new group begins with a line.
    """
    grid, sort = seen.grid, state.sort_rows if of_row else state.sort_cols
    axis, labels = (shown.rows, grid.rows) if of_row else (shown.cols, grid.cols)
    label = labels[i]
    name = f"…{told}" if told != label and label.endswith(told) else told
    parts: list[Any] = [html.Span(components.breakable(name), className="label", title=label)]
    line = grid.slots[i] if of_row else [slots[i] for slots in grid.slots]
    if axis == "model" and line and (folded := max(line, key=lambda slot: slot.count)).members:
        look = {"className": "label", "title": "Its models alone"}
        parts = [components.link(components.breakable(name), components.group_state(folded, state), **look)]
        parts.append(html.Span(f"{folded.count} {'model' if folded.count == 1 else 'models'}", className="group"))
    if axis == "image" and (url := _input(catalog, shown, label)):
        parts.insert(0, html.Img(src=url, alt=f"Input image {label}"))
    if sort and sort[0] in FIGURES:
        mean = grid.means(sort[0], "rows" if of_row else "cols")[i]
        parts.append(html.Span(f"{columns.title(sort[0])} {columns.number(mean)}", className="mean"))
    role, kind = ("rowheader", "head of-row") if of_row else ("columnheader", "head of-col")
    if hardly >= MOSTLY:
        why = f"{HARDLY}, in {hardly:.0%} of these pictures: grey or other photographs reach {SHARE:.0%} of the cosine"
        parts.append(html.Span("hardly responds", className="hardly", title=why))
    if axis == "model" and (group := seen.groups.get(label)):
        begins = _begins(seen, labels, i)
        if begins or state.own("tiles") != "small":
            parts.append(html.Span(group, className="group", title=f"{label}: {group}"))
        kind += " group-start" if i and begins else ""
    return html.Div(parts, role=role, className=kind, **({"aria-label": label} if told != label else {}))
