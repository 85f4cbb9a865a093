"""Reads a store while others write it: only what is new since the last look, one look at a time, cost bounded.

A look lists three folders (index, failures, runs) and reads the parts and run notes that it has not read; what the
experiments are is read again when a run begins, when a row names something unknown, or after half a minute. Its result
is a `Snapshot` that never changes, so that callbacks on other threads share it without locks.
"""

import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from distcari.errors import InputError
from distcari.grid import BASE_AXES, Label, label_text
from distcari.store import Store, open_store
from distcari.store.arrays import Arrays, pixels_sha256
from distcari.store.index import Index
from distcari.store.schema import FAILURES, INDEX

ABOUT_EVERY = 30.0  # seconds after which the experiments' descriptions are read again
MOST_NOTES = 100  # run notes read: the newest
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Problem:
    """Why there is nothing to show, and the commands that mend it."""

    title: str
    text: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """An experiment: its axes in order, their labels in the store's order, its description (`meta`), its arrays."""

    name: str
    axes: tuple[str, ...]
    labels: Mapping[str, tuple[Label, ...]]
    meta: Mapping[str, Any]
    arrays: Arrays

    @cached_property
    def raw(self) -> Mapping[str, Mapping[str, Label]]:
        """For each axis: text as shown -> label as stored."""
        return {axis: {text(label): label for label in labels} for axis, labels in self.labels.items()}

    def input(self, image: str) -> NDArray[np.uint8] | None:
        """An input image, uint8 (y, x, 3); None if it was not kept: old results adopted without their inputs."""
        pixels = self.arrays.input(image)
        adopted = self.meta.get("settings", {}).get("compat") == "adopted"
        return None if adopted and not pixels.any() else pixels

    def input_sha(self, image: str) -> str:
        """SHA-256 of an input image, as the description says, else of its pixels; empty for an unknown one."""
        if image not in self._shas and image in self.raw.get("image", {}):
            known = self.meta.get("images", {}).get(image, {}).get("sha256")
            self._shas[image] = str(known or pixels_sha256(self.arrays.input(image)))
        return self._shas.get(image, "")

    @cached_property
    def _shas(self) -> dict[str, str]:
        return {}

    def fixed(self, axis: str) -> str:
        """The one label of an axis that this experiment does not have: its setting of that name, or a dash."""
        settings = dict(self.meta.get("settings", {}))
        if len(steps := set(self.meta.get("steps", {}).values())) == 1:  # of every layer
            settings["steps"] = steps.pop()
        return text(settings.get(axis, "—"))

    def plans(self, model: str, layer: str) -> bool:
        """Whether the model has the layer."""
        layers = self.meta.get("layers_of", {}).get(model)
        return layers is None or layer in layers


@dataclass(frozen=True)
class Snapshot:
    """All that is known of a store at one moment. Frames are shared: do not change them."""

    version: int = 0
    problem: Problem | None = None
    frame: pd.DataFrame = field(default_factory=lambda: INDEX.empty_table().to_pandas())
    failures: pd.DataFrame = field(default_factory=lambda: FAILURES.empty_table().to_pandas())
    about: Mapping[str, About] = field(default_factory=dict)
    runs: tuple[Mapping[str, Any], ...] = ()

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Key -> position in the frame."""
        return dict(zip(self.frame["key"], range(len(self.frame)), strict=True))

    def value(self, column: str, at: int) -> Any:
        """One value of the frame: a whole row by `iloc` costs 2 ms, which is much for a picture."""
        if column not in self._columns:
            self._columns[column] = self.frame[column].to_numpy(object)
        return self._columns[column][at]

    @cached_property
    def _columns(self) -> dict[str, NDArray[Any]]:
        return {}

    @cached_property
    def codes(self) -> "Codes":
        """The frame's labels as numbers."""
        return Codes(self.frame)


