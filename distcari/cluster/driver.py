"""The driver: hands units to workers, commits what they finished, and forgets nothing.

Own `ray.wait` loop. A unit whose worker dies goes back to the queue; a cell gets three tries and is then given up,
alone. Rows reach the index in parts of up to 64 rows or 5 seconds; until then they are computed, but not done.
"""

import errno
import logging
import time
import traceback
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from distcari.cluster import events as e
from distcari.cluster.actor import Job, Result, Worker
from distcari.cluster.plan import Plan
from distcari.grid import Cell, WorkUnit
from distcari.store import Store

log = logging.getLogger("distcari.driver")
TRIES = 3
FLUSH_ROWS, FLUSH_SECONDS = 64, 5.0


class StoreRefuses(RuntimeError):
    """The store takes no more writes (a full disk): the run stops and loses nothing."""


@dataclass
class Crew:
    """The workers: what each is doing, which model it holds."""

    spawn: Callable[[str], Any]
    handles: dict[str, Any] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def hire(self) -> str:
        """Start one more worker; its name."""
        self.made += 1
        name = f"worker-{self.made}"
        self.handles[name] = self.spawn(name)
        return name

    def lose(self, name: str) -> None:
        """Forget a worker that died, and make sure that it is dead."""
        handle = self.handles.pop(name, None)
        self.model.pop(name, None)
        if handle is not None:
            ray.kill(handle)


class Queue:
    """Units that wait, by model."""

    def __init__(self, units: Sequence[WorkUnit]) -> None:
        self.by_model: dict[str, deque[WorkUnit]] = {}
        for unit in units:
            self.put(unit)

    def __bool__(self) -> bool:
        return bool(self.by_model)

    def __len__(self) -> int:
        return sum(map(len, self.by_model.values()))

    def put(self, unit: WorkUnit, first: bool = False) -> None:
        """Add a unit, at the front if it was tried before."""
        waiting = self.by_model.setdefault(unit.model, deque())
        (waiting.appendleft if first else waiting.append)(unit)

    def take(self, resident: str | None, busy_with: Counter[str]) -> WorkUnit:
        """The next unit for a worker: of its own model if any is left, else of the one with most work per worker."""
        model = resident
        if model is None or model not in self.by_model:
            model = max(self.by_model, key=lambda m: len(self.by_model[m]) / (1 + busy_with[m]))
        waiting = self.by_model[model]
        unit = waiting.popleft()
        if not waiting:
            del self.by_model[model]
        return unit


