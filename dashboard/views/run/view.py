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
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.run_notes import SUMMARIES, is_live, state_of
from distcari.dashboard.data.runs import chosen
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.strip import slot
from distcari.dashboard.views.run.failures import failures
from distcari.planning.durations import duration
from distcari.store.runs import RunNote, Share

NAME, TITLE = "run", "Run"
LIVE, IDLE = 2500, 15_000  # milliseconds between looks
MOST_MODELS, MOST_AT_WORK, NEWEST, MOST_RUNS = 60, 24, 18, 20
MOST_OPEN = 8  # models of a complete run whose bars are shown at once


def layout(catalog: Catalog, state: State) -> Component:
    """The run of the URL, else the one at work, else the newest."""
    run, _ = chosen(catalog, state)
    return html.Div(
        [
            html.Div(draw(catalog, state), id="run-body"),
            dcc.Store(id="run-drawn", data=_token(catalog, state)),
            dcc.Interval(id="run-tick", interval=LIVE if run and is_live(run) else IDLE),  # off in a hidden tab: run.js
        ],
        className="run",
    )


def register(app: Dash, catalog: Catalog) -> None:
    """The page follows the URL and looks again by itself while it is open."""

    @app.callback(
        Output("run-body", "children"),
        Output("run-drawn", "data"),
        Output("run-tick", "interval"),
        Input("url", "search"),
        Input("run-tick", "n_intervals"),
        Before("run-drawn", "data"),
        Before("run-tick", "interval"),
        prevent_initial_call=True,
    )
    def follow(search: str | None, _: int | None, drawn: str | None, interval: int) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        run, _all = chosen(catalog, state)
        wanted = LIVE if run and is_live(run) else IDLE
        token = _token(catalog, state)
        same = token == drawn
        return (no_update if same else draw(catalog, state), token, no_update if interval == wanted else wanted)


def _token(catalog: Catalog, state: State) -> str:
    """What the page depends on; at work also the clock."""
    run, _ = chosen(catalog, state)
    clock = int(datetime.now(UTC).timestamp() / 5) if run and state_of(run) in ("running", "silent") else 0
    return f"{catalog.version()} {clock} {state.own('id')} {state.experiments}"


def draw(catalog: Catalog, state: State) -> list[Component]:
    """The whole page."""
    if catalog.problem():
        return []
    run, every = chosen(catalog, state)
    if run is None:
        return [
            html.P("No run has left a note in this store. One begins with distcari submit CONFIG.", className="quiet")
        ]
    lost, models = failures(catalog, run), [_models(catalog, run), *_at_work(run)]
    facts = [*models, *lost] if is_live(run) else [*lost, *models]
    return [
        _head(catalog, run),
        _bar(Share(run.total, run.done, run.failed), len(run.running), "large"),
        _numbers(run),
        *_advice(catalog, run),
        html.Div(
            [html.Div(facts, className="run-facts"), html.Div(_newest(catalog, state, run), className="run-newest")],
            className="run-columns",
        ),
        *_others(state, run, every),
    ]


def _head(catalog: Catalog, run: RunNote) -> Component:
    info = catalog.experiment(run.experiment)
    message = str(info.meta.get("description") or "") if info else ""
    badge = html.Span({"running": "at work"}.get(state_of(run), state_of(run)), className=f"badge {state_of(run)}")
    return html.Div(
        [
            html.H1([run.experiment, " ", badge]),
            html.Span(message, className="quiet"),
            html.Code(run.run_id, className="quiet"),
        ],
        className="run-head",
    )


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


def _numbers(run: RunNote) -> Component:
    took = ((run.updated_at or datetime.now(UTC)) - run.started_at).total_seconds() if run.started_at else None
    silent = (datetime.now(UTC) - run.updated_at).total_seconds() if run.updated_at else None
    facts = [
        ("done", f"{run.done:,} of {run.total:,}"),
        ("failed", f"{run.failed:,}"),
        ("pending", f"{run.pending:,}"),
        ("rate", f"{columns.number(60 * run.rate)} cells/min" if run.rate else "—"),
        ("time left", duration(run.eta)) if is_live(run) else ("took", duration(took)),
        ("workers", f"{run.actors:,}"),
        *([("on", run.place.partition(" (")[0])] if run.place else []),
        ("done before", f"{run.skipped:,}"),
        ("started", f"{run.started_at:%Y-%m-%d %H:%M:%S} UTC" if run.started_at else "—"),
        (
            "last word",
            f"{duration(silent)} ago"
            if silent is not None and state_of(run) in ("running", "silent")
            else f"{run.updated_at:%Y-%m-%d %H:%M:%S} UTC"
            if run.updated_at
            else "—",
        ),
    ]
    return html.Dl([html.Div([html.Dt(name), html.Dd(value)]) for name, value in facts], className="run-numbers")


