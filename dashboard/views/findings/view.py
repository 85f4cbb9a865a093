"""Findings: what differs between A and B, or goes with a tag; how surely, shown by what, and what may be concluded."""

from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html, no_update
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly import graph_objects as go

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.findings import Findings, Job, findings_of
from distcari.dashboard.data.questions import question
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.dashboard.views.findings import plots, words
from distcari.dashboard.views.findings.square import square
from distcari.dashboard.views.findings.tools import tools

NAME, TITLE = "findings", "Findings"
LOOK = 700  # milliseconds between looks at a computation
_CONFIG = {"displaylogo": False, "responsive": True, "displayModeBar": False}


def layout(catalog: Catalog, state: State) -> Component:
    """The question above, the heat map and the findings in words at the left, the chosen square at the right."""
    return html.Div(
        [
            dmc.VisuallyHidden(html.H1(TITLE)),
            html.Div([] if catalog.problem() else tools(catalog, state), id="findings-tools", className="tools"),
            html.P("Comparing …", id="findings-said", className="said", **{"aria-live": "polite"}),
            html.Div([], id="findings-progress"),
            html.Div(
                [
                    html.Div(
                        [
                            html.Section(
                                dcc.Graph(
                                    id="findings-squares",
                                    figure=go.Figure(layout=components.plot(None)),
                                    config=_CONFIG,
                                    responsive=True,
                                ),
                                id="findings-map",
                                className="findings-map",
                                hidden=True,
                                tabIndex=0,
                                **{"aria-label": "Effects: every figure at every layer"},
                            ),
                            html.Div([], id="findings-words"),
                        ],
                        className="left",
                    ),
                    html.Aside([], id="findings-square", className="strip", **{"aria-label": "The chosen square"}),
                ],
                className="findings-columns",
            ),
            dcc.Store(id="findings-drawn"),
            dcc.Interval(id="findings-tick", interval=LOOK, disabled=True),
        ],
        className="findings",
    )


def register(app: Dash, catalog: Catalog) -> None:
    """Everything follows the URL; a square that is clicked changes it."""
    findings = findings_of(catalog)

    @app.callback(
        Output("findings-tools", "children"),
        Output("findings-said", "children"),
        Output("findings-progress", "children"),
        Output("findings-squares", "figure"),
        Output("findings-squares", "style"),
        Output("findings-map", "hidden"),
        Output("findings-words", "children"),
        Output("findings-square", "children"),
        Output("findings-drawn", "data"),
        Output("findings-tick", "disabled"),
        Input("url", "search"),
        Input("version", "data"),
        Input("scheme", "data"),
        Input("findings-tick", "n_intervals"),
        Before("findings-drawn", "data"),
    )
    def follow(search: str | None, _: int, scheme: str | None, __: int | None, drawn: str | None) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        return draw(catalog, findings, state, scheme, drawn)

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("findings-squares", "clickData"),
        Before("url", "search"),
        prevent_initial_call=True,
    )
    def choose(data: dict[str, Any] | None, search: str | None) -> Any:
        return chosen(catalog, findings, parse(search), data)

    app.clientside_callback(
        ClientsideFunction("findings", "note"),
        Output("note-drawer", "opened", allow_duplicate=True),
        Input({"type": "findings-note", "of": "square"}, "n_clicks"),
        prevent_initial_call=True,
    )


def chosen(catalog: Catalog, findings: Findings, state: State, data: dict[str, Any] | None) -> Any:
    """The query string with the clicked square."""
    points = (data or {}).get("points") or []
    if state.view != NAME or not points or catalog.problem():
        raise PreventUpdate
    answer = findings.ask(question(catalog, state)).answer
    if answer is None:
        raise PreventUpdate
    place, figure = points[0]["customdata"]
    places = answer.squares[list(answer.axes)].drop_duplicates()
    row = places.iloc[int(place)]
    at = {axis: str(row[axis]) for axis in answer.axes}
    return components.go(state, lambda s: s.with_(at=at).with_extra(figure=str(figure)))


def draw(catalog: Catalog, findings: Findings, state: State, scheme: str | None, drawn: str | None) -> tuple[Any, ...]:
    """All outputs of `follow`. While an answer is computed, the one that it replaces stays, if there is one."""
    asked = question(catalog, state)
    job = findings.ask(asked)
    answer = job.answer or (None if job.ended.is_set() else findings.before(asked))
    token = f"{state.search()} {scheme} {id(answer)} {job.ended.is_set()} {job.refused}"
    if token == drawn:
        return no_update, no_update, _progress(job), *[no_update] * 6, job.ended.is_set()
    line = tools(catalog, state)
    if answer is None:
        said = job.refused or f"{asked} …"
        return line, said, _progress(job), no_update, no_update, True, [], [], token, job.ended.is_set()
    row = answer.square(state.at, state.own("figure"))
    return (
        line,
        words.summary(catalog, state, answer, job),
        _progress(job),
        plots.squares(answer, row, scheme),
        {"height": plots.height(answer)},
        False,
        words.findings(state, answer),
        square(catalog, state, answer, row, scheme),
        token,
        job.ended.is_set(),
    )


def _progress(job: Job) -> list[Component]:
    """A bar while something is computed."""
    if job.ended.is_set():
        return []
    bar = dmc.Progress(value=100 * job.done, animated=True, size="sm", attributes={"section": _said(job)})
    return [bar]


def _said(job: Job) -> dict[str, str]:
    return {"aria-label": f"{job.asked}: {job.done:.0%} done"}
