"""Side by side: two to four cells under one zoom, by swipe, flicker and difference; their charts and figures.

The slots are the URL's; options are `side.*` (see slots.Options). `side.zoom` and `side.match` belong to
assets/side.js, which writes them to the URL without a question to the server.
"""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, ctx, html, no_update
from dash import State as Held
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from distcari.dashboard.data import differences
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.pictures import PictureError, between, shared_range
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.dashboard.views.side import cards, charts, figures, panes, slots, tools
from distcari.dashboard.views.side.slots import Options

NAME, TITLE = "side", "Side by side"
SPACES = [{"value": "rgb", "label": "R, G, B"}, {"value": "lab", "label": "L*, a*, b*"}]


def layout(catalog: Catalog, state: State) -> Component:
    """Cards, bar, stage, figures; the charts' places keep their height until their callback has filled them."""
    drawn = draw(catalog, state)
    match = state.own("match")
    space = dmc.SegmentedControl(
        id="side-space",
        data=SPACES,
        value=state.own("space") if state.own("space") in ("rgb", "lab") else "rgb",
        size="xs",
        attributes={"root": {"aria-label": "Colour space of the histograms"}},
    )
    return html.Div(
        [
            dmc.VisuallyHidden(html.H1(TITLE)),
            html.Div(drawn["cards"], id="side-cards", className="side-cards"),
            html.Div(
                [html.Div(drawn["tools"], id="side-tools", className="side-choices"), tools.fixed()],
                className="side-bar",
            ),
            html.Div(
                [
                    tools.match_slider(int(match) if match.isdecimal() and int(match[:4]) <= 100 else 0),
                    html.Div(drawn["said"], id="side-said", className="shown-how", **{"aria-live": "polite"}),
                ],
                className="side-line",
            ),
            html.Div(drawn["stage"], id="side-stage"),
            html.Div(drawn["key"], id="side-key", className="side-chart-key"),
            html.Div(charts.frames(space), className="side-charts"),
            html.Div(drawn["figures"], id="side-figures", className="side-figures"),
        ],
        id="side",
        className="side",
    )


PARTS = ("cards", "tools", "said", "stage", "key", "figures")


def register(app: Dash, catalog: Catalog) -> None:
    """Everything follows the URL and the store; the charts by a callback of their own, so that pictures come first."""
    app.clientside_callback(
        ClientsideFunction("side", "ready"),
        Output("side-percent", "title"),
        Input("side-stage", "children"),
        Input("side-cards", "children"),
    )
    app.clientside_callback(
        ClientsideFunction("side", "match"), Output("side-match", "name"), Input("side-match", "value")
    )

    @app.callback(
        *(Output(f"side-{part}", "children") for part in PARTS),
        Input("url", "search"),
        Input("version", "data"),
        prevent_initial_call=True,
    )
    def follow(search: str | None, _: int) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        drawn = draw(catalog, state)
        return [drawn[part] for part in PARTS]

    @app.callback(*(Output(name, "figure") for name in charts.CHARTS), Input("url", "search"), Input("version", "data"))
    def chart(search: str | None, _: int) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        found = slots.cells(catalog, slots.filled(catalog, state))
        space = slots.options(state, len(found)).space
        return (charts.gain(catalog, found), charts.colours(catalog, found, space), charts.spectra(catalog, found))

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input({"type": "side-at", "slot": ALL, "axis": ALL}, "value"),
        Held("url", "search"),
        prevent_initial_call=True,
    )
    def choose(_: Any, search: str | None) -> Any:
        """One selector has changed; those that have just appeared say what is shown already."""
        if len(ctx.triggered) != 1 or not isinstance(ctx.triggered_id, dict):
            return no_update
        return chosen(catalog, search, ctx.triggered_id["slot"], ctx.triggered_id["axis"], ctx.triggered[0]["value"])

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("side-space", "value"),
        Held("url", "search"),
        prevent_initial_call=True,
    )
    def choose_space(space: str, search: str | None) -> Any:
        state = parse(search)
        if state.view != NAME or space == slots.options(state, 2).space:
            return no_update
        return components.go(state, lambda s: s.with_extra(space=space))


def chosen(catalog: Catalog, search: str | None, at: int, axis: str, label: str | None) -> Any:
    """The query string after a choice in a slot's selector; `no_update` where it changes nothing."""
    state = parse(search)
    placed = slots.filled(catalog, state)
    if state.view != NAME or not label or at >= len(placed) or placed[at].get(axis, label) == label:
        return no_update
    linked = slots.options(state, len(placed)).linked
    return state.with_(slots=slots.choose(catalog, placed, linked, at, axis, label)).search()


def draw(catalog: Catalog, state: State) -> dict[str, Any]:
    """All parts of the view but the charts."""
    placed = slots.filled(catalog, state)
    if not placed:
        return dict.fromkeys(PARTS, ())
    found, options = slots.cells(catalog, placed), slots.options(state, len(placed))
    stretch = _stretch(catalog, found) if options.norm == "shared" else None
    scale = _scale(catalog, found, options)
    return {
        "cards": cards.cards(catalog, state, placed, options),
        "tools": tools.tools(state.with_(slots=tuple(placed)), options, len(placed)),
        "said": tools.summary(options, scale, stretch),
        "stage": panes.stage(catalog, state, found, options, scale, stretch),
        "key": charts.key(found),
        "figures": figures.table(catalog, found),
    }


def _stretch(catalog: Catalog, found: Sequence[Slot]) -> tuple[int, int] | None:
    try:
        return shared_range(catalog, [slot.row for slot in found if slot.row is not None])
    except PictureError:  # one is being computed anew: as stored until it is there
        return None


def _scale(catalog: Catalog, found: Sequence[Slot], options: Options) -> float:
    """The scale of all differences: as chosen, or the smallest step that fits all of them."""
    if options.scale != "fit" or options.mode != "difference":
        return float(options.scale) if options.scale != "fit" else differences.USUAL[options.kind]
    maps = []
    for slot in found[1:]:
        if found[0].row is not None and slot.row is not None:
            try:
                whole = between(catalog, found[0].row, slot.row, options.kind)
                maps.append(differences.channel(whole, options.channel))
            except PictureError:
                continue
    return differences.fitting(maps, options.kind)
