"""A group of models as one line of Compare: the mean of its pictures and of its figures."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from distcari.dashboard.data.columns import NUMBERS
from distcari.dashboard.data.facets import Facets, Slot
from distcari.dashboard.data.families import Family

MOST = 24  # pictures in a mean; of larger groups so many, taken evenly


def folded(of: Family, grid: Facets, rows: str, cols: str) -> Facets:
    """The grid with each group's lines as one, labelled by the tag's value; it must be grouped."""
    if not of.values or "model" not in (rows, cols):
        return grid
    if rows != "model":
        return _turned(folded(of, _turned(grid), cols, rows))
    parts = [(value, [i for i, _ in part]) for value, part in groupby(enumerate(grid.rows), lambda p: of.values[p[1]])]
    lines = [tuple(_mean(value, [grid.slots[i][j] for i in at]) for j in range(len(grid.cols))) for value, at in parts]
    return Facets(tuple(value for value, _ in parts), grid.cols, tuple(lines))


def mean_figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Each figure's mean over the cells that have it."""
    found = {}
    for name in NUMBERS:
        known = [float(row[name]) for row in rows if isinstance(row.get(name), int | float | np.number)]
        known = [value for value in known if np.isfinite(value)]
        if known:
            found[name] = float(np.mean(known))
    return found


def _mean(value: str, slots: Sequence[Slot]) -> Slot:
    """One place of the group: done if any of its cells is; else as the first is, with its reason."""
    rows = [slot.row for slot in slots if slot.row is not None]
    first = slots[0]
    labels = {**first.labels, "model": value}
    if not rows:
        return Slot(first.experiment, labels, first.status, first.reason)
    some = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, MOST).astype(int))]
    return Slot(first.experiment, labels, "done", "", "", mean_figures(rows), tuple(some), len(rows))


def _turned(grid: Facets) -> Facets:
    return Facets(grid.cols, grid.rows, tuple(zip(*grid.slots, strict=True)) if grid.rows else ())
