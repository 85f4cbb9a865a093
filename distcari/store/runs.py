"""Notes of runs, `runs/<run_id>.json`: one schema for who writes them (a run) and who reads them (the dashboard).

A reader takes nothing for granted: notes may be old, cut short, silent, or written by somebody else.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

from distcari.grid import Label
from distcari.store.files import Files

FOLDER = "runs"
RunState = Literal["running", "finished", "interrupted", "stopped", "crashed"]


@dataclass(frozen=True)
class Share:
    """How far one model is, in cells."""

    total: int = 0
    done: int = 0
    failed: int = 0


@dataclass(frozen=True)
class RunNote:
    """A run: what it is to do and how far it is. Times are UTC, None where the note has none.

    `total` cells are to do, `skipped` were done before; `rate` is in cells a second, `eta` in seconds (None: unknown);
    `place` says what the workers have; `running` are the labels, in the order of the axes, of cells that workers have
    in hand.
    """

    run_id: str
    experiment: str
    state: RunState = "running"
    started_at: datetime | None = None
    updated_at: datetime | None = None
    total: int = 0
    skipped: int = 0
    actors: int = 0
    place: str = ""
    done: int = 0
    failed: int = 0
    rate: float = 0.0
    eta: float | None = None
    models: Mapping[str, Share] = field(default_factory=dict)
    running: tuple[tuple[Label, ...], ...] = ()

    @property
    def pending(self) -> int:
        """Cells that have neither been done nor given up."""
        return max(0, self.total - self.done - self.failed)

    def encoded(self) -> bytes:
        """As it lies in the store."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "experiment": self.experiment,
                "state": self.state,
                "started_at": _iso(self.started_at),
                "updated_at": _iso(self.updated_at),
                "total": self.total,
                "skipped": self.skipped,
                "actors": self.actors,
                "place": self.place,
                "done": self.done,
                "failed": self.failed,
                "rate": self.rate,
                "eta": self.eta,
                "models": {
                    name: {"total": s.total, "done": s.done, "failed": s.failed} for name, s in self.models.items()
                },
                "running": [list(labels) for labels in self.running],
            }
        ).encode()


def parse(content: bytes | str | Mapping[str, Any]) -> RunNote | None:
    """A note from its bytes or its JSON; ill-formed fields are zero, empty or None. None for what is no run's note."""
    try:
        note = content if isinstance(content, Mapping) else json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(note, Mapping) or not isinstance(note.get("run_id"), str):
        return None
    state = note.get("state")
    at_work = _if(list, note.get("running"))
    return RunNote(
        run_id=note["run_id"],
        experiment=str(note.get("experiment", "")),
        state=cast(RunState, state) if state in get_args(RunState) else "crashed",
        started_at=_time(note.get("started_at")),
        updated_at=_time(note.get("updated_at")),
        total=_whole(note.get("total")),
        skipped=_whole(note.get("skipped")),
        actors=_whole(note.get("actors")),
        place=str(note.get("place") or "")[:200],
        done=_whole(note.get("done")),
        failed=_whole(note.get("failed")),
        rate=_positive(note.get("rate")) or 0.0,
        eta=_positive(note.get("eta")),
        models={
            str(name): Share(*(_whole(share.get(part)) for part in ("total", "done", "failed")))
            for name, share in _if(dict, note.get("models")).items()
            if isinstance(share, dict)
        },
        running=tuple(
            tuple(label for label in labels if isinstance(label, str | int | float))
            for labels in at_work
            if isinstance(labels, list)
        ),
    )


def note_names(files: Files) -> list[str]:
    """Names of the notes' files, the oldest run first."""
    return [name for name in files.list(FOLDER) if name.endswith(".json") and not name.startswith("_")]


def read_note(files: Files, name: str) -> RunNote | None:
    """A note by its file's name; None if it is gone or is none."""
    try:
        return parse(files.read(f"{FOLDER}/{name}"))
    except FileNotFoundError:
        return None


def write_note(files: Files, note: RunNote) -> None:
    """Put a note there, over the run's earlier one."""
    files.write(f"{FOLDER}/{note.run_id}.json", note.encoded())


def close_notes(files: Files, experiment: str) -> None:
    """Say in the notes of earlier runs that ended without a word that they crashed. For the lease's holder."""
    for name in note_names(files):
        note = read_note(files, name)
        if note is not None and note.experiment == experiment and note.state == "running":
            files.write(f"{FOLDER}/{name}", replace(note, state="crashed", running=()).encoded())


def _if(kind: Callable[[], Any], value: Any) -> Any:
    """The value if it is of that kind, else an empty one."""
    return value if isinstance(value, type(kind())) else kind()


def _whole(value: Any) -> int:
    number = _positive(value)
    return 0 if number is None else int(number)


def _positive(value: Any) -> float | None:
    """A number from 0 to 10¹⁵, None for anything else."""
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
    return float(value) if sound and math.isfinite(value) else None


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
