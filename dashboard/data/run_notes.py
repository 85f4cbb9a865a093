"""What a run's note says, as a value, with nothing taken for granted: notes may be old, cut or nonsense."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from distcari.dashboard.data.labels import text

FRESH = 180.0  # seconds after which the note of a running run, rewritten every few seconds, no longer counts
RunState = Literal["running", "finished", "interrupted", "stopped", "crashed", "silent"]
SUMMARIES: dict[RunState, str] = {
    "running": "at work", "finished": "finished",
    "interrupted": "It was interrupted; nothing done is lost. The command goes on where it stopped.",
    "stopped": "It stopped because the store could not be written (full, or no right). Mend that; the command goes on.",
    "crashed": "It ended without a word: killed, or its machine went down. Nothing committed is lost; the command "
               "goes on where it stopped.",
    "silent": "It says that it is running, but has said nothing for {silent}. If its machine is gone, the command goes "
              "on where it stopped; if not, it will refuse to start a second time.",
}


@dataclass(frozen=True)
class Share:
    """How far one model is."""

    total: int
    done: int
    failed: int


@dataclass(frozen=True)
class Run:
    """A run as its note tells it; times are None where the note has none."""

    id: str
    experiment: str
    noted: RunState  # what the note says; `state` is what that means now
    total: int
    done: int
    failed: int
    skipped: int
    actors: int
    rate: float  # cells per second
    left: float | None  # seconds
    started: datetime | None
    updated: datetime | None
    models: Mapping[str, Share]
    running: tuple[tuple[str, ...], ...]

    @property
    def pending(self) -> int:
        """Cells that have neither been done nor given up."""
        return max(0, self.total - self.done - self.failed)

    @property
    def live(self) -> bool:
        """Whether it is at work, as far as one can know."""
        return self.state == "running"

    @property
    def state(self) -> RunState:
        """What it says, unless it says that it is running and has not been heard of lately."""
        fresh = self.updated is not None and (datetime.now(UTC) - self.updated).total_seconds() < FRESH
        return "silent" if self.noted == "running" and not fresh else self.noted


def run_of(note: Mapping[str, Any]) -> Run:
    """A note as a Run; missing or ill-formed fields are zero, empty or None."""
    state = note.get("state")
    known: RunState = state if isinstance(state, str) and state in SUMMARIES and state != "silent" else "crashed"
    models = _if(dict, note.get("models"))
    shares = {
        str(name): Share(*(_whole(share.get(part)) for part in ("total", "done", "failed")))
        for name, share in models.items() if isinstance(share, dict)
    }
    at_work = _if(list, note.get("running"))
    counted = ("total", "done", "failed", "skipped", "actors")
    numbers: dict[str, Any] = {name: _whole(note.get(name)) for name in counted}
    return Run(
        str(note.get("run_id", "")), str(note.get("experiment", "")), known, **numbers,
        rate=_positive(note.get("rate")) or 0.0, left=_positive(note.get("eta")),
        started=_time(note.get("started_at")), updated=_time(note.get("updated_at")), models=shares,
        running=tuple(tuple(map(text, labels)) for labels in at_work if isinstance(labels, list)),
    )


def _if(kind: Callable[[], Any], value: Any) -> Any:
    """The value if it is of that kind, else an empty one."""
    return value if isinstance(value, type(kind())) else kind()


def _whole(value: Any) -> int:
    return max(0, int(value)) if isinstance(value, int | float) and value == value and abs(value) < 1e15 else 0


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 and value == value and value < 1e12 else None


def _time(value: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
