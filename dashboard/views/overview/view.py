"""Overview: the first page. What the experiment is and how far; which models see alike; where they differ most."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import Dash, Input, Output, dcc, html, no_update
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly import graph_objects as go

from distcari.dashboard.data import columns, overview
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import SIDE, Distances, Matrix, distances_of
from distcari.dashboard.data.run_notes import is_live, state_of
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.dashboard.views.overview import plots
from distcari.grid import shape_text

NAME, TITLE = "overview", "Overview"
EVERY = "every layer"
GROWING = 2000  # milliseconds between looks while more pictures are compared
MOST_PAIRS = 8
_CONFIG = {"displaylogo": False, "responsive": True, "displayModeBar": False}


def layout(catalog: Catalog, state: State) -> Component:
    """The experiment in words at once; the callback fills in what needs pictures to be compared."""
    empty = go.Figure(layout=components.plot(None))
    if catalog.problem():
        return html.Div(_shell(empty, [], []), className="overview")
    return html.Div([*_head(catalog, state), *_shell(empty, _tools(catalog, state), [])], className="overview")


def _shell(empty: go.Figure, tools: list[Component], lists: list[Component]) -> list[Component]:
    return [
        html.Div(tools, id="overview-tools", className="tools"),
        html.P("Comparing pictures …", id="overview-said", className="said", **{"aria-live": "polite"}),
        html.Div(
            [
                html.Section(
                    [
                        html.H2(title),
                        html.Div(
                            dcc.Graph(id=name, figure=empty, config=_CONFIG, responsive=True), className="overview-plot"
                        ),
                    ],
                    **{"aria-label": title},
                )
                for name, title in (("overview-map", "Which models see alike"), ("overview-tree", "Every pair"))
            ],
            className="overview-plots",
        ),
        html.Div(lists, id="overview-lists", className="overview-lists"),
        dcc.Store(id="overview-drawn"),
        dcc.Interval(id="overview-tick", interval=GROWING, disabled=True),
    ]


def _head(catalog: Catalog, state: State) -> list[Component]:
    """Name, description, size and state of each experiment, in words."""
    parts: list[Component] = []
    for name in catalog.chosen(state):
        info = catalog.experiment(name)
        if info is None:
            continue
        done, lost = len(catalog.frame([name])), len(catalog.failures([name]))
        shape = shape_text({axis: info.labels[axis] for axis in info.axes})
        here = State("compare", experiments=(name,))
        said: list[Any] = [components.link(shape, here), f": {done:,} cells done"]
        if lost:
            said += [", ", components.link(f"{lost:,} failed", here.with_(view="run"), className="failed")]
        if run := next((run for run in catalog.runs() if run.experiment == name), None):
            word = "at work" if is_live(run) else state_of(run)
            when = f"{run.updated_at:%Y-%m-%d %H:%M} UTC" if run.updated_at else ""
            said += [" · last run ", components.link(f"{word} {when}".strip(), here.with_(view="run"))]
        if tags := catalog.tags([name]):
            said += [f" · tags {', '.join(tags)}"]
        parts += [
            html.Div(
                [html.H1(name), html.Span(str(info.meta.get("description") or ""), className="quiet")],
                className="run-head",
            ),
            html.P(said, className="facts"),
        ]
    return parts


def register(app: Dash, catalog: Catalog) -> None:
    """Plots and lists follow the URL; a field leads to its pair, a point to its model."""
    distances = distances_of(catalog)

    @app.callback(
        Output("overview-tools", "children"),
        Output("overview-said", "children"),
        Output("overview-map", "figure"),
        Output("overview-tree", "figure"),
        Output("overview-lists", "children"),
        Output("overview-drawn", "data"),
        Output("overview-tick", "disabled"),
        Input("url", "search"),
        Input("version", "data"),
        Input("scheme", "data"),
        Input("overview-tick", "n_intervals"),
        Before("overview-drawn", "data"),
    )
    def follow(search: str | None, _: int, scheme: str | None, __: int | None, drawn: str | None) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        chosen = catalog.chosen(state)
        matrix = distances.matrix(chosen, {})
        token = f"{catalog.version()} {scheme} {state.search()} {len(matrix.places)}"
        still = not distances.is_growing(chosen, {})
        if token == drawn:
            return *[no_update] * 6, still
        return *draw(catalog, distances, state, matrix, scheme), token, still

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("overview-tree", "clickData"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def open_pair(data: dict[str, Any] | None, search: str | None) -> Any:
        state, point = parse(search), _point(data)
        if state.view != NAME or len(point) != 2 or point[0] == point[1]:
            raise PreventUpdate
        return pair_state(state, point[0], point[1], _layer(catalog, state)).search()

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("overview-map", "clickData"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def open_model(data: dict[str, Any] | None, search: str | None) -> Any:
        state, point = parse(search), _point(data)
        if state.view != NAME or not point:
            raise PreventUpdate
        return State("compare", state.experiments, rows="image", cols="layer", at={"model": point[0]}).search()


def _point(data: dict[str, Any] | None) -> list[str]:
    points = (data or {}).get("points") or [{}]
    return [str(label) for label in points[0].get("customdata") or []]


def pair_state(state: State, a: str, b: str, layer: str = "") -> State:
    """Two models' pictures, place by place, farthest apart first; of one layer if one is named."""
    found = State("explore", experiments=state.experiments).with_extra(kind="matrix", pair=a, pair_b=b)
    return found.with_extra(in_layer=layer) if layer else found


def _layer(catalog: Catalog, state: State) -> str:
    """The layer that is looked at; empty for all."""
    return state.own("layer") if state.own("layer") in catalog.labels(catalog.chosen(state), "layer") else ""


