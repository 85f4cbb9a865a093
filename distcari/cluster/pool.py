"""The workers on Ray: which are starting, idle or busy, and what each holds."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray

from distcari.grid import WorkUnit


@dataclass(frozen=True)
class Task:
    """A unit in a worker's hands since a moment of `time.monotonic`."""

    worker: str
    unit: WorkUnit
    since: float


@dataclass
class WorkerPool:
    """Actors by name. `starting` and `busy` are keyed by the references to wait for."""

    spawn: Callable[[str], Any]
    handles: dict[str, Any] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    starting: dict[Any, str] = field(default_factory=dict)
    busy: dict[Any, Task] = field(default_factory=dict)
    idle: list[str] = field(default_factory=list)
    made: int = 0

    def __len__(self) -> int:
        return len(self.handles)

    @property
    def references(self) -> list[Any]:
        """All that something may be heard of."""
        return [*self.busy, *self.starting]

    def add(self) -> None:
        """Ask Ray for one more worker; it is given work once it says that it is ready."""
        self.made += 1
        name = f"worker-{self.made}"
        self.handles[name] = self.spawn(name)
        self.starting[self.handles[name].ready.remote()] = name

    def give(self, worker: str, unit: WorkUnit, job: Any) -> None:
        """Put a unit into an idle worker's hands."""
        self.idle.remove(worker)
        self.model[worker] = unit.model
        self.busy[self.handles[worker].run.remote(job)] = Task(worker, unit, time.monotonic())

    def holding(self) -> Counter[str]:
        """How many busy workers hold each model."""
        return Counter(self.model[task.worker] for task in self.busy.values())

    def lose(self, name: str) -> None:
        """Forget a worker, and make sure that it is dead."""
        handle = self.handles.pop(name, None)
        self.model.pop(name, None)
        if name in self.idle:
            self.idle.remove(name)
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
