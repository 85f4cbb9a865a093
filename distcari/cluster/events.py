"""What happens in a run, as values: progress and notes listen to these, and the driver knows none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from distcari.grid import WorkUnit
from distcari.planning.plan import Plan


@dataclass(frozen=True)
class RunStarted:
    """The run begins; `workers` is how many it asks for, `place` a line on what they have."""

    plan: Plan
    run_id: str
    workers: int
    place: str


@dataclass(frozen=True)
class UnitStarted:
    """A unit was given to a worker."""

    unit: WorkUnit
    worker: str


@dataclass(frozen=True)
class UnitEnded:
    """A worker is done with a unit, or lost; seconds by phase (load, render, commit)."""

    unit: WorkUnit
    worker: str
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class CellDone:
    """A cell's pixels are stored and verified; its index row."""

    row: Mapping[str, Any]


@dataclass(frozen=True)
class CellFailed:
    """A cell was given up; its failures row."""

    row: Mapping[str, Any]


@dataclass(frozen=True)
class CellRetried:
    """A cell's try failed and it goes back into the queue."""

    key: str
    error: str


@dataclass(frozen=True)
class Stalled:
    """Nothing goes on: no worker can be had, or one takes very long; a line that says why and what to do."""

    reason: str


@dataclass(frozen=True)
class WorkerRetired:
    """A worker was of no use; its cells go to others, and their tries there do not count."""

    worker: str
    place: str
    reason: str


@dataclass(frozen=True)
class Tick:
    """A second or so has passed."""


@dataclass(frozen=True)
class RunEnded:
    """The run is over: `finished`, `interrupted` or `stopped` (the store refuses writes)."""

    state: str


Event = (
    RunStarted
    | UnitStarted
    | UnitEnded
    | CellDone
    | CellFailed
    | CellRetried
    | Stalled
    | WorkerRetired
    | Tick
    | RunEnded
)
Listener = Callable[[Event], None]