@dataclass
class Run:
    """One run of a plan on a Ray that is initialised already."""

    plan: Plan
    store: Store
    listeners: Sequence[e.Listener] = ()
    worker_class: type[Worker] = Worker
    run_id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}")
    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0
    failed: int = 0

    def __post_init__(self) -> None:
        self._buffer: list[dict[str, Any]] = []
        self._flushed = time.monotonic()
        self._attempts: Counter[str] = Counter()
        self._images: dict[str, Any] = {}

    def tell(self, event: e.Event) -> None:
        """Let every listener know."""
        for listener in self.listeners:
            listener(event)

    def start(self) -> str:
        """Prepare the store, render everything, commit; the final state (`finished`, `interrupted`, `stopped`)."""
        plan = self.plan
        units = plan.grid.units(plan.todo, self._batch())
        workers = min(worker_places(plan), len(units))
        self._prepare_store()
        self.tell(e.RunStarted(plan, self.run_id, workers))
        state = "stopped"
        crew = Crew(self._spawner())
        try:
            self._loop(Queue(units), crew, workers)
            state = "finished"
        except KeyboardInterrupt:
            state = "interrupted"
        finally:
            self._flush()
            self.tell(e.RunEnded(state))
            for name in list(crew.handles):
                crew.lose(name)
        return state

    def _prepare_store(self) -> None:
        plan, experiment = self.plan, self.plan.experiment
        self.store.recover()
        if plan.overwritten:
            self.store.forget(plan.overwritten)
        arrays = self.store.prepare(
            plan.grid, plan.meta, size=experiment.render.picture_size, input_size=experiment.input_size,
            steps=plan.most_steps, dtype=experiment.picture_dtype,
        )
        self.store.write_inputs(arrays, {name: image.pixels for name, image in plan.images.items()})

    def _batch(self) -> int:
        """Cells in a unit: as many as the config allows, fewer if workers would otherwise have nothing to do."""
        groups = len({(self.plan.labels(c)["model"], self.plan.labels(c)["layer"]) for c in self.plan.todo})
        share = -(-len(self.plan.todo) // max(1, worker_places(self.plan)))
        largest = self.plan.experiment.resources.batch
        return largest if groups >= worker_places(self.plan) else max(1, min(largest, share))

    def _spawner(self) -> Callable[[str], Any]:
        need = self.plan.experiment.resources
        remote = ray.remote(self.worker_class)

        def spawn(name: str) -> Any:
            return remote.options(
                num_cpus=need.num_cpus, num_gpus=need.num_gpus, resources=need.custom, max_restarts=0,
                max_task_retries=0, name=f"distcari-{self.run_id}-{name}",
            ).remote(
                self.store.url, self.store.options, self.plan.experiment.name, self.run_id,
                threads=max(1, int(need.num_cpus)), device="cuda" if need.num_gpus else "cpu",
            )

        return spawn

    def _loop(self, queue: Queue, crew: Crew, workers: int) -> None:
        busy: dict[Any, tuple[str, WorkUnit]] = {}
        while queue or busy:
            while queue and len(busy) < workers:
                self._give(queue, crew, busy)
            ready, _ = ray.wait(list(busy), num_returns=1, timeout=1.0)
            for reference in ready:
                worker, unit = busy.pop(reference)
                self._receive(reference, worker, unit, queue, crew)
            if self._buffer and (len(self._buffer) >= FLUSH_ROWS or time.monotonic() - self._flushed > FLUSH_SECONDS):
                self._flush()
            self.tell(e.Tick())

    def _give(self, queue: Queue, crew: Crew, busy: dict[Any, tuple[str, WorkUnit]]) -> None:
        taken = {worker for worker, _ in busy.values()}
        idle = [name for name in crew.handles if name not in taken]
        worker = idle[0] if idle else crew.hire()
        unit = queue.take(crew.model.get(worker), Counter(crew.model[w] for w in taken if w in crew.model))
        crew.model[worker] = unit.model
        busy[crew.handles[worker].run.remote(self._job(unit))] = (worker, unit)
        self.tell(e.UnitStarted(unit, worker))

    def _job(self, unit: WorkUnit) -> Job:
        plan = self.plan
        names = [str(plan.labels(cell)["image"]) for cell in unit.cells]
        return Job(
            model=plan.models[unit.model], layer=plan.layers[unit.model][unit.layer],
            settings=plan.settings[unit.layer],
            settings_hash=plan.grid.settings_hash, axes=tuple(axis.name for axis in plan.grid.axes), cells=unit.cells,
            images=tuple(plan.images[name].pixels for name in names),
            image_sha256=tuple(plan.images[name].sha256 for name in names),
            attempts=tuple(self._attempts[cell.key] + 1 for cell in unit.cells),
        )

    def _receive(self, reference: Any, worker: str, unit: WorkUnit, queue: Queue, crew: Crew) -> None:
        """Take a unit's result, or find out why there is none. RayTaskError is ours, RayError the cluster's."""
        try:
            result: Result = ray.get(reference)
        except RayTaskError as error:
            if getattr(error.cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise StoreRefuses(f"the store {self.store.url} takes no more writes: {error.cause}") from error
            result = Result(failures=[(cell, _one_line(error.cause), traceback.format_exc()) for cell in unit.cells])
        except RayError as error:
            log.warning("%s was lost: %s", worker, _one_line(error))
            crew.lose(worker)
            told = f"its worker was lost: {_one_line(error)}"
            result = Result(failures=[(cell, told, "") for cell in unit.cells])
        self.tell(e.UnitEnded(unit, worker, result.seconds))
        for row in result.rows:
            self._buffer.append(row)
            self.rows.append(row)
            self.done += 1
            self.tell(e.CellDone(row))
        again = [cell for cell, told, trace in result.failures if self._tried(cell, told, trace, result.node)]
        for cell in again:  # each alone, so that a bad cell takes no other with it
            queue.put(WorkUnit(unit.model, unit.layer, (cell,)), first=False)

    def _tried(self, cell: Cell, told: str, trace: str, node: str) -> bool:
        """Count a failed try; whether the cell may be tried again."""
        self._attempts[cell.key] += 1
        if self._attempts[cell.key] < TRIES:
            self.tell(e.CellRetried(cell.key, told))
            return True
        row = {
            "key": cell.key, "experiment": self.plan.experiment.name, **self.plan.labels(cell), "error": told,
            "traceback": trace, "attempt": self._attempts[cell.key], "node": node, "run_id": self.run_id,
            "time": datetime.now(UTC),
        }
        self.store.failed.append([row])
        self.failures.append(row)
        self.failed += 1
        self.tell(e.CellFailed(row))
        return False

    def _flush(self) -> None:
        """Commit finished rows: that is the moment from which they count as done."""
        if self._buffer:
            self.store.commit(self._buffer)
            self._buffer = []
        self._flushed = time.monotonic()


def worker_places(plan: Plan) -> int:
    """How many workers the cluster has room for, at most as many as the config allows."""
    need = plan.experiment.resources
    places = 0
    for node in ray.nodes():
        if node["Alive"]:
            places += _fits(node["Resources"], need.num_cpus, need.num_gpus, need.custom)
    return max(1, min(places, need.actors or places))


def fits_nowhere(plan: Plan) -> str | None:
    """Why no node can ever hold a worker, or None."""
    need = plan.experiment.resources
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if any(_fits(node, need.num_cpus, need.num_gpus, need.custom) for node in nodes):
        return None
    wanted = {"CPU": need.num_cpus, "GPU": need.num_gpus, **need.custom}
    most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in wanted}
    return ", ".join(f"{name} {n:g} wanted, at most {most[name]:g} on a node" for name, n in wanted.items() if n)


def _fits(node: Mapping[str, float], cpus: float, gpus: float, custom: Mapping[str, float]) -> int:
    wanted = {"CPU": cpus, "GPU": gpus, **custom}
    return int(min(node.get(name, 0.0) // n for name, n in wanted.items() if n > 0))


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
