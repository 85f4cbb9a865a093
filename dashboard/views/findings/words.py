"""Findings in words: what was asked and of whom, the surest findings as links, and what may be concluded."""

from typing import Any

from dash import html
from dash.development.base_component import Component

from distcari.analysis.result import Comparison
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.findings import Answer, Job
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.questions import REST
from distcari.dashboard.data.state import State
from distcari.dashboard.page import components
from distcari.dashboard.views.findings.plots import legend

MOST_TOLD, MOST_NAMED = 12, 4


def summary(catalog: Catalog, state: State, answer: Answer, job: Job) -> list[Component | str]:
    """The question with its groups, and how many squares are significant."""
    found, sure = answer.found, int(answer.squares["significant"].sum())
    parts: list[Component | str] = []
    if isinstance(found, Comparison):
        for (name, colour), side in zip(legend(["A", "B"]), (found.a, found.b), strict=True):
            asked = answer.asked.a if name == "A" else answer.asked.b
            shown = "all others" if asked == REST else asked
            mark = html.B(name, style={"color": colour})
            parts += [mark, f" {shown}{_named(side.models, shown)}; "]
        unit = {"seed": "seeds", "training": "trainings"}[found.unit]
        parts.append(f"the units are {unit}. ")
    else:
        models = found.points["model"].nunique()
        held = f", {' and '.join(found.held)} held" if found.held else ""
        parts.append(f"{found.tag} over {models} models{held}. ")
    parts.append(f"{sure or 'None'} of {len(answer.squares)} squares {'is' if sure == 1 else 'are'} significant")
    parts.append(f" (corrected p at most {found.alpha:g}, marked *). " if sure else ". ")
    others = catalog.chosen(state)[1:]
    if others:
        parts.append(f"Only {answer.asked.experiment} is asked, not {', '.join(others)}. ")
    if not job.ended.is_set():
        parts.append("The store has grown: it is being computed anew.")
    return parts


def findings(state: State, answer: Answer) -> list[Component]:
    """The surest findings, each a link to its square; and the limits."""
    rows: list[dict[str, Any]] = [{str(k): v for k, v in row.items()} for row in answer.rows.to_dict("records")]
    sure = [row for row in rows if row["significant"]]
    title = "The surest first" if sure else "Nothing is significant; the largest"
    items = [html.Li(_line(state, answer, row)) for row in (sure or rows)[: MOST_TOLD if sure else 3]]
    more = len(sure) - len(items)
    return [
        html.Section(
            [
                html.H2(title),
                html.Ul(items, className="findings-list"),
                html.P(f"and {more} more, in the squares", className="quiet small") if more > 0 else None,
            ],
            **{"aria-label": title},
        ),
        html.Section(
            [html.H2("What may be concluded"), html.Ul([html.Li(note) for note in answer.notes])],
            className="findings-limits",
            **{"aria-label": "What may be concluded"},
        ),
    ]


def place_of(answer: Answer, row: dict[str, Any]) -> str:
    """The square's place in words; empty where all layers are averaged."""
    return " · ".join(str(row[axis]) for axis in answer.axes)


def _line(state: State, answer: Answer, row: dict[str, Any]) -> Component:
    to = state.with_(at={axis: str(row[axis]) for axis in answer.axes}).with_extra(figure=str(row["figure"]))
    return components.link([html.B(place_of(answer, row)), " ", row["told"]], to)


def _named(models: tuple[str, ...], shown: str) -> str:
    if len(models) == 1:
        return "" if models[0] == shown else f" ({models[0]})"
    some = ", ".join(map(text, models[:MOST_NAMED]))
    return f" ({len(models)} models: {some}{' …' if len(models) > MOST_NAMED else ''})"
