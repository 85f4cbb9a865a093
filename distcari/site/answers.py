"""Findings as they were when published: the questions that one asks first, with squares, words and limits."""

from typing import Any

import numpy as np

from distcari.analysis.result import Comparison
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.findings import Answer, findings_of
from distcari.dashboard.data.questions import Question, ordered_tags, question
from distcari.dashboard.data.state import State

MOST_TRENDS = 6


def answers(catalog: Catalog, experiment: str) -> list[dict[str, Any]]:
    """A trend over each ordered tag, then the first two groups or models against each other; without those that the
    analysis refuses (one model, too few values, its extra not installed)."""
    asked = [Question(experiment, "trend", over=tag) for tag in ordered_tags(catalog, experiment)[:MOST_TRENDS]]
    asked.append(question(catalog, State("findings", (experiment,)).with_extra(kind="pair")))
    found = []
    for one in asked:
        job = findings_of(catalog).ask(one)
        job.ended.wait()
        if job.answer is not None:
            found.append(_told(job.answer))
    return found


def _told(answer: Answer) -> dict[str, Any]:
    """An answer as JSON. Each of `squares`: labels of its place, figure, effect (null: none), whether significant, the
    sentence; the surest first."""
    asked, sure = answer.asked, int(answer.squares["significant"].sum())
    return {
        "asked": str(asked),
        "state": {name: text for name in ("kind", "a", "b", "over") if (text := getattr(asked, name))},
        "said": f"{_whom(answer)} {sure or 'None'} of {len(answer.squares)} squares {'is' if sure == 1 else 'are'} "
        f"significant{f' (corrected p at most {answer.found.alpha:g}, marked *)' if sure else ''}. "
        f"Effects in {answer.measure}.",
        "axes": list(answer.axes),
        "squares": [
            [
                [row[axis] for axis in answer.axes],
                row["figure"],
                _number(row["value"]),
                bool(row["significant"]),
                row["told"],
            ]
            for row in answer.rows.to_dict("records")
        ],
        "notes": list(answer.notes),
    }


def _whom(answer: Answer) -> str:
    found = answer.found
    if isinstance(found, Comparison):
        sides = (_models(found.a.models), _models(found.b.models))
        return f"A: {sides[0]}; B: {sides[1]}; the units are {'seeds' if found.unit == 'seed' else 'trainings'}."
    return f"{found.tag} over {found.points['model'].nunique()} models."


def _models(models: tuple[str, ...]) -> str:
    return ", ".join(map(str, models[:4])) + (f" and {len(models) - 4} more" if len(models) > 4 else "")


def _number(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None
