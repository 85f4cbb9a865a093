"""The workers: which are starting, idle or busy, what each holds; hired as the work is worth, let go when idle."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import ray

from distcari.config.experiment import Resources
from distcari.grid import WorkUnit


@dataclass(frozen=True)
class Task:
    """A unit in a worker's hands since a moment of `time.monotonic`."""

    worker: str
    unit: WorkUnit
    since: float


@dataclass
class Crew:
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

    def hire(self) -> None:
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

    def let_go(self, wanted: int) -> None:
        """Give workers back to the cluster that have nothing to do: those that start first, then the idle."""
        for name in [*self.starting.values(), *self.idle]:
            if len(self.handles) > wanted:
                self.lose(name)

    def dismiss(self) -> None:
        """The end: no worker is left."""
        for name in list(self.handles):
            self.lose(name)


def places(need: Resources) -> int:
    """How many workers fit on the nodes that are alive."""
    return sum(_fits(node["Resources"], need) for node in ray.nodes() if node["Alive"])


def fits_nowhere(need: Resources) -> str | None:
    """Why no node that is alive can ever hold a worker, or None."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(_fits(node, need) for node in nodes):
        return None
    wanted = _wanted(need)
    most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
    return ", ".join(f"{name} {n:g} wanted, at most {most[name]:g} on a node" for name, n in wanted.items() if n)


def wait_for_room(need: Resources, seconds: float) -> str | None:
    """Ask a cluster that grows on demand for room for a worker; why there is none after so long, or None."""
    asked = ray.remote(lambda: None).options(num_cpus=need.num_cpus, num_gpus=need.num_gpus, resources=need.custom)
    reference = asked.remote()
    ready, _ = ray.wait([reference], timeout=seconds)
    if not ready:
        ray.cancel(reference, force=True)
    return fits_nowhere(need)


def what_is_free(need: Resources) -> str:
    """What the cluster has free of what a worker asks for, in words."""
    free, whole = ray.available_resources(), ray.cluster_resources()
    return ", ".join(
        f"{name} {free.get(name, 0):g} of {whole.get(name, 0):g} free, {n:g} wanted"
        for name, n in _wanted(need).items() if n
    )


def _wanted(need: Resources) -> dict[str, float]:
    return {"CPU": need.num_cpus, "GPU": need.num_gpus, **need.custom}


def _fits(node: Mapping[str, float], need: Resources) -> int:
    """Workers on a node. GPU shares do not span GPUs: three of 0.4 take two GPUs."""
    wanted = {name: n for name, n in _wanted(need).items() if n > 0}
    counts = [int((node.get(name, 0.0) + 1e-9) // n) for name, n in wanted.items() if not (name == "GPU" and n < 1)]
    if 0 < need.num_gpus < 1:
        counts.append(int(node.get("GPU", 0.0)) * int((1 + 1e-9) // need.num_gpus))
    return min(counts)
