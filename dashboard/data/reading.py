"""Reads a store while others write it: only what is new since the last look, one look at a time, cost bounded.

A look lists three folders (index, failures, runs) and reads the parts and run notes that it has not read; what the
experiments are is read again when a run begins, when a row names something unknown, or after half a minute. Its result
is a `Snapshot`.
"""

import logging
import time
import warnings
from collections.abc import Iterable
from typing import Any

import pandas as pd
import pyarrow as pa

from distcari.dashboard.data.json_text import parsed
from distcari.dashboard.data.run_notes import is_live
from distcari.dashboard.data.snapshot import ExperimentInfo, Problem, Snapshot
from distcari.errors import InputError
from distcari.grid import BASE_AXES
from distcari.store import Store, open_store
from distcari.store.index import Index
from distcari.store.models import Models, read_models
from distcari.store.runs import FOLDER, RunNote, note_names, parse

DESCRIPTIONS_EVERY = 30.0  # seconds after which the experiments' descriptions are read again
MANY_PARTS = 256  # from here columns are put together first: pandas works chunk by chunk
MOST_NOTES = 100  # run notes read: the newest
log = logging.getLogger(__name__)


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
        table = pa.concat_tables(tables)
        table = table if len(tables) <= MANY_PARTS else table.combine_chunks()
        frame: pd.DataFrame = table.to_pandas()
        return frame.drop_duplicates("key", keep="last", ignore_index=True)


class Reader:
    """Looks at a store again and again. Not thread-safe: the Catalog holds a lock."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.index, self.failed = Parts(store.index), Parts(store.failed)
        self.notes: dict[str, RunNote] = {}
        self.infos: dict[str, ExperimentInfo] = {}
        self.infos_read = float("-inf")
        self.had_rows = False
        self.models = Models()

    def look(self, last: Snapshot) -> Snapshot:
        """The store now; `last` itself if nothing has changed."""
        try:
            open_store(self.store.url, options=self.store.options)
            begun, noted = self._look_at_notes()
            if begun:  # a run may have taken rows out of parts that keep their names
                self.index.tables, self.failed.tables = {}, {}
            changed = begun | self.index.look() | self.failed.look()
            if gone := self._gone():
                return self._failed(last, gone)
            tagged = self._look_at_models()
            frame = self._tagged(self.index.frame()) if changed or tagged or last.problem else last.frame
            described = self._describe(frame, begun or changed)
            problem = None if self.infos else _empty(self.store.url)
        except InputError as error:
            return self._failed(last, Problem("This store cannot be shown", str(error)))
        except Exception as error:
            log.warning("cannot read %s: %s: %s", self.store.url, type(error).__name__, error)
            if last.problem is None and last.infos:
                return last  # keep what is known, look again later
            return self._failed(last, Problem("This store cannot be read", f"{type(error).__name__}: {error}"))
        if not (changed or noted or described or tagged) and problem == last.problem and last.version:
            return last
        failures = self.failed.frame()
        since: Any = frame["key"][frame["key"].isin(failures["key"])] if len(failures) else []  # few among many
        failures = failures[~failures["key"].isin(since)].reset_index(drop=True)
        runs = tuple(self.notes[name] for name in sorted(self.notes, reverse=True))
        return Snapshot(last.version + 1, problem, frame, failures, dict(self.infos), runs, self.models)

    def _look_at_models(self) -> bool:
        """Read the models' tags; whether they have changed."""
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            before, self.models = self.models, read_models(self.store.files)
        return self.models != before

    def _tagged(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows with their models' tags, ordered ones as text: their order stands in `models`."""
        if not (tags := self.models.tags):
            return frame
        models = self.models.frame()[["experiment", "model", *tags]]
        models = models.astype({name: object for name, kind in tags.items() if kind == "ordered"})
        return frame.merge(models, "left", ["experiment", "model"])

    def _failed(self, last: Snapshot, problem: Problem) -> Snapshot:
        return last if last.problem == problem else Snapshot(last.version + 1, problem)

    def _gone(self) -> Problem | None:
        """What was there and is not any more: the whole store, or its index. Not "pending": nobody works on it."""
        if self.infos and not self._is_there("arrays.zarr/zarr.json"):
            self.infos, self.infos_read = {}, float("-inf")  # read anew when it is back
            return Problem(
                "The store is not there any more",
                f"{self.store.url} was moved, emptied, or is not mounted. This page goes on by itself when it is back.",
            )
        self.had_rows |= bool(self.index.tables)
        expected = self.had_rows or any(note.done for note in self.notes.values())
        if expected and not self.index.tables and not any(map(is_live, self.notes.values())):
            return Problem(
                "The store's index is not there",
                f"Cells were finished in {self.store.url}, but index/ has "
                "no parts: it was moved or emptied. Put it back; or submit the config again, which computes "
                "what the index does not name.",
            )
        return None

    def _is_there(self, path: str) -> bool:
        try:
            self.store.files.read(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def _look_at_notes(self) -> tuple[bool, bool]:
        """Read run notes that are new or were running; whether a run has begun, whether any note has changed."""
        names = note_names(self.store.files)[-MOST_NOTES:]
        before = self.notes
        self.notes = {name: note for name, note in before.items() if name in names}
        for name in names:
            if name not in self.notes or self.notes[name].state == "running":
                try:
                    content = parsed(self.store.files.read(f"{FOLDER}/{name}"))
                except FileNotFoundError:
                    continue
                if isinstance(content, dict) and (note := parse(content)) is not None:
                    self.notes[name] = note
        return bool(set(self.notes) - set(before)), self.notes != before

    def _describe(self, frame: pd.DataFrame, changed: bool) -> bool:
        """Read again what the experiments are, if there is reason to; whether that has changed."""
        now = time.monotonic()
        if self.infos and now - self.infos_read < DESCRIPTIONS_EVERY and not (changed and self._unknown(frame)):
            return False
        self.infos_read = now
        found = {name: info for name in self.store.experiments() if (info := self._read_info(name)) is not None}
        same = _facts(found.values()) == _facts(self.infos.values())
        if not same:
            self.infos = found
        return not same

    def _unknown(self, frame: pd.DataFrame) -> bool:
        """Whether a row names an experiment or a label that is not known yet, or a run is at work."""
        if any(note.state == "running" for note in self.notes.values()):
            return True
        known = {label for info in self.infos.values() for labels in info.labels.values() for label in labels}
        for column in ("experiment", *BASE_AXES):
            if not set(frame[column].unique()) <= (set(self.infos) if column == "experiment" else known):
                return True
        swept = [(info, axis) for info in self.infos.values() for axis in info.axes if axis not in BASE_AXES]
        return any(
            not set(frame.loc[frame["experiment"] == info.name, axis].unique()) <= set(info.labels[axis])
            for info, axis in swept
        )

    def _read_info(self, name: str) -> ExperimentInfo | None:
        """None for a group that has no description yet: its run is just beginning."""
        arrays = self.store.arrays(name)
        meta = arrays.meta
        if "axes" not in meta:
            return None
        axes = tuple(meta["axes"])
        return ExperimentInfo(name, axes, {axis: tuple(arrays.labels(axis)) for axis in axes}, meta, arrays)


def _facts(infos: Iterable[ExperimentInfo]) -> list[Any]:
    return [(info.name, info.labels, info.meta) for info in infos]


def _empty(url: str) -> Problem:
    return Problem(
        "Nothing here yet",
        f"The store {url} has no experiment. This page starts to work by itself when one begins.",
        ("distcari demo", "distcari submit CONFIG"),
    )