class Codes:
    """A frame's text columns as small integers, made when first asked for: a mask costs 0.1 ms at 100,000 rows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self._columns: dict[str, tuple[NDArray[np.integer[Any]], dict[str, int]]] = {}

    def mask(self, column: str, labels: Iterable[str]) -> NDArray[np.bool_]:
        """Which rows have one of these labels (as text), (rows,)."""
        if column not in self._columns:
            codes, found = pd.factorize(self.frame[column])
            self._columns[column] = codes, {text(label): i for i, label in enumerate(found)}
        numbers, known = self._columns[column]
        wanted = np.zeros(len(known) + 1, bool)  # the last stands for a missing value, -1
        wanted[[known[label] for label in labels if label in known]] = True
        return np.asarray(wanted[numbers])


def text(label: object) -> str:
    """A label as shown and as it stands in the URL."""
    return label_text(label) if isinstance(label, float) else str(label)


class Parts:
    """The rows of an index folder, each part read once."""

    def __init__(self, index: Index) -> None:
        self.index, self.reads = index, 0
        self.tables: dict[str, pa.Table] = {}

    def look(self) -> bool:
        """Read new parts, drop those that are gone (merged); whether anything changed."""
        changed = False
        for _ in range(5):
            names = self.index.current()
            changed |= bool(set(self.tables) - set(names))
            self.tables = {name: self.tables[name] for name in names if name in self.tables}
            try:
                for name in names:
                    if name not in self.tables:
                        self.reads += 1
                        self.tables[name] = self.index.table(parts=[name])
                        changed = True
            except RuntimeError:  # it went meanwhile: merged
                continue
            self.tables = {name: self.tables[name] for name in names}
            return changed
        raise RuntimeError(f"{self.index.folder}: parts keep vanishing while they are read")

    def frame(self) -> pd.DataFrame:
        """All rows; of a key that stands twice the newest."""
        tables = [self.index.schema.empty_table(), *self.tables.values()]
        frame: pd.DataFrame = pa.concat_tables(tables).combine_chunks().to_pandas()
        return frame.drop_duplicates("key", keep="last", ignore_index=True)


class Reader:
    """Looks at a store again and again. Not thread-safe: the Catalog holds a lock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.index, self.failed = Parts(store.index), Parts(store.failed)
        self.notes: dict[str, dict[str, Any]] = {}
        self.about: dict[str, About] = {}
        self.about_read = float("-inf")

    def look(self, last: Snapshot) -> Snapshot:
        """The store now; `last` itself if nothing has changed."""
        try:
            open_store(self.store.url, options=self.store.options)
            begun, noted = self._look_at_notes()
            if begun:  # a run may have taken rows out of parts that keep their names
                self.index.tables, self.failed.tables = {}, {}
            changed = begun | self.index.look() | self.failed.look()
            frame = self.index.frame() if changed or last.problem else last.frame
            described = self._describe(frame, begun or changed)
            problem = None if self.about else _empty(self.store.url)
        except InputError as error:
            return self._failed(last, Problem("This store cannot be shown", str(error)))
        except Exception as error:
            log.warning("cannot read %s: %s: %s", self.store.url, type(error).__name__, error)
            if last.problem is None and last.about:
                return last  # keep what is known, look again later
            return self._failed(last, Problem("This store cannot be read", f"{type(error).__name__}: {error}"))
        if not (changed or noted or described) and problem == last.problem and last.version:
            return last
        failures = self.failed.frame()
        failures = failures[~failures["key"].isin(frame["key"])].reset_index(drop=True)
        runs = tuple(self.notes[name] for name in sorted(self.notes, reverse=True))
        return Snapshot(last.version + 1, problem, frame, failures, dict(self.about), runs)

    def _failed(self, last: Snapshot, problem: Problem) -> Snapshot:
        return last if last.problem == problem else Snapshot(last.version + 1, problem)

    def _look_at_notes(self) -> tuple[bool, bool]:
        """Read run notes that are new or were running; whether a run has begun, whether any note has changed."""
        names = [name for name in self.store.files.list("runs") if name.endswith(".json") and name[0] != "_"]
        names = names[-MOST_NOTES:]
        before = self.notes
        self.notes = {name: note for name, note in before.items() if name in names}
        for name in names:
            if self.notes.get(name, {}).get("state", "running") == "running":
                try:
                    note = json.loads(self.store.files.read(f"runs/{name}"))
                except (FileNotFoundError, ValueError):
                    continue
                if isinstance(note, dict) and isinstance(note.get("run_id"), str):
                    self.notes[name] = note
        return bool(set(self.notes) - set(before)), self.notes != before

    def _describe(self, frame: pd.DataFrame, changed: bool) -> bool:
        """Read again what the experiments are, if there is reason to; whether that has changed."""
        now = time.monotonic()
        if self.about and now - self.about_read < ABOUT_EVERY and not (changed and self._unknown(frame)):
            return False
        self.about_read = now
        found = {name: about for name in self.store.experiments() if (about := self._read_about(name)) is not None}
        same = _facts(found.values()) == _facts(self.about.values())
        if not same:
            self.about = found
        return not same

    def _unknown(self, frame: pd.DataFrame) -> bool:
        """Whether a row names an experiment or a label that is not known yet, or a run is at work."""
        if any(note.get("state") == "running" for note in self.notes.values()):
            return True
        known = {label for about in self.about.values() for labels in about.labels.values() for label in labels}
        for column in ("experiment", *BASE_AXES):
            if not set(frame[column].unique()) <= (set(self.about) if column == "experiment" else known):
                return True
        swept = [(about, axis) for about in self.about.values() for axis in about.axes if axis not in BASE_AXES]
        return any(not set(frame.loc[frame["experiment"] == about.name, axis].unique()) <= set(about.labels[axis])
                   for about, axis in swept)

    def _read_about(self, name: str) -> About | None:
        """None for a group that has no description yet: its run is just beginning."""
        arrays = self.store.arrays(name)
        meta = arrays.meta
        if "axes" not in meta:
            return None
        axes = tuple(meta["axes"])
        return About(name, axes, {axis: tuple(arrays.labels(axis)) for axis in axes}, meta, arrays)


def _facts(abouts: Iterable[About]) -> list[Any]:
    return [(about.name, about.labels, about.meta) for about in abouts]


def _empty(url: str) -> Problem:
    return Problem(
        "Nothing here yet", f"The store {url} has no experiment. This page starts to work by itself when one begins.",
        ("distcari demo", "distcari submit CONFIG"),
    )