def _advice(catalog: Catalog, run: RunNote) -> list[Component]:
    """For a run that is over and not complete: what happened, and the command that goes on."""
    if is_live(run) or (state_of(run) == "finished" and not run.pending):
        return []
    silent = duration((datetime.now(UTC) - run.updated_at).total_seconds()) if run.updated_at else "long"
    state = state_of(run)
    message = SUMMARIES[state].format(silent=silent) if state != "finished" else "Some cells are pending."
    return [html.Div([html.P(message), command(catalog, run)], className="advice", role="status")]


def command(catalog: Catalog, run: RunNote, retry: bool = False) -> Component:
    """The command that goes on, to copy, and the config that it needs."""
    line = runs.command(catalog, run.experiment, retry)
    config = html.A(
        f"{run.experiment}.yaml", href=config_url(run.experiment), className="go", download=f"{run.experiment}.yaml"
    )
    return html.Div(
        [
            html.Div(
                [html.Pre(html.Code(line)), dcc.Clipboard(content=line, title="Copy", className="copy")],
                className="code",
            ),
            html.Small([config, " is the config as the store has it."]),
        ]
    )


def _models(catalog: Catalog, run: RunNote) -> Component:
    """A line for each model, those at work first, complete ones last."""
    info = catalog.experiment(run.experiment)
    at = info.axes.index("model") if info and "model" in info.axes else 0
    now = Counter(labels[at] for labels in run.running if len(labels) > at)
    order = sorted(run.models.items(), key=lambda item: (item[1].done + item[1].failed >= item[1].total, -now[item[0]]))
    lines = []
    for name, share in order[:MOST_MODELS]:
        lost = html.Span(f"{share.failed:,} failed ", className="bad") if share.failed else ""
        lines.append(
            html.Tr(
                [
                    html.Th(components.breakable(name), scope="row"),
                    html.Td(_bar(share, now[name]), className="wide"),
                    html.Td([lost, f"{share.done:,} / {share.total:,}"]),
                ]
            )
        )
    more = len(order) - len(lines)
    rest = [html.P(f"and {more} more models", className="quiet")] if more > 0 else []
    table = [html.Table(html.Tbody(lines), className="by-model"), *rest]
    if not is_live(run) and all(share.done == share.total for share in run.models.values()):  # bars that are all full
        done = html.Summary(f"By model: all {len(order):,} complete")
        return html.Section(html.Details([done, *table], open=len(order) <= MOST_OPEN))
    return html.Section([html.H2("By model"), *table])


def _at_work(run: RunNote) -> list[Component]:
    if not is_live(run):
        return []
    lines = [html.Li(" · ".join(map(text, labels))) for labels in run.running[:MOST_AT_WORK]]
    more = len(run.running) - len(lines)
    lines += [html.Li(f"and {more:,} more", className="quiet")] if more > 0 else []
    shown = html.Ul(lines) if lines else html.P("Nothing yet: workers are loading.", className="quiet")
    return [html.Section([html.H2("Rendering now"), shown], className="at-work")]


def _newest(catalog: Catalog, state: State, run: RunNote) -> list[Component]:
    frame = catalog.frame([run.experiment])
    mine = frame[frame["run_id"] == run.run_id] if len(frame) else frame
    rows = mine.nlargest(NEWEST, "finished_at").to_dict("records") if len(mine) else []
    title = "Newest pictures" if is_live(run) else "Its last pictures"
    if not rows:
        return [html.H2(title), html.P("None in the index yet.", className="quiet")]
    cells = [slot(catalog, {str(name): value for name, value in row.items()}) for row in rows]
    tiles = [components.tile(cell, state, size=160, role="listitem", pickable=False) for cell in cells]
    return [html.H2(title), html.Div(tiles, className="strip-tiles", role="list")]


def _others(state: State, run: RunNote, every: list[RunNote]) -> list[Component]:
    """The runs there are, newest first, each a link."""
    if len(every) < 2:
        return []

    def to(one: RunNote) -> State:
        return state.with_(view=NAME).with_extra(id=one.run_id)

    lines = [
        html.Tr(
            [
                html.Th(components.link(one.run_id, to(one), className="go"), scope="row"),
                html.Td(one.experiment),
                html.Td(html.Span(state_of(one), className=f"badge {state_of(one)}")),
                html.Td(f"{one.done:,} / {one.total:,}"),
                html.Td(f"{one.failed:,} failed" if one.failed else ""),
                html.Td(f"{one.started_at:%Y-%m-%d %H:%M}" if one.started_at else "—"),
            ],
            className="here" if one.run_id == run.run_id else "",
        )
        for one in every[:MOST_RUNS]
    ]
    return [
        html.Section([html.H2("Runs"), html.Div(html.Table(html.Tbody(lines), className="groups"), className="scroll")])
    ]
