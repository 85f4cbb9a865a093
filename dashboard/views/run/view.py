"""Run: how far a run is, live while it runs; what failed and why; the newest pictures; the command that goes on."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from dash import Dash, Input, Output, dcc, html, no_update
from dash import State as Before
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from distcari.dashboard.data import columns, runs
from distcari.dashboard.data.addresses import config_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.run_notes import SUMMARIES, Run, Share
from distcari.dashboard.data.runs import chosen, duration
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.strip import slot
from distcari.dashboard.views.run.failures import failures

NAME, TITLE = "run", "Run"
LIVE, IDLE = 2500, 15_000  # milliseconds between looks
MOST_MODELS, MOST_AT_WORK, NEWEST, MOST_RUNS = 60, 24, 18, 20


def layout(catalog: Catalog, state: State) -> Component:
    """The run of the URL, else the one at work, else the newest."""
    run, _ = chosen(catalog, state)
    return html.Div([
        html.Div(draw(catalog, state), id="run-body"),
        dcc.Store(id="run-drawn", data=_token(catalog, state)),
        dcc.Interval(id="run-tick", interval=LIVE if run and run.live else IDLE),  # off in a hidden tab: run.js
    ], className="run")


def register(app: Dash, catalog: Catalog) -> None:
    """The page follows the URL and looks again by itself while it is open."""
    @app.callback(
        Output("run-body", "children"), Output("run-drawn", "data"), Output("run-tick", "interval"),
        Input("url", "search"), Input("run-tick", "n_intervals"), Before("run-drawn", "data"),
        Before("run-tick", "interval"), prevent_initial_call=True,
    )
    def follow(search: str | None, _: int | None, drawn: str | None, interval: int) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        run, _all = chosen(catalog, state)
        wanted = LIVE if run and run.live else IDLE
        token = _token(catalog, state)
        same = token == drawn
        return (no_update if same else draw(catalog, state), token, no_update if interval == wanted else wanted)


def _token(catalog: Catalog, state: State) -> str:
    """What the page depends on; at work also the clock."""
    run, _ = chosen(catalog, state)
    clock = int(datetime.now(UTC).timestamp() / 5) if run and run.state in ("running", "silent") else 0
    return f"{catalog.version()} {clock} {state.own('id')} {state.experiments}"


def draw(catalog: Catalog, state: State) -> list[Component]:
    """The whole page."""
    if catalog.problem():
        return []
    run, every = chosen(catalog, state)
    if run is None:
        return [html.P("No run has left a note in this store. One begins with python -m distcari.submit CONFIG.",
                       className="quiet")]
    lost, models = failures(catalog, run), [_models(catalog, run), *_at_work(run)]
    facts = [*models, *lost] if run.live else [*lost, *models]
    return [
        _head(catalog, run), _bar(Share(run.total, run.done, run.failed), len(run.running), "large"),
        _numbers(run), *_advice(catalog, run),
        html.Div([
            html.Div(facts, className="run-facts"),
            html.Div(_newest(catalog, state, run), className="run-newest"),
        ], className="run-columns"),
        *_others(state, run, every),
    ]


def _head(catalog: Catalog, run: Run) -> Component:
    info = catalog.experiment(run.experiment)
    message = str(info.meta.get("description") or "") if info else ""
    badge = html.Span({"running": "at work"}.get(run.state, run.state), className=f"badge {run.state}")
    return html.Div([html.H1([run.experiment, " ", badge]), html.Span(message, className="quiet"),
                     html.Code(run.id, className="quiet")], className="run-head")


def _bar(share: Share, running: int = 0, kind: str = "") -> Component:
    """Done, failed and running as shares of a line; the rest is pending."""
    whole = max(share.total, 1)
    at_work = min(running, whole - share.done - share.failed)
    parts = [("done", share.done), ("failed", share.failed), ("running", at_work)]
    spans = [html.Span(className=name, style={"width": f"{100 * n / whole:.3f}%"}) for name, n in parts if n > 0]
    message = f"{share.done:,} of {share.total:,} done" + (f", {share.failed:,} failed" if share.failed else "")
    value = {"aria-valuenow": str(share.done), "aria-valuemin": "0", "aria-valuemax": str(share.total)}
    aria = {"aria-label": message, **value}
    return html.Div(spans, className=f"bar {kind}", role="progressbar", title=message, **aria)


def _numbers(run: Run) -> Component:
    took = ((run.updated or datetime.now(UTC)) - run.started).total_seconds() if run.started else None
    silent = (datetime.now(UTC) - run.updated).total_seconds() if run.updated else None
    facts = [
        ("done", f"{run.done:,} of {run.total:,}"), ("failed", f"{run.failed:,}"), ("pending", f"{run.pending:,}"),
        ("rate", f"{columns.number(60 * run.rate)} cells/min" if run.rate else "—"),
        ("time left", duration(run.left)) if run.live else ("took", duration(took)),
        ("workers", f"{run.actors:,}"), ("done before", f"{run.skipped:,}"),
        ("started", f"{run.started:%Y-%m-%d %H:%M:%S} UTC" if run.started else "—"),
        ("last word", f"{duration(silent)} ago" if silent is not None and run.state in ("running", "silent") else
         f"{run.updated:%Y-%m-%d %H:%M:%S} UTC" if run.updated else "—"),
    ]
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts], className="run-numbers")


def _advice(catalog: Catalog, run: Run) -> list[Component]:
    """For a run that is over and not complete: what happened, and the command that goes on."""
    if run.live or (run.state == "finished" and not run.pending):
        return []
    silent = duration((datetime.now(UTC) - run.updated).total_seconds()) if run.updated else "long"
    message = SUMMARIES[run.state].format(silent=silent) if run.state != "finished" else "Some cells are pending."
    return [html.Div([html.P(message), command(catalog, run)], className="advice", role="status")]


def command(catalog: Catalog, run: Run, retry: bool = False) -> Component:
    """The command that goes on, to copy, and the config that it needs."""
    line = runs.command(catalog, run.experiment, retry)
    config = html.A(f"{run.experiment}.yaml", href=config_url(run.experiment), className="go",
                    download=f"{run.experiment}.yaml")
    return html.Div([html.Div([html.Pre(html.Code(line)), dcc.Clipboard(content=line, title="Copy", className="copy")],
                              className="code"), html.Small([config, " is the config as the store has it."])])


def _models(catalog: Catalog, run: Run) -> Component:
    """A line for each model, those at work first, complete ones last."""
    info = catalog.experiment(run.experiment)
    at = info.axes.index("model") if info and "model" in info.axes else 0
    now = Counter(labels[at] for labels in run.running if len(labels) > at)
    order = sorted(run.models.items(), key=lambda item: (item[1].done + item[1].failed >= item[1].total, -now[item[0]]))
    lines = []
    for name, share in order[:MOST_MODELS]:
        lost = html.Span(f"{share.failed:,} failed ", className="bad") if share.failed else ""
        lines.append(html.Tr([html.Th(components.breakable(name), scope="row"),
                              html.Td(_bar(share, now[name]), className="wide"),
                              html.Td([lost, f"{share.done:,} / {share.total:,}"])]))
    more = len(order) - len(lines)
    rest = [html.P(f"and {more} more models", className="quiet")] if more > 0 else []
    return html.Section([html.H2("By model"), html.Table(html.Tbody(lines), className="by-model"), *rest])


def _at_work(run: Run) -> list[Component]:
    if not run.live:
        return []
    lines = [html.Li(" · ".join(labels)) for labels in run.running[:MOST_AT_WORK]]
    more = len(run.running) - len(lines)
    lines += [html.Li(f"and {more:,} more", className="quiet")] if more > 0 else []
    shown = html.Ul(lines) if lines else html.P("Nothing yet: workers are loading.", className="quiet")
    return [html.Section([html.H2("Rendering now"), shown], className="at-work")]


def _newest(catalog: Catalog, state: State, run: Run) -> list[Component]:
    frame = catalog.frame([run.experiment])
    mine = frame[frame["run_id"] == run.id] if len(frame) else frame
    rows = mine.nlargest(NEWEST, "finished_at").to_dict("records") if len(mine) else []
    title = "Newest pictures" if run.live else "Its last pictures"
    if not rows:
        return [html.H2(title), html.P("None in the index yet.", className="quiet")]
    cells = [slot(catalog, {str(name): value for name, value in row.items()}) for row in rows]
    tiles = [components.tile(cell, state, size=160, role="listitem", pickable=False) for cell in cells]
    return [html.H2(title), html.Div(tiles, className="strip-tiles", role="list")]


def _others(state: State, run: Run, every: list[Run]) -> list[Component]:
    """The runs there are, newest first, each a link."""
    if len(every) < 2:
        return []
    lines = [
        html.Tr([
            html.Th(components.link(one.id, state.with_(view=NAME).with_extra(id=one.id), className="go"), scope="row"),
            html.Td(one.experiment), html.Td(html.Span(one.state, className=f"badge {one.state}")),
            html.Td(f"{one.done:,} / {one.total:,}"), html.Td(f"{one.failed:,} failed" if one.failed else ""),
            html.Td(f"{one.started:%Y-%m-%d %H:%M}" if one.started else "—"),
        ], className="here" if one.id == run.id else "") for one in every[:MOST_RUNS]
    ]
    return [html.Section([html.H2("Runs"), html.Div(html.Table(html.Tbody(lines), className="groups"),
                                                     className="scroll")])]
