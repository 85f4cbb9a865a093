"""A grid of slots over two axes, each with its status and the reason: never a silent gap."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from distcari.dashboard.data.labels import text
from distcari.dashboard.data.run_notes import is_live
from distcari.dashboard.data.snapshot import Codes, ExperimentInfo, Snapshot
from distcari.dashboard.data.state import Labels
from distcari.yardsticks import COSINES, hardly_responds

Status = Literal["done", "failed", "running", "pending", "not planned"]


@dataclass(frozen=True)
class Slot:
    """One place of a grid. `row` is the index's row, when done; `labels` has every axis of the grid.

    Of a group of models folded into one (folding.py): `members` are rows of its cells, `count` how many there are, and
    `row` has their mean figures.
    """

    experiment: str
    labels: Labels
    status: Status
    reason: str = ""
    key: str = ""
    row: Mapping[str, Any] | None = None
    members: tuple[Mapping[str, Any], ...] = ()
    count: int = 0

    def figure(self, name: str) -> float:
        """A figure of a done cell; NaN of any other."""
        value = None if self.row is None else self.row.get(name)
        return float(value) if isinstance(value, int | float | np.number) else float("nan")


@dataclass(frozen=True)
class Facets:
    """A grid of slots: `slots[i][j]` lies at row label i and column label j."""

    rows: tuple[str, ...]
    cols: tuple[str, ...]
    slots: tuple[tuple[Slot, ...], ...]

    def means(self, figure: str, axis: Literal["rows", "cols"]) -> NDArray[np.float64]:
        """A figure's mean over the done slots of each row or column, (rows,) or (cols,); NaN without any."""
        values = np.array([slot.figure(figure) for line in self.slots for slot in line], float)
        values = values.reshape(len(self.rows), len(self.cols))
        known, across = ~np.isnan(values), 1 if axis == "rows" else 0
        counts = known.sum(across)
        return np.asarray(np.where(counts > 0, np.where(known, values, 0).sum(across) / np.maximum(counts, 1), np.nan))

    def hardly(self, axis: Literal["rows", "cols"]) -> NDArray[np.float64]:
        """The share of each row's or column's done slots at which the layer hardly responds to the image.

        NaN where no slot has yardsticks.
        """
        given = np.array([[slot.figure(name) for name in COSINES] for line in self.slots for slot in line], float)
        given = given.reshape(len(self.rows), len(self.cols), len(COSINES))
        known, across = ~np.isnan(given[..., 1:]).all(-1), 1 if axis == "rows" else 0
        counts, found = known.sum(across), (hardly_responds(*np.moveaxis(given, -1, 0)) & known).sum(across)
        return np.asarray(np.where(counts > 0, found / np.maximum(counts, 1), np.nan))

    def sorted(self, axis: Literal["rows", "cols"], figure: str, descending: bool) -> "Facets":
        """With rows or columns in the order of a figure's mean; those without any last."""
        means = self.means(figure, axis)
        order = np.argsort(np.where(np.isnan(means), np.inf, -means if descending else means), kind="stable")
        return self.taken(axis, order)

    def taken(self, axis: Literal["rows", "cols"], order: Iterable[int]) -> "Facets":
        """With rows or columns in this order of their positions."""
        at = list(order)
        if axis == "rows":
            return Facets(tuple(self.rows[i] for i in at), self.cols, tuple(self.slots[i] for i in at))
        lines = tuple(tuple(line[i] for i in at) for line in self.slots)
        return Facets(self.rows, tuple(self.cols[i] for i in at), lines)


def facets(
    now: Snapshot,
    experiments: Sequence[str],
    rows: str,
    cols: str,
    at: Labels,
    row_labels: Sequence[str],
    col_labels: Sequence[str],
) -> Facets:
    """The slots at these row and column labels, every other axis held at `at`; Python touches only the slots shown."""
    across = "experiment" in (rows, cols)
    wanted = list(experiments) if across else [at.get("experiment", experiments[0] if experiments else "")]
    shown = {rows: row_labels, cols: col_labels}
    found = {name: _Places(now, now.infos[name], shown, at) for name in wanted if name in now.infos}
    lines = []
    for row in row_labels:
        line = []
        for col in col_labels:
            labels = {**at, rows: row, cols: col}
            name = labels.get("experiment", wanted[0]) if across else wanted[0]
            places = found.get(name)
            line.append(
                places.slot(labels)
                if places is not None
                else Slot(name, labels, "not planned", f"There is no experiment {name}.")
            )
        lines.append(tuple(line))
    return Facets(tuple(row_labels), tuple(col_labels), tuple(lines))


