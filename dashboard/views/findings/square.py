"""The chosen square of Findings: its sentence, its units, image by image, and pictures of the best and usual case."""

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.evidence import Evidence
from distcari.dashboard.data.findings import Answer
from distcari.dashboard.data.questions import members
from distcari.dashboard.data.state import State
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.strip import labels_of, slot
from distcari.dashboard.views.findings import plots
from distcari.dashboard.views.findings.words import place_of
from distcari.grid import label_text

_CONFIG = {"displaylogo": False, "responsive": True, "displayModeBar": False}


def square(
    catalog: Catalog, state: State, answer: Answer, row: dict[str, Any] | None, scheme: str | None
) -> list[Component]:
    """Everything about one square; a hint where there is none."""
    if row is None:
        return [html.P("There is nothing to show.", className="quiet hint")]
    evidence = Evidence(answer, {axis: str(row[axis]) for axis in answer.axes}, str(row["figure"]))
    head = f"{columns.title(evidence.figure)} at {place_of(answer, row)}" if answer.axes else evidence.figure
    said = row["told"] + (" — significant" if row["significant"] else " — not significant")
    note = html.Button(
        "✎ Note it",
        id={"type": "findings-note", "of": "square"},
        className="findings-note",
        title="A note on this finding, with its sentence",
        **{"data-note": f"{answer.asked}: {place_of(answer, row)}: {said}."},
    )
    trend = answer.asked.kind == "trend"
    parts: list[Component] = [
        html.Div([html.H2(head), note], className="strip-head"),
        html.P(said, className="findings-told"),
        html.P(columns.meaning(evidence.figure), className="quiet small"),
        html.H3(f"Over {answer.asked.over}" if trend else "Each unit, averaged over images"),
        _graph("findings-units", plots.units(evidence, scheme), 220),
    ]
    if len(evidence.images) > 1:
        held = int((evidence.images["value"] * (1 if row["value"] >= 0 else -1) > 0).sum())
        parts += [
            html.H3(f"Does it hold for each image? The same way in {held} of {len(evidence.images)}"),
            _graph("findings-images", plots.images(evidence, scheme), 60 + 22 * max(3, len(evidence.images))),
        ]
    for title, place in evidence.shown:
        parts += _pictures(catalog, state, evidence, title, place)
    return [*parts, html.P(_links(catalog, state, answer, evidence), className="small")]


def _graph(name: str, figure: Any, height: int) -> Component:
    graph = dcc.Graph(id=name, figure=figure, config=_CONFIG, responsive=True, style={"height": f"{height}px"})
    return html.Div(graph, className="findings-plot")


def _pictures(catalog: Catalog, state: State, evidence: Evidence, title: str, place: str) -> list[Component]:
    """The pictures of one image: A's, then B's; or along the tag."""
    groups = []
    for side, rows in evidence.cells(place):
        name = f"{evidence.answer.asked.over} {label_text(side)}" if isinstance(side, float) else side
        tiles = [
            components.tile(slot(catalog, row), state, size=160, label=evidence.figure, role="listitem") for row in rows
        ]
        groups.append(
            html.Div([html.Div(name, className="findings-side"), *tiles], role="list", **{"aria-label": name})
        )
    kind = "findings-along" if evidence.answer.asked.kind == "trend" else "findings-pair"
    return [html.H3(f"{title}: {place}" if place else title), html.Div(groups, className=kind)]


def _links(catalog: Catalog, state: State, answer: Answer, evidence: Evidence) -> list[Component | str]:
    """The ways on: all pictures of this layer; two of them side by side."""
    asked = answer.asked
    at = {axis: label for axis, label in evidence.at.items() if axis not in ("model", "image")}
    grid = State("compare", (asked.experiment,), rows="model", cols="image", at=at)
    if asked.kind == "trend":
        grid = grid.with_extra(by=asked.over)
    elif "=" in asked.a and len(members(catalog, asked)[0]) > 1:
        grid = grid.with_extra(by=asked.a.partition("=")[0])
    links: list[Component | str] = [components.link("All pictures of this layer in Compare", grid, className="go")]
    place = evidence.shown[0][1] if evidence.shown else ""
    firsts = [rows[0] for _, rows in evidence.cells(place) if rows]
    if len(firsts) > 1:
        two = (firsts[0], firsts[-1])
        side = State("side", (asked.experiment,), slots=tuple(labels_of(slot(catalog, row)) for row in two))
        links += [" · ", components.link("The first and the last side by side", side, className="go")]
    return links
