"""The frame around the views: header, tabs, choice of experiments, the URL's one owner, what to do without data."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import dash_mantine_components as dmc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.snapshot import Problem
from distcari.dashboard.data.state import State as View
from distcari.dashboard.data.state import parse
from distcari.dashboard.page import components, note_drawer

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
POLL = 3000  # milliseconds between a page's questions whether the store has changed

KEYS = {
    "← →": "layer before, after; in a grid: the tile left, right",
    "↑ ↓": "image before, after; in a grid: the tile above, below",
    "m  M": "next model, model before",
    ". ,  ] [": "next seed, seed before; the same of the first setting that is swept",
    "1 2 3 4": "put the picture under the pointer into slot A, B, C, D; in Side by side: the slot that keys move",
    "Enter": "open the focused picture",
    "s w f d": "side by side, swipe, flicker, difference (in Side by side)",
    "Space": "flicker while it is held (in Side by side)",
    "x  g": "swap A and B; move all slots together (in Side by side)",
    "+ − 0 9": "zoom in, out, fit, one to one (in Side by side)",
    "n": "a note on this view",
    "t": "light or dark",
    "?": "this list",
}

# Before anything is drawn: the remembered scheme, so that a dark page never flashes white. Its hash is in the policy.
SCHEME = """
(function () {
  var kept = localStorage.getItem("mantine-color-scheme-value") || "auto";
  var dark = kept === "dark" || (kept === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.setAttribute("data-mantine-color-scheme", dark ? "dark" : "light");
})();
"""
INDEX = f"""<!DOCTYPE html>
<html lang="en">
<head>
{{%metas%}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{%title%}}</title>
<script>{SCHEME}</script>
{{%favicon%}}
{{%css%}}
</head>
<body>
{{%app_entry%}}
<footer>{{%config%}}{{%scripts%}}{{%renderer%}}</footer>
</body>
</html>"""


def frame(views: Mapping[str, ModuleType]) -> Component:
    """The page without a view in it."""
    header = html.Header(
        [
            html.A("distcari", href="?", className="name", **{"data-go": ""}),
            html.Nav(id="tabs", **{"aria-label": "Views"}),
            dmc.MultiSelect(
                id="experiments",
                data=[],
                value=[],
                size="xs",
                searchable=True,
                placeholder="experiment",
                attributes={"input": {"aria-label": "Experiments"}},
                className="experiments",
                hidePickedOptions=True,
            ),
            note_drawer.button(),
            html.Button("?", id="help-open", className="plain", title="Keys (?)", **{"data-key": "?"}),
            dmc.ColorSchemeToggle(
                id="theme",
                lightIcon=html.Span("☀"),
                darkIcon=html.Span("☾"),
                size="md",
                variant="subtle",
                color="gray",
                attributes={"root": {"aria-label": "Light or dark", "title": "Light or dark (t)", "data-key": "t"}},
            ),
        ],
        className="top",
    )
    rows = [html.Tr([html.Td(dmc.Kbd(key)), html.Td(text)]) for key, text in KEYS.items()]
    keys = dmc.Table(html.Tbody(rows), withRowBorders=False)
    return dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh=False),
            dcc.Store(id="goto"),
            dcc.Store(id="shown"),
            dcc.Store(id="scheme"),
            dcc.Store(id="version", data=0),
            dcc.Interval(id="tick", interval=POLL),
            header,
            html.Main(id="page"),
            html.Div(id="card", **{"aria-hidden": "true"}),
            dmc.Modal(keys, id="help", title="Keys", size="lg"),
            note_drawer.drawer(),
        ],
        defaultColorScheme="auto",
        theme={"primaryColor": "blue", "defaultRadius": "sm", "fontFamily": FONT},
    )


def register(app: Dash, catalog: Catalog, views: Mapping[str, ModuleType]) -> None:
    """The frame's callbacks."""
    app.clientside_callback(
        ClientsideFunction("shell", "go"), Output("url", "search"), Input("goto", "data"), prevent_initial_call=True
    )
    app.clientside_callback(
        ClientsideFunction("shell", "scheme"), Output("scheme", "data"), Input("theme", "computedColorScheme")
    )
    app.clientside_callback(
        ClientsideFunction("shell", "open"),
        Output("help", "opened"),
        Input("help-open", "n_clicks"),
        prevent_initial_call=True,
    )

    app.clientside_callback(
        ClientsideFunction("shell", "param"),
        Output("goto", "data", allow_duplicate=True),
        Input({"type": "param", "name": ALL}, "value"),
        prevent_initial_call=True,
    )

    @app.callback(Output("version", "data"), Input("tick", "n_intervals"), State("version", "data"))
    def poll(_: int | None, known: int) -> Any:
        version = catalog.version()
        return no_update if version == known else version

    @app.callback(
        Output("page", "children"),
        Output("shown", "data"),
        Output("tabs", "children"),
        Output("experiments", "data"),
        Output("experiments", "value"),
        Input("url", "search"),
        Input("version", "data"),
        State("shown", "data"),
        State("experiments", "data"),
        State("experiments", "value"),
    )
    def show(search: str | None, _: int, shown: str | None, known: list[str], picked: list[str]) -> Any:
        state, problem = parse(search), catalog.problem()
        chosen = catalog.chosen(state)
        shape = [(axis, len(catalog.labels(chosen, axis))) for axis in catalog.axes(chosen)]
        token = problem.title if problem else f"{state.view} {chosen} {shape}"
        if token == shown:
            page: Any = no_update
        else:
            page = trouble(problem) if problem else views[state.view].layout(catalog, state)
        names, wanted = catalog.experiments(), list(chosen)
        same, alike = names == known, wanted == picked
        return page, token, tabs(views, state), no_update if same else names, no_update if alike else wanted

    @app.callback(
        Output("goto", "data", allow_duplicate=True),
        Input("experiments", "value"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def choose(names: list[str] | None, search: str | None) -> Any:
        state = parse(search)
        if tuple(names or ()) == catalog.chosen(state):
            return no_update
        at = {axis: label for axis, label in state.at.items() if axis != "experiment"}
        return components.go(state, lambda s: s.with_(experiments=tuple(names or ()), at=at))


def tabs(views: Mapping[str, ModuleType], state: View) -> list[Component]:
    """A link for each view; what the state says of other things goes along."""
    return [
        components.link(module.TITLE, state.with_(view=name), className="view-tab", **current(name == state.view))
        for name, module in views.items()
    ]


def current(here: bool) -> dict[str, str]:
    """The attribute that says which tab is shown."""
    return {"aria-current": "page"} if here else {}


def trouble(problem: Problem) -> Component:
    """Why there is nothing to show, and the commands that mend it."""
    commands = [html.Pre(html.Code(command)) for command in problem.commands]
    return html.Section([html.H1(problem.title), html.P(problem.text), *commands], className="trouble")
