"""A figure over a tag as a drawing: where its points, seeds' noise, lines and labels lie. The template draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

import numpy as np
import pandas as pd

WIDTH, HEIGHT = 340, 210
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 8, 38  # margins, for labels
_CHARACTER = 7.0  # width of one, for labels that may not touch


@dataclass(frozen=True)
class Point:
    """A model; `low` and `high` are its value less and plus the noise of seeds."""

    x: float
    y: float
    low: float
    high: float
    name: str


@dataclass(frozen=True)
class Line:
    """The slope, for models of one combination of held tags."""

    x1: float
    y1: float
    x2: float
    y2: float
    name: str


@dataclass(frozen=True)
class Tick:
    """A label and where it stands on its axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Plot:
    """All in units of the drawing, WIDTH × HEIGHT, y downwards."""

    points: list[Point]
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]


def plot(points: pd.DataFrame, tag: str, row: dict[str, Any], labels: dict[float, str]) -> Plot:
    """The models' values of a figure at one place, and the slope of its trend.

    `points`: rows of `Trend.points` of that place; `row`: its row of `Trend.figures`; `labels`: the tag's values as
    text, by the numbers that `points` has for them.
    """
    x, y = points[tag].to_numpy(float), points[row["figure"]].to_numpy(float)
    noise = float(np.nan_to_num(row["seed_sd"]))
    right, down = _scale(x, LEFT, WIDTH - RIGHT), _scale([*(y - noise), *(y + noise)], HEIGHT - BOTTOM, TOP)
    dots = [
        Point(right(a), down(b), down(b - noise), down(b + noise), _named(model, held, labels[a], b))
        for model, held, a, b in zip(points["model"], points["held"], x, y, strict=True)
    ]
    lines = []
    for held, part in points.groupby("held", sort=False):
        inside, values = part[tag].to_numpy(float), part[row["figure"]].to_numpy(float)
        rest = values - row["slope"] * inside  # Theil-Sen takes their median; least squares, within a stratum, the mean
        start = float(rest.mean() if held else np.median(rest))
        ends = np.array([inside.min(), inside.max()])
        (x1, x2), (y1, y2) = map(right, ends), map(down, start + row["slope"] * ends)
        lines.append(Line(x1, y1, x2, y2, str(held)))
    up = [Tick(down(value), f"{value:.4g}") for value in round_values(float(y.min() - noise), float(y.max() + noise))]
    across = apart([Tick(right(value), text) for value, text in sorted(labels.items())])
    return Plot(dots, lines, across, up)


def round_values(low: float, high: float) -> list[float]:
    """Two to five round numbers (1, 2 or 5 of a power of ten apart) between two ends."""
    span = max(high - low, 1e-12)
    power = 10.0 ** floor(log10(span))
    step = next(s for s in (0.1 * power, 0.2 * power, 0.5 * power, power, 2 * power) if span / s < 5)
    return [float(step * i) for i in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def apart(ticks: Sequence[Tick]) -> list[Tick]:
    """The labels that do not touch the one kept before them; the last one always stands."""
    kept: list[Tick] = []
    for tick in reversed(ticks):
        room = _CHARACTER * (len(tick.text) + (len(kept[-1].text) if kept else 0)) / 2
        if not kept or kept[-1].at - tick.at > room:
            kept.append(tick)
    return kept[::-1]


def _scale(values: Any, first: float, last: float) -> Any:
    """Map values to the drawing, with a little room at both ends."""
    low, high = float(np.min(values)), float(np.max(values))
    room = 0.06 * (high - low) or 0.5
    unit = (last - first) / (high - low + 2 * room)
    return lambda value: round(float(first + unit * (value - low + room)), 1)


def _named(model: str, held: str, at: str, value: float) -> str:
    return f"{model}: {value:.4g} at {at}{f', {held}' if held else ''}"