def _tag(catalog: Catalog, state: State) -> str:
    tags = catalog.tags(catalog.chosen(state))
    return state.own("by") if state.own("by") in tags else next(iter(tags), "")


def _is_ordered(catalog: Catalog, chosen: Sequence[str], tag: str) -> bool:
    return catalog.tags(chosen).get(tag, "text") != "text"


def _tools(catalog: Catalog, state: State) -> list[Component]:
    layers = catalog.labels(catalog.chosen(state), "layer")
    tags = catalog.tags(catalog.chosen(state))
    to = [{"value": name, "label": name} for name in layers]
    found = [components.choice("overview.layer", "layer", to, _layer(catalog, state) or None, EVERY)]
    if tags:
        by = [{"value": name, "label": name} for name in tags]
        found.append(components.choice("overview.by", "colour by tag", by, _tag(catalog, state)))
    return found


def draw(catalog: Catalog, distances: Distances, state: State, matrix: Matrix, scheme: str | None) -> tuple[Any, ...]:
    """Tools, a sentence, both plots and the lists."""
    chosen, layer = catalog.chosen(state), _layer(catalog, state)
    tools = _tools(catalog, state)
    if len(matrix.models) < 2 or not matrix.places:
        said = (
            "Two models with finished pictures of the same image, layer and seed are needed for a map; there are none."
        )
        empty = go.Figure(layout=components.plot(scheme))
        return tools, said, empty, empty, _layers(catalog, state, [])
    by_layer = overview.layers_of(matrix)
    distance = by_layer.get(layer, matrix.mean) if layer else matrix.mean
    np.fill_diagonal(distance, 0)
    tag = _tag(catalog, state)
    groups = catalog.tagged(chosen, tag) if tag else {"models": list(matrix.models)}
    drawn, kept = plots.model_map(matrix.models, distance, groups, _is_ordered(catalog, chosen, tag), scheme)
    summaries = overview.summaries(catalog, distances, chosen, matrix)
    said = _sentence(matrix, layer, kept)
    lists = [_pairs(state, matrix, summaries), _layers(catalog, state, summaries)]
    return tools, said, drawn, plots.tree_matrix(matrix.models, distance, scheme), lists


def _sentence(matrix: Matrix, layer: str, kept: float) -> str:
    n = len(matrix.places)
    over = f"{n:,} of {matrix.total:,} pictures of each model" if n < matrix.total else f"{n:,} pictures of each model"
    left = (
        f" The first {len(matrix.models)} models; {matrix.models_left_out} are left out."
        if matrix.models_left_out
        else ""
    )
    where = f" at {layer}" if layer else ""
    return (
        f"Mean ΔE2000{where} between pictures of one image, layer and seed at {SIDE} × {SIDE}, over {over}; 1 is just "
        f"noticeable. The map keeps {kept:.0%} of the squared distances.{left} Click a field for its pictures, a point "
        "for its model."
    )


def _pairs(state: State, matrix: Matrix, summaries: list[overview.LayerSummary]) -> Component:
    """The pairs that lie farthest apart, each a link to their pictures."""
    noise = {summary.layer: summary.noise for summary in summaries}
    rows = []
    for pair in overview.pairs(matrix)[:MOST_PAIRS]:
        link = components.link(f"{pair.a}{plots.BETWEEN}{pair.b}", pair_state(state, pair.a, pair.b, pair.layer))
        floor = noise.get(pair.layer, np.nan)
        times = f"× {pair.there / floor:.1f}" if floor > 0 else "—"
        rows.append([link, pair.layer, columns.number(pair.there), times])
    text = "Which two models differ most, and where"
    return _table("overview-pairs", text, ["models", "farthest at", "ΔE there", "against seeds"], rows)


def _layers(catalog: Catalog, state: State, summaries: list[overview.LayerSummary]) -> Component:
    """The layers: how far models lie apart there, against seeds, and which hardly respond."""
    rows: list[list[Any]] = []
    for one in summaries:
        at = State("compare", experiments=state.experiments, rows="model", cols="image", at={"layer": one.layer})
        times = f"× {one.between / one.noise:.2f}" if one.noise > 0 else "—"
        hardly = (
            "—" if np.isnan(one.hardly) else f"{one.hardly:.0%}" + (" — hardly responds" if one.hardly >= 0.5 else "")
        )
        rows.append(
            [components.link(one.layer, at), columns.number(one.between), columns.number(one.noise), times, hardly]
        )
    table = _table(
        "overview-layers",
        "Layers",
        ["layer", "ΔE between models", "between seeds", "ratio", "pictures it hardly responds to"],
        rows,
    )
    one_seed = len(catalog.labels(catalog.chosen(state), "seed")) < 2 if not catalog.problem() else False
    note = (
        "One seed only: nothing here says how much of a distance is chance. Submit with seeds=[0, 1] to know."
        if one_seed
        else "Between seeds: two starts of one model, image and layer. A ratio near 1: models differ no more than that."
    )
    return html.Div([table, html.P(note, className="quiet small")])


def _table(name: str, title: str, heads: list[str], rows: list[list[Any]]) -> Component:
    body = [html.Tr([html.Th(row[0], scope="row"), *(html.Td(value) for value in row[1:])]) for row in rows]
    head = html.Thead(html.Tr([html.Th(text, scope="col") for text in heads]))
    return html.Section(
        [
            html.H2(title),
            dmc.Box(html.Table([head, html.Tbody(body)], className="groups"), className="scroll", tabIndex=0),
        ],
        id=name,
        **{"aria-label": title},
    )
