"""Keeps the run's note in the store (`store/runs.py`) for whoever looks at it meanwhile, the dashboard above all."""

import logging
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from distcari.cluster import events as e
from distcari.cluster.progress import Tally
from distcari.grid import Label, WorkUnit
from distcari.store import runs
from distcari.store.files import Files

log = logging.getLogger("distcari.note")


class RunNote:
    """Listener that rewrites the note every few seconds, and at the end."""

    def __init__(self, files: Files, every: float = 3.0) -> None:
        self.files, self.every, self.written = files, every, 0.0
        self.running: dict[WorkUnit, list[tuple[Label, ...]]] = {}
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.note = runs.RunNote("", "")
        self.tally = Tally(0)

    def __call__(self, event: e.Event) -> None:
        """Follow the run."""
        self.tally.count(event)
        if isinstance(event, e.RunStarted):
            self._begin(event)
        elif isinstance(event, e.UnitStarted):
            self.running[event.unit] = [cell.labels for cell in event.unit.cells]
        elif isinstance(event, e.UnitEnded):
            self.running.pop(event.unit, None)
        elif isinstance(event, e.CellDone | e.CellFailed):
            (self.done if isinstance(event, e.CellDone) else self.failed)[event.row["model"]] += 1
        elif isinstance(event, e.RunEnded):
            self.running.clear()
            self.note = replace(self.note, state=cast(runs.RunState, event.state))
        if isinstance(event, e.RunStarted | e.RunEnded) or time.monotonic() - self.written > self.every:
            self._write()

    def _begin(self, event: e.RunStarted) -> None:
        plan = event.plan
        self.tally = Tally(len(plan.todo))
        self.note = runs.RunNote(
            event.run_id,
            plan.experiment.name,
            started_at=datetime.now(UTC),
            total=len(plan.todo),
            skipped=plan.done,
            actors=event.workers,
            place=event.place,
            models={model: runs.Share(n) for model, n in plan.by_model().items()},
        )

    def _write(self) -> None:
        """Put the note there; a store that refuses it is the driver's business, not the note's."""
        self.written = time.monotonic()
        now = replace(
            self.note,
            updated_at=datetime.now(UTC),
            done=self.tally.done,
            failed=self.tally.failed,
            rate=self.tally.rate or 0.0,
            eta=self.tally.left,
            models={m: replace(s, done=self.done[m], failed=self.failed[m]) for m, s in self.note.models.items()},
            running=tuple(labels for cells in self.running.values() for labels in cells),
        )
        try:
            runs.write_note(self.files, now)
        except Exception as error:
            log.warning("the run's note could not be written: %s", error)
