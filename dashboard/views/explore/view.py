"""Explore: any figure over any other, by model, layer or any axis; what is selected shows its pictures beside."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, ctx, dcc, html, no_update
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly import graph_objects as go

from distcari.dashboard.data import grouping
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import Distances, distances_of
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.dashboard.views.explore import matrix, plots, strip
from distcari.dashboard.views.explore.state import ASKED, MOST_Y, NAME, PICKED, Shown, asking, resolve
from distcari.dashboard.views.explore.tools import summary, tools

TITLE = "Explore"
GROWING = 2000  # milliseconds between looks while more pictures are compared
PLOTS = [f"explore-plot-{i}" for i in range(MOST_Y)]
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "displayModeBar": "hover",
    "modeBarButtons": [["select2d", "lasso2d", "zoom2d", "pan2d", "resetScale2d", "toImage"]],
}


def layout(catalog: Catalog, state: State) -> Component:
    """Questions and tools above, plots on the left, pictures on the right. The callback fills in, once drawn."""
    empty = go.Figure(layout=components.plot(None))
    graphs = [
        html.Div(
            dcc.Graph(id=name, figure=empty, config=_CONFIG, responsive=True),
            id=f"{name}-box",
            className="explore-plot",
            hidden=i > 0,
        )
        for i, name in enumerate(PLOTS)
    ]
    return html.Div(
        [
            dmc.VisuallyHidden(html.H1(TITLE)),
            html.Nav(_asked(state, ""), id="explore-asked", className="asked", **{"aria-label": "Questions"}),
            html.Div(_tools(catalog, state), id="explore-tools", className="tools"),
            html.P("", id="explore-said", className="said", **{"aria-live": "polite"}),
            html.Div(
                [
                    html.Div(
                        [html.Div(graphs, className="explore-plots"), html.Div(id="explore-summary")], className="left"
                    ),
                    html.Aside(
                        [], id="explore-strip", className="strip", **{"aria-label": "Pictures of what is selected"}
                    ),
                ],
                className="explore-columns",
            ),
            dcc.Store(id="explore-drawn"),
            dcc.Interval(id="explore-tick", interval=GROWING, disabled=True),
        ],
        className="explore",
    )


def register(app: Dash, catalog: Catalog) -> None:
    """Everything follows the URL; marks that are clicked or selected change it."""
    distances = distances_of(catalog)

    @app.callback(
        Output("explore-asked", "children"),
        Output("explore-tools", "children"),
        Output("explore-said", "children"),
        *[Output(name, "figure") for name in PLOTS],
        *[Output(f"{name}-box", "hidden") for name in PLOTS],
        Output("explore-summary", "children"),
        Output("explore-strip", "children"),
        Output("explore-drawn", "data"),
        Input("url", "search"),
        Input("version", "data"),
        Input("scheme", "data"),
        Input("explore-tick", "n_intervals"),
        Before("explore-drawn", "data"),
    )
    def follow(search: str | None, _: int, scheme: str | None, __: int | None, drawn: str | None) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        return draw(catalog, distances, state, scheme, drawn)

    @app.callback(
        Output("explore-tick", "disabled"),
        Input("explore-drawn", "data"),
        Input("explore-tick", "n_intervals"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def look_again(_: str | None, __: int | None, search: str | None) -> bool:
        """While more pictures are compared than the matrix shows."""
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        shown = resolve(catalog, state)
        return shown.kind != "matrix" or not distances.is_growing(shown.experiments, shown.held)

    for i, name in enumerate(PLOTS):
        _follow_marks(app, catalog, i, name)
    app.clientside_callback(
        ClientsideFunction("pick", "mark"), Output("explore-strip", "title"), Input("explore-strip", "children")
    )


def _follow_marks(app: Dash, catalog: Catalog, i: int, name: str) -> None:
    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input(name, "selectedData"),
        Input(name, "clickData"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def mark(selected: dict[str, Any] | None, clicked: dict[str, Any] | None, search: str | None) -> Any:
        last = selected if ctx.triggered and ctx.triggered[0]["prop_id"].endswith("selectedData") else clicked
        return choose(catalog, parse(search), i, last)


def choose(catalog: Catalog, state: State, plot: int, data: dict[str, Any] | None) -> Any:
    """The new query string after marks of the plot of that number were clicked or selected."""
    points = (data or {}).get("points") or []
    if state.view != NAME or not points:  # also what a plot reports when it is drawn anew
        raise PreventUpdate
    shown = resolve(catalog, state)
    if shown.kind == "matrix":
        return components.go(state, lambda s: matrix.picked(s, points[0]))
    figure = shown.y[min(plot, len(shown.y) - 1)]
    return components.go(state, lambda s: strip.picked(s, points, shown.kind, figure))


def draw(
    catalog: Catalog, distances: Distances, state: State, scheme: str | None, drawn: str | None
) -> tuple[Any, ...]:
    """All outputs of `follow`; plots that have not changed are left alone."""
    shown = resolve(catalog, state)
    bare = state.with_(slots=(), cell="", at={}).with_extra(**dict.fromkeys(PICKED)).search()
    found = distances.matrix(shown.experiments, shown.held).ordered() if shown.kind == "matrix" else None
    token = f"{catalog.version()} {scheme} {bare} {len(found.places) if found else ''}"
    same = token == drawn
    if found is not None:
        figures = [] if same else [matrix.plot(found, scheme)]
        pictures = matrix.strip(catalog, state, found)
        held = shown.held.get("layer")
        noise = {layer: n for layer, n in distances.noise(shown.experiments).items() if held in (None, layer)}
        message: Any = matrix.summary(found, noise)
        table: Any = None
    else:
        frame = grouping.cells(catalog, shown.experiments, dict(shown.held), shown.columns)
        if shown.reference:
            frame = grouping.against(frame, shown.reference, [y for y in shown.y if y != shown.x])
        x, by = (grouping.group(catalog, shown.experiments, frame, name) for name in (shown.x, shown.by))
        figures = [] if same else [_figure(frame, x, by, shown, column, scheme) for column in shown.y]
        pictures = strip.strip(catalog, state, shown, frame, x, by)
        message, table = summary(state, shown, frame, x, by)
    for figure, column in zip(figures, shown.y if shown.reference and found is None else (), strict=False):
        plots.mark_reference(figure, shown.kind, column, shown.reference)
    for figure in figures:
        figure.update_layout(uirevision=bare, modebar={"bgcolor": "rgba(0,0,0,0)"})  # zoom stays while the plot does
    return (
        _asked(state, shown.asked),
        no_update if same else tools(catalog, state, shown),
        message,
        *([no_update] * MOST_Y if same else (figures + [no_update] * MOST_Y)[:MOST_Y]),
        *([no_update] * MOST_Y if same else [i >= len(figures) for i in range(MOST_Y)]),
        table,
        pictures,
        token,
    )


def _figure(frame: Any, x: grouping.Groups, by: grouping.Groups, shown: Shown, column: str, scheme: str | None) -> Any:
    if shown.kind == "violin":
        return plots.violins(frame, x, by, shown.x, column, scheme)
    if shown.kind == "heat":
        return plots.heat(frame, x, by, shown.x, shown.by, column, scheme)
    return plots.scatter(frame, x if shown.x in shown.texts else None, by, shown.x, column, scheme)


def _asked(state: State, current: str) -> list[Component]:
    """A link for each ready-made question."""
    return [
        components.link(
            title,
            asking(state, name),
            title=message,
            className="chip",
            **({"aria-current": "true"} if name == current else {}),
        )
        for name, (title, message, _) in ASKED.items()
    ]


def _tools(catalog: Catalog, state: State) -> list[Component]:
    return [] if catalog.problem() else tools(catalog, state, resolve(catalog, state))
