"""What of each experiment is published: its labels, its finished cells by their place in the grid, its failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.run_notes import is_live
from distcari.dashboard.data.snapshot import ExperimentInfo
from distcari.errors import InputError
from distcari.exchange.choice import Only, chosen
from distcari.grid import Axis, Label
from distcari.store import Store


@dataclass(frozen=True)
class Part:
    """One experiment as it is published.

    `labels` of each axis, in the store's order. A place is a cell's number in the grid of these labels, the last axis
    fastest. `rows` are the finished cells, ordered by `places`; `failures` those given up, at `failed`.
    """

    info: ExperimentInfo
    labels: dict[str, tuple[Label, ...]]
    rows: pd.DataFrame
    places: NDArray[np.int64]
    failures: pd.DataFrame
    failed: NDArray[np.int64]
    run: str

    @property
    def size(self) -> int:
        """Places in the grid."""
        return prod(len(labels) for labels in self.labels.values())

    def spread(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """A value for each row as one for each place, NaN where no cell is."""
        out = np.full(self.size, np.nan, np.float32)
        out[self.places] = values
        return out


def parts(store: Store, catalog: Catalog, experiment: str | None, only: Only | None) -> list[Part]:
    """The experiments that have finished cells, or the one that was named, at the labels that were named.

    Raises InputError if there is no such cell.
    """
    frame = chosen(store, experiment, only)
    found = []
    for name in sorted(str(name) for name in frame["experiment"].unique()):
        info = catalog.experiment(name)
        if info is None:
            problem = catalog.problem()
            raise InputError(f"store {store.url}", problem.text if problem else f"{name} cannot be read", "")
        found.append(_part(catalog, info, frame[frame["experiment"] == name], only or {}))
    return found


def _part(catalog: Catalog, info: ExperimentInfo, rows: pd.DataFrame, only: Only) -> Part:
    labels = {axis: _kept(axis, info.labels[axis], only.get(axis)) for axis in info.axes}
    places = _places(rows, labels)
    order = np.argsort(places, kind="stable")
    lost = catalog.failures([info.name])
    lost = lost[~lost["key"].isin(rows["key"])]
    failed = _places(lost, labels)
    return Part(
        info,
        labels,
        rows.iloc[order[places[order] >= 0]].reset_index(drop=True),
        places[order[places[order] >= 0]],
        lost[failed >= 0].reset_index(drop=True),
        failed[failed >= 0],
        _at_work(catalog, info.name),
    )


def _kept(axis: str, labels: Sequence[Label], only: Sequence[Label] | None) -> tuple[Label, ...]:
    """The labels of an axis that are published."""
    if only is None:
        return tuple(labels)
    known = Axis(axis, dict.fromkeys(labels, ""))
    wanted = {known.find(label) for label in only}
    return tuple(label for label in labels if label in wanted)


def _places(rows: pd.DataFrame, labels: dict[str, tuple[Label, ...]]) -> NDArray[np.int64]:
    """The place of each row, (rows,); -1 where a label is not among these."""
    at, inside = np.zeros(len(rows), np.int64), np.ones(len(rows), bool)
    for axis, known in labels.items():
        numbers = {text(label): i for i, label in enumerate(known)}
        codes, found = pd.factorize(rows[axis] if axis in rows else pd.Series([None] * len(rows), dtype=object))
        mine = np.array([*(numbers.get(text(label), -1) for label in found), -1], np.int64)[codes]
        at, inside = at * len(known) + mine, inside & (mine >= 0)
    return np.where(inside, at, -1)


def _at_work(catalog: Catalog, experiment: str) -> str:
    """What a run that is at work on it has done, in words; empty without one."""
    run = next((run for run in catalog.runs() if run.experiment == experiment and is_live(run)), None)
    return f"{run.done + run.skipped:,} of {run.total + run.skipped:,} cells were done" if run else ""
