"""The workers on Ray: which are starting and which are ready, and what each has in hand and holds."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from distcari.cluster.jobs import Seat
from distcari.grid import WorkUnit


@dataclass(frozen=True)
class Task:
    """A unit in a worker's hands; the worker has been at it, or at one before it, since `time.monotonic`."""

    worker: str
    unit: WorkUnit
    since: float


@dataclass
class WorkerPool:
    """Actors by name. `starting` and `busy` are keyed by the references to wait for; `hands`: units a worker may have.

    `ready` has each ready worker's seat.
    """

    spawn: Callable[[str], Any]
    hands: int = 1
    handles: dict[str, Any] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    starting: dict[Any, str] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    busy: dict[Any, Task] = field(default_factory=dict)
    ready: dict[str, Seat] = field(default_factory=dict)
    made: int = 0

    def __len__(self) -> int:
        return len(self.handles)

    @property
    def references(self) -> list[Any]:
        """All that something may be heard of."""
        return [*self.busy, *self.starting]

    @property
    def idle(self) -> list[str]:
        """Ready workers with nothing in hand."""
        load = self.load()
        return [name for name in self.ready if not load[name]]

    def load(self) -> Counter[str]:
        """How many units each worker has in hand."""
        return Counter(task.worker for task in self.busy.values())

    def add(self) -> None:
        """Ask Ray for one more worker; it is given work once it says that it is ready."""
        self.made += 1
        name = f"worker-{self.made}"
        self.handles[name] = self.spawn(name)
        self.asked[name] = time.monotonic()
        self.starting[self.handles[name].ready.remote()] = name

    def give(self, worker: str, unit: WorkUnit, job: Any) -> None:
        """Put a unit into a ready worker's hands."""
        self.model[worker] = unit.model
        self.busy[self.handles[worker].run.remote(job)] = Task(worker, unit, time.monotonic())

    def take(self, reference: Any) -> Task:
        """A unit comes back; the worker is at the next one that it has, from now on."""
        task, now = self.busy.pop(reference), time.monotonic()
        for other, waiting in self.busy.items():
            if waiting.worker == task.worker:
                self.busy[other] = replace(waiting, since=now)
        return task

    def holding(self) -> Counter[str]:
        """How many busy workers hold each model."""
        return Counter(self.model[worker] for worker in self.load() if worker in self.model)

    def lose(self, name: str) -> None:
        """Forget a worker, and make sure that it is dead. What it has in hand comes back as lost."""
        handle = self.handles.pop(name, None)
        for known in (self.model, self.ready, self.asked):
            known.pop(name, None)
        for reference in [r for r, worker in self.starting.items() if worker == name]:
            del self.starting[reference]
        if handle is not None:
            ray.kill(handle)

    def scale_down(self, wanted: int) -> None:
        """Give workers back to the cluster that have nothing to do: those that start first, then the idle."""
        for name in [*self.starting.values(), *self.idle]:
            if len(self.handles) > wanted:
                self.lose(name)

    def dismiss(self) -> None:
        """The end: no worker is left."""
        for name in list(self.handles):
            self.lose(name)
