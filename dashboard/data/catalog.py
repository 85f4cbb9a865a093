"""What the views ask of the store. A `Catalog` holds the newest snapshot and looks again at most every two seconds.

Labels are text here, as in the URL (`labels.text`); frames hold the stored types. A *slot* is one place of a grid:
done, failed, running, pending or not planned, and it says why.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pandas as pd

from distcari.dashboard.data.columns import FIGURES, NUMBERS, OF_DIFFERENCES
from distcari.dashboard.data.facets import Facets, Slot, Status, facets
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.notes import Notes
from distcari.dashboard.data.reading import Reader
from distcari.dashboard.data.snapshot import ExperimentInfo, Problem, Snapshot
from distcari.dashboard.data.state import Labels, State
from distcari.store import Store
from distcari.store.exemplars import exemplars_of
from distcari.store.models import Kind
from distcari.store.runs import RunNote
from distcari.store.schema import SETTINGS

OLDEST = 5.0  # seconds: what may be older than this is never shown without waiting for a look
_held: ContextVar[dict[int, Snapshot] | None] = ContextVar("held snapshots", default=None)


@contextmanager
def one_moment() -> Iterator[None]:
    """Within it every question to a catalog is answered from one snapshot, the newest at the first question."""
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)


class Catalog:
    """The store as the views see it; safe to ask from many threads."""

    def __init__(self, store: Store, every: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.store, self.every, self.clock = store, every, clock
        self.reader, self.notes = Reader(store), Notes(store)
        self._lock, self._last, self._looked = threading.Lock(), Snapshot(), float("-inf")

    def now(self) -> Snapshot:
        """The snapshot of this moment (`one_moment`), else the newest."""
        held = _held.get()
        if held is None:
            return self._newest()
        if id(self) not in held:
            held[id(self)] = self._newest()
        return held[id(self)]

    def _newest(self) -> Snapshot:
        """Looks at the store if the last look began more than `every` seconds ago; one look at a time.

        While another thread looks, what is known will do if it is not older than OLDEST.
        """
        asked = self.clock()
        if asked - self._looked < self.every:
            return self._last
        wait = self._last.version == 0 or asked - self._looked > OLDEST
        if self._lock.acquire(blocking=bool(wait)):
            try:
                if self._looked <= asked - self.every:  # else it was looked at while this one waited
                    began = self.clock()
                    self._last = self.reader.look(self._last)
                    self._looked = began
            finally:
                self._lock.release()
        return self._last

    def version(self) -> int:
        """Grows with every change of the store."""
        return self.now().version

    def problem(self) -> Problem | None:
        """Why there is nothing to show, if so."""
        return self.now().problem

    def experiments(self) -> list[str]:
        """Names of the experiments, sorted."""
        return sorted(self.now().infos)

    def experiment(self, experiment: str) -> ExperimentInfo | None:
        """An experiment's axes, labels, description and arrays; None if there is none of that name."""
        return self.now().infos.get(experiment)

    def chosen(self, state: State) -> tuple[str, ...]:
        """The state's experiments that exist; without any, the one that has the newest cell, else the first."""
        now = self.now()
        known = tuple(name for name in state.experiments if name in now.infos)
        if known or not now.infos:
            return known
        dates = now.frame["finished_at"]
        newest = str(now.frame["experiment"].iloc[int(dates.argmax())]) if dates.notna().any() else ""
        return (newest if newest in now.infos else min(now.infos),)

    def axes(self, experiments: Sequence[str]) -> list[str]:
        """The axes of these experiments in order; of several, `experiment` is the first."""
        found = [name for info in self._infos(experiments) for name in info.axes]
        return list(dict.fromkeys((["experiment"] if len(experiments) > 1 else []) + found))

    def labels(self, experiments: Sequence[str], axis: str) -> list[str]:
        """An axis's labels in the store's order, those of several experiments joined; a sweep's numbers ascending."""
        if axis == "experiment":
            return list(experiments)
        lists = [self._labels(a, axis) if axis in a.raw else [a.fixed(axis)] for a in self._infos(experiments)]
        return _ascending(lists) if axis in SETTINGS and axis in NUMBERS else _joined(lists)

    def _labels(self, info: ExperimentInfo, axis: str) -> list[str]:
        """An experiment's labels; without layers that no model has any more, whose cells went to another label."""
        labels = list(info.raw[axis])
        if axis != "layer" or all(info.any_plans(label) for label in labels):
            return labels
        frame = self.now().frame
        there = set(frame["layer"][(frame["experiment"] == info.name).to_numpy(bool)].unique())
        return [label for label in labels if info.any_plans(label) or label in there]

    def frame(self, experiments: Sequence[str] = ()) -> pd.DataFrame:
        """The index's rows of these experiments (none: of all). Shared: do not change it."""
        return _of(self.now().frame, experiments)

    def figures(self, experiments: Sequence[str] = ()) -> list[str]:
        """The figures to choose from: those of differences only where there are such cells."""
        frame = self.frame(experiments)
        return [name for name in FIGURES if name not in OF_DIFFERENCES or frame[name].notna().any()]

    def tags(self, experiments: Sequence[str]) -> dict[str, Kind]:
        """The tags that models of these experiments have, and their kinds."""
        models = self.now().models
        of = [row for (name, _), row in models.rows.items() if name in experiments]
        return {name: kind for name, kind in models.tags.items() if any(name in row for row in of)}

    def tagged(self, experiments: Sequence[str], tag: str) -> dict[str, list[str]]:
        """The models of these experiments by a tag's values, in its order; those without it under a dash, last."""
        models, labels = self.now().models, self.labels(experiments, "model")
        values = {m: row[tag] for (name, m), row in models.rows.items() if name in experiments and tag in row}
        order = models.orders.get(tag) or sorted(set(values.values()))
        groups = {text(value): [m for m in labels if values.get(m) == value] for value in order}
        groups["—"] = [m for m in labels if m not in values]
        return {value: members for value, members in groups.items() if members}

    def failures(self, experiments: Sequence[str] = ()) -> pd.DataFrame:
        """The rows of cells that were given up and not done since."""
        return _of(self.now().failures, experiments)

    def runs(self) -> tuple[RunNote, ...]:
        """The runs that left a note, newest first."""
        return self.now().runs

    def row(self, key: str) -> dict[str, Any] | None:
        """The index's row of a finished cell; None for an unknown key."""
        now = self.now()
        at = now.positions.get(key)
        return None if at is None else {str(k): v for k, v in now.frame.iloc[at].items()}

    def exemplars(self, row: Mapping[str, Any]) -> pd.DataFrame:
        """The natural exemplars of a cell's direction by rank; empty where none were looked for with these weights."""
        return exemplars_of(self.store.files, row)

    def place(self, key: str) -> dict[str, Any] | None:
        """Of a finished cell only what finds its pixels: experiment, labels, pixels_sha256; None if unknown."""
        now = self.now()
        if (at := now.positions.get(key)) is None:
            return None
        axes = now.infos[name].axes if (name := now.value("experiment", at)) in now.infos else ()
        return {"key": key, **{column: now.value(column, at) for column in ("experiment", "pixels_sha256", *axes)}}

    def slot(self, experiment: str, labels: Labels) -> Slot:
        """One place of an experiment; an axis that is missing in `labels` takes its first label."""
        axes = self.axes([experiment])
        if experiment not in self.now().infos or len(axes) < 2:
            return Slot(experiment, dict(labels), "not planned", f"There is no experiment {experiment}.")
        first = {axis: self.labels([experiment], axis)[0] for axis in axes if self.labels([experiment], axis)}
        at = {**first, **labels}
        facets = self.grid([experiment], axes[0], axes[1], at, [at[axes[0]]], [at[axes[1]]])
        return facets.slots[0][0]

    def status(self, experiment: str, labels: Labels) -> tuple[Status, str]:
        """How far one place is, and why."""
        slot = self.slot(experiment, labels)
        return slot.status, slot.reason

    def grid(
        self,
        experiments: Sequence[str],
        rows: str,
        cols: str,
        at: Labels,
        row_labels: Sequence[str] | None = None,
        col_labels: Sequence[str] | None = None,
    ) -> Facets:
        """Slots over two axes, the others held at `at` (missing: the first label); of all labels, or of some."""
        at = {**{axis: next(iter(self.labels(experiments, axis)), "") for axis in self.axes(experiments)}, **at}
        shown_rows = list(self.labels(experiments, rows) if row_labels is None else row_labels)
        shown_cols = list(self.labels(experiments, cols) if col_labels is None else col_labels)
        return facets(self.now(), experiments, rows, cols, at, shown_rows, shown_cols)

    def _infos(self, experiments: Iterable[str]) -> list[ExperimentInfo]:
        infos = self.now().infos
        return [infos[name] for name in experiments if name in infos]


def _of(frame: pd.DataFrame, experiments: Sequence[str]) -> pd.DataFrame:
    return frame[frame["experiment"].isin(list(experiments))] if experiments else frame


def _ascending(lists: Sequence[Sequence[str]]) -> list[str]:
    """Numbers in their order, each once; "—" last."""
    return sorted({label for labels in lists for label in labels}, key=lambda label: (label == "—", _number(label)))


def _number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return 0.0


def _joined(lists: Sequence[Sequence[str]]) -> list[str]:
    """The lists as one without repetition; what is new in a later list stands behind its predecessor there."""
    joined: list[str] = []
    for labels in lists:
        at, known = 0, set(joined)
        for label in labels:
            if label in known:
                at = joined.index(label) + 1
            else:
                joined.insert(at, label)
                at += 1
    return joined