class _Places:
    """What is known of one experiment's cells in the plane of a grid."""

    def __init__(self, now: Snapshot, info: ExperimentInfo, shown: Mapping[str, Sequence[str]], at: Labels) -> None:
        self.info, self.plane = info, {axis: labels for axis, labels in shown.items() if axis in info.axes}
        self.held = {axis: label for axis, label in at.items() if axis not in (*shown, "experiment")}
        self.done = self._by_place(now.codes)
        self.failures = self._by_place(Codes(now.failures))
        self.running, self.live = _at_work(now, info)

    def slot(self, labels: Labels) -> Slot:
        """The slot with these labels, one for each axis."""
        name = self.info.name
        if reason := self._foreign(labels):
            return Slot(name, labels, "not planned", reason)
        place = tuple(labels[axis] for axis in self.plane)
        if (row := self.done.get(place)) is not None:
            return Slot(name, labels, "done", "", str(row["key"]), row)
        if self.running and tuple(labels.get(axis) for axis in self.info.axes) in self.running:
            return Slot(name, labels, "running", "It is being computed now.")
        if (row := self.failures.get(place)) is not None:
            reason = f"{row['error']} (tried {row['attempt']} times; again: --retry-failed)"
            return Slot(name, labels, "failed", reason, str(row["key"]))
        if reason := self._not_planned(labels):
            return Slot(name, labels, "not planned", reason)
        if self.live:
            return Slot(name, labels, "pending", "It waits its turn in the run at work.")
        return Slot(name, labels, "pending", "No run is at work on it; submit its config again.")

    def _foreign(self, labels: Labels) -> str:
        """Why the experiment has nothing there: it does not sweep a setting, and has another value."""
        for axis, label in labels.items():
            if axis != "experiment" and axis not in self.info.axes and label != self.info.fixed(axis):
                return f"{self.info.name} has {axis} {self.info.fixed(axis)} only."
        return ""

    def _not_planned(self, labels: Labels) -> str:
        for axis, label in labels.items():
            if axis in self.info.axes and label not in self.info.raw[axis]:
                return f"{self.info.name} has no {axis} {label}."
        model, layer = labels.get("model", ""), labels.get("layer", "")
        return "" if self.info.plans(model, layer) else f"{model} has no layer {layer}."

    def _by_place(self, codes: Codes) -> dict[tuple[str, ...], Mapping[str, Any]]:
        """The rows in the plane, by their labels on it. Whole columns at a time."""
        held = {axis: [label] for axis, label in self.held.items() if axis in self.info.axes}
        foreign = any(label != self.info.fixed(axis) for axis, label in self.held.items() if axis not in held)
        wanted = {"experiment": [self.info.name], **held, **self.plane}
        if foreign or not len(codes.frame) or any(axis not in codes.frame for axis in wanted):
            return {}
        mask = np.logical_and.reduce([codes.mask(axis, labels) for axis, labels in wanted.items()])
        rows = codes.frame.iloc[np.flatnonzero(mask)]
        places = [tuple(map(text, place)) for place in rows[list(self.plane)].to_numpy(object)]
        found = ({str(name): value for name, value in row.items()} for row in rows.to_dict("records"))
        return dict(zip(places, found, strict=True))


def _at_work(now: Snapshot, info: ExperimentInfo) -> tuple[set[tuple[str, ...]], bool]:
    """The places that fresh runs of an experiment are computing, and whether there is such a run."""
    runs = [run for run in now.runs if run.experiment == info.name and is_live(run)]
    return {tuple(map(text, labels)) for run in runs for labels in run.running}, bool(runs)
