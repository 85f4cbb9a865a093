"""What a run's note says (`distcari.cluster.note`), with nothing taken for granted: notes may be old, cut or silent."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import is_live
from distcari.dashboard.data.reading import text
from distcari.dashboard.data.state import State
from distcari.store.files import is_local

RunState = Literal["running", "finished", "interrupted", "stopped", "crashed", "silent"]
SAID: dict[RunState, str] = {
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
    state: RunState
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


def read(note: Mapping[str, Any]) -> Run:
    """A note as a Run; missing or ill-formed fields are zero, empty or None."""
    state = note.get("state")
    known: RunState = state if state in SAID and state != "silent" else "crashed"
    if known == "running" and not is_live(note):
        known = "silent"
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


def chosen(catalog: Catalog, state: State) -> tuple[Run | None, list[Run]]:
    """The run that the URL names, else the one at work, else the newest; and all of the URL's experiments."""
    runs = [read(note) for note in catalog.runs()]
    if state.experiments:
        runs = [run for run in runs if run.experiment in state.experiments]
    runs.sort(key=lambda run: (run.started or datetime.min.replace(tzinfo=UTC)), reverse=True)
    named = next((run for run in runs if run.id == state.own("id")), None)
    live = next((run for run in runs if run.live), None)
    return named or live or next(iter(runs), None), runs


def command(catalog: Catalog, experiment: str, retry: bool = False) -> str:
    """The shell command that goes on with an experiment; its config is the one in the store's description."""
    parts = ["distcari", "submit", f"{experiment}.yaml"]
    about, here = catalog.about(experiment), catalog.store.url
    told = str(about.meta.get("config", {}).get("store", "")) if about else ""
    if not _same(told, here):
        parts += ["--set", f"store={here}"]
    return shlex.join(parts + ["--retry-failed"] * retry)


def duration(seconds: float | None) -> str:
    """A time span for people: 40 s, 3 min, 2 h 5 min; a dash for none."""
    if seconds is None:
        return "—"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min"
    return f"{hours // 24} d {hours % 24} h"


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    return bool(one) and is_local(one) and is_local(other) and Path(one).absolute() == Path(other).absolute()


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
