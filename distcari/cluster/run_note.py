"""A small note on the run for whoever looks at the store meanwhile (the dashboard): `runs/<run_id>.json`."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

from distcari.cluster import events as e
from distcari.cluster.progress import Tally
from distcari.grid import Label
from distcari.store.files import Files

log = logging.getLogger("distcari.note")


class RunNote:
    """Listener that rewrites the note every few seconds, and at the end."""

    def __init__(self, files: Files, every: float = 3.0) -> None:
        self.files, self.every, self.written = files, every, 0.0
        self.running: dict[str, list[list[Label]]] = {}
        self.note: dict[str, Any] = {}
        self.tally = Tally(0)

    def __call__(self, event: e.Event) -> None:
        """Follow the run."""
        self.tally.count(event)
        if isinstance(event, e.RunStarted):
            self._begin(event)
        elif isinstance(event, e.UnitStarted):
            self.running[event.worker] = [list(cell.labels) for cell in event.unit.cells]
        elif isinstance(event, e.UnitEnded):
            self.running.pop(event.worker, None)
        elif isinstance(event, e.CellDone | e.CellFailed):
            self.note["models"][event.row["model"]]["done" if isinstance(event, e.CellDone) else "failed"] += 1
        elif isinstance(event, e.RunEnded):
            self.running.clear()
            self.note["state"] = event.state
        if isinstance(event, e.RunStarted | e.RunEnded) or time.monotonic() - self.written > self.every:
            self._write()

    def _begin(self, event: e.RunStarted) -> None:
        plan = event.plan
        self.tally = Tally(len(plan.todo))
        self.note = {
            "run_id": event.run_id, "experiment": plan.experiment.name, "state": "running",
            "started_at": datetime.now(UTC).isoformat(), "total": len(plan.todo), "skipped": plan.done,
            "actors": event.workers,
            "models": {m: {"total": n, "done": 0, "failed": 0} for m, n in plan.by_model().items()},
        }

    def _write(self) -> None:
        """Put the note there; a store that refuses it is the driver's business, not the note's."""
        self.written = time.monotonic()
        now = {
            "updated_at": datetime.now(UTC).isoformat(), "done": self.tally.done, "failed": self.tally.failed,
            "rate": self.tally.rate or 0.0, "eta": self.tally.left,
            "running": [labels for cells in self.running.values() for labels in cells],
        }
        try:
            self.files.write(f"runs/{self.note['run_id']}.json", json.dumps({**self.note, **now}).encode())
        except Exception as error:
            log.warning("the run's note could not be written: %s", error)


def close_notes(files: Files, experiment: str) -> None:
    """Say in the notes of earlier runs that ended without a word that they crashed. For the lease's holder."""
    for name in files.list("runs"):
        if not name.endswith(".json"):
            continue
        try:
            note = json.loads(files.read(f"runs/{name}"))
        except (ValueError, FileNotFoundError):
            continue
        if note.get("experiment") == experiment and note.get("state") == "running":
            files.write(f"runs/{name}", json.dumps({**note, "state": "crashed", "running": []}).encode())
