"""Trends over a tag as one self-contained HTML page: plots, tables, intervals and the pictures that show them."""

from collections.abc import Iterator
from math import isnan
from typing import Any

import pandas as pd

from distcari.analysis import trend_plot
from distcari.analysis.page import inline, input_images, rendered
from distcari.analysis.result import places
from distcari.analysis.study import Study
from distcari.analysis.trend_result import MEANINGS, Trend, headline, sentence
from distcari.store.arrays import to_8_bit

MOST_PLOTS, UNSURE = 40, 3  # plots; where nothing is significant


def html(found: Trend, study: Study, command: str = "") -> str:
    """The page. `command` is what was typed for it, and stands at its foot."""
    sections = list(_sections(found, study))
    return rendered(
        "trend.html",
        found=found,
        study=study,
        command=command,
        models=found.points["model"].nunique(),
        sure=int(found.figures["significant"].sum()),
        plotted=sum(len(section["plots"]) for section in sections),
        sections=sections,
        shown=list(_shown(found, study)),
        columns=MEANINGS,
        drawing=trend_plot,
        inputs=input_images(study, found.pictures["image"]) if len(found.pictures) else {},
    )


def _sections(found: Trend, study: Study) -> Iterator[dict[str, Any]]:
    """By layer: plots of its significant trends, the surest first, and all its rows."""
    by, labels = places(found.figures), _labels(found, study)
    drawn = set(_drawn(found.figures).index)
    for at, part in found.figures.groupby(by, sort=False) if by else [((), found.figures)]:
        here = dict(zip(by, at, strict=True))
        points = found.points
        for axis, label in here.items():
            points = points[points[axis] == label]
        ordered = part.sort_values("p", kind="stable")
        rows = [{str(name): value for name, value in row.items()} for row in ordered.to_dict("records")]
        yield {
            "where": ", ".join(f"{axis} {label}" for axis, label in here.items()) or "All layers",
            "headline": headline(here, part),
            "rows": [{**row, "line": _line(row)} for row in rows],
            "plots": [
                {
                    "figure": row["figure"],
                    "significant": row["significant"],
                    "sentence": sentence(row, found.tag),
                    "plot": trend_plot.plot(points, found.tag, row, labels),
                }
                for index, row in zip(ordered.index, rows, strict=True)
                if index in drawn
            ],
        }


def _drawn(figures: pd.DataFrame) -> pd.DataFrame:
    """The rows that get a plot: the surest of what is significant, else those that come nearest to it."""
    known = figures[figures["rho"].notna()].sort_values("p", kind="stable")
    return known[known["significant"]].head(MOST_PLOTS) if known["significant"].any() else known.head(UNSURE)


def _labels(found: Trend, study: Study) -> dict[float, str]:
    """The tag's values as text, by the numbers that stand for them."""
    numbers = found.points.drop_duplicates("model")
    texts = study.tags[found.tag]
    return {
        float(number): f"{value:g}" if isinstance(value := texts[model], int | float) else str(value)
        for model, number in zip(numbers["model"], numbers[found.tag], strict=True)
    }


def _line(row: dict[str, Any]) -> dict[str, float] | None:
    """Where to draw a rank correlation and its interval, in percent of the width; None if there is no interval."""
    if isnan(row["rho_low"]):
        return None
    low, at, high = (50 + 50 * row[name] for name in ("rho_low", "rho", "rho_high"))
    return {"low": low, "at": at, "width": high - low}


def _shown(found: Trend, study: Study) -> Iterator[dict[str, Any]]:
    """The pictures of the surest trends, in the tag's order."""
    if found.pictures.empty:
        return
    labels = _labels(found, study)
    for _, part in found.pictures.groupby("rank", sort=True):
        first = part.iloc[0]
        yield {
            "figure": first["figure"],
            "significant": bool(first["significant"]),
            "image": first["image"],
            "where": ", ".join(str(first[axis]) for axis in study.blocks if axis != "image"),
            "cells": [
                {**cell, "at": labels[cell["tag"]], "src": inline(to_8_bit(study.picture(str(cell["key"]))))}
                for cell in part.to_dict("records")
            ],
        }
