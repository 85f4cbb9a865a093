"""The driver: hands units to workers, commits what they finished, and forgets nothing.

Own `ray.wait` loop. A unit whose worker dies goes back to the queue; a cell gets three tries and is then given up,
alone. Rows reach the index in parts of up to 64 rows or 5 seconds; until then they are computed, but not done. All that
the driver knows the store knows too, so that another can go on where it is stopped.
"""

import contextlib
import errno
import logging
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from distcari.cluster import events as e
from distcari.cluster.pool import Crew, Task, places, what_is_free
from distcari.cluster.queue import Queue
from distcari.cluster.shipping import Depot
from distcari.cluster.worker import Job, Result, RivalJob, StoreTrouble, Worker
from distcari.errors import InputError
from distcari.grid import Cell, WorkUnit
from distcari.planning.plan import Plan, settings_hash
from distcari.store import Store
from distcari.store.arrays import Arrays
from distcari.store.files import is_local, local_path
from distcari.store.lease import LeaseLost, take
from distcari.store.runs import close_notes

log = logging.getLogger("distcari.driver")
TRIES = 3
FLUSH_ROWS, FLUSH_SECONDS = 64, 5.0
MANY_PARTS, SMALL_PART = 200, 50_000
WAITS = (0.5, 2.0, 8.0)  # seconds between the tries of a commit
LOOK = 5.0  # seconds between looks at the cluster's size
FAILED_STARTS = 4


class RunStopped(RuntimeError):
    """The run cannot go on; nothing done is lost. `remedy` says what to do."""

    def __init__(self, told: str, remedy: str) -> None:
        super().__init__(told)
        self.remedy = remedy


@dataclass
class Run:
    """One run of a plan on a Ray that is initialised already; `elastic`: the cluster may grow for us."""

    plan: Plan
    store: Store
    listeners: Sequence[e.Listener] = ()
    worker_class: type[Worker] = Worker
    elastic: bool = False
    run_id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}")
    failures: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._given_up: list[dict[str, Any]] = []
        self._committed: set[str] = set()
        self._flushed = time.monotonic()
        self._attempts: Counter[str] = Counter()
        self._depot = Depot()
        self._failed_starts = 0
        self._looked, self._most = 0.0, 1
        self._heard = time.monotonic()

    def tell(self, event: e.Event) -> None:
        """Let every listener know."""
        for listener in self.listeners:
            listener(event)

    def start(self) -> str:
        """Prepare the store, render everything, commit; the final state (`finished`, `interrupted`).

        Raises InputError if another driver works on the experiment, RunStopped if the run cannot go on.
        """
        with take(self.store.files, self.plan.experiment.name) as self.lease:
            units = self._prepare()
            if not units:
                return "finished"
            return self._run(units)

    def _prepare(self) -> list[WorkUnit]:
        """Mend what a crash left, see what is left to do, make room for it."""
        plan, experiment = self.plan, self.plan.experiment
        close_notes(self.store.files, experiment.name)
        self.store.recover(experiment.name, [cell.labels for cell in plan.todo], plan.lost)
        self.plan = plan = plan.refreshed(self.store)
        if not plan.todo:
            return []
        if plan.overwritten:
            self.store.forget(plan.overwritten)
        arrays = self.store.prepare(
            plan.grid, plan.meta, size=experiment.render.picture_size, input_size=experiment.input_size,
            steps=plan.most_steps, dtype=experiment.picture_dtype, shard=experiment.shard,
        )
        self.store.write_inputs(arrays, {name: image.pixels for name, image in plan.images.items()})
        return plan.grid.units(plan.todo, experiment.resources.batch, _shards(arrays))

    def _run(self, units: list[WorkUnit]) -> str:
        self._most = self._most_workers()
        self.tell(e.RunStarted(self.plan, self.run_id, min(self._most, len(self.plan.todo))))
        crew, state = Crew(self._spawner()), "stopped"
        try:
            self._loop(Queue(units), crew)
            state = "finished"
        except KeyboardInterrupt:
            state = "interrupted"
        finally:
            try:
                with contextlib.suppress(RunStopped) if state == "stopped" else contextlib.nullcontext():
                    self._flush()
            finally:
                self.tell(e.RunEnded(state))
                crew.dismiss()
        if len(self.store.index.parts()) > MANY_PARTS:
            with contextlib.suppress(InputError):  # somebody merges already
                self.store.merge(SMALL_PART)
        return state

    def _loop(self, queue: Queue, crew: Crew) -> None:
        while queue or crew.busy:
            self._staff(queue, crew)
            self._hand_out(queue, crew)
            self._listen(queue, crew)
            waiting = len(self._rows) + len(self._given_up)
            if waiting and (waiting >= FLUSH_ROWS or time.monotonic() - self._flushed > FLUSH_SECONDS):
                self._flush()
            self.tell(e.Tick())

    def _staff(self, queue: Queue, crew: Crew) -> None:
        """As many workers as there are places for and cells left: hire or let go."""
        if time.monotonic() - self._looked > LOOK:
            self._looked, self._most = time.monotonic(), self._most_workers()
        wanted = min(self._most, queue.cells + len(crew.busy))
        while len(crew) < wanted:
            crew.hire()
        if not queue:
            crew.let_go(len(crew.busy))
        labels = {*queue.models, *crew.model.values()}
        self._depot.keep({spec.name for label in labels for spec in self.plan.networks(label)})

    def _most_workers(self) -> int:
        """As many as fit on the nodes there are now, at most as the config says; that many where nodes may come."""
        limit = self.plan.experiment.resources.actors
        if self.elastic and limit is not None:
            return limit
        fit = max(1, places(self.plan.experiment.resources))
        return min(fit, limit or fit)

    def _hand_out(self, queue: Queue, crew: Crew) -> None:
        for worker in list(crew.idle):
            unit = queue.take(crew.model.get(worker), crew.holding(), len(crew))
            if unit is None:
                break
            crew.give(worker, unit, self._job(unit))
            self.tell(e.UnitStarted(unit, worker))

    def _listen(self, queue: Queue, crew: Crew) -> None:
        """Wait a moment for news of workers, and take in all there is."""
        references = crew.references
        if not references:
            return
        ready, rest = ray.wait(references, num_returns=1, timeout=1.0)
        if ready and rest:
            ready += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for reference in ready:
            self._heard = time.monotonic()
            if reference in crew.starting:
                self._started(reference, crew)
            elif reference in crew.busy:
                self._receive(reference, crew.busy.pop(reference), queue, crew)
        self._look_for_trouble(queue, crew)

    def _started(self, reference: Any, crew: Crew) -> None:
        name = crew.starting.pop(reference)
        try:
            ray.get(reference)
        except RayError as error:
            crew.lose(name)
            self._failed_starts += 1
            log.warning("%s could not start: %s", name, _why_no_start(error))
            if self._failed_starts >= FAILED_STARTS and not len(crew.busy) + len(crew.idle):
                raise RunStopped(
                    f"{self._failed_starts} workers in a row could not start; the last: {_why_no_start(error)}",
                    "See that distcari and what the models need are installed on every node, and that every node "
                    "reaches the store.") from error
            return
        self._failed_starts = 0
        crew.idle.append(name)

    def _look_for_trouble(self, queue: Queue, crew: Crew) -> None:
        now, need = time.monotonic(), self.plan.experiment.resources
        if need.timeout is not None:
            for reference, task in list(crew.busy.items()):
                if now - task.since > need.timeout:
                    del crew.busy[reference]
                    self._lost(task, f"nothing came of it for {need.timeout:g} s", queue, crew)
        if not crew.busy and crew.starting and now - self._heard > 30:
            self._heard = now
            self.tell(e.Stalled(f"no worker could start for 30 s ({what_is_free(need)}); waiting for room"))

    def _job(self, unit: WorkUnit) -> Job:
        plan = self.plan
        names = [str(plan.labels(cell)["image"]) for cell in unit.cells]
        (model, *others), settings = plan.networks(unit.model), plan.settings_of(unit.cells[0])
        return Job(
            label=unit.model, model=model, layer=plan.layers[unit.model][unit.layer],
            settings=settings, settings_hash=settings_hash(settings),
            axes=tuple(axis.name for axis in plan.grid.axes), cells=unit.cells,
            images=tuple(plan.images[name].pixels for name in names),
            image_sha256=tuple(plan.images[name].sha256 for name in names),
            attempts=tuple(self._attempts[cell.key] + 1 for cell in unit.cells),
            parcel=self._depot.parcel(model),
            rival=RivalJob(
                others[0], plan.rivals[unit.model][unit.layer], plan.differences[unit.model].contrast,
                self._depot.parcel(others[0]),
            ) if others else None,
        )

    def _receive(self, reference: Any, task: Task, queue: Queue, crew: Crew) -> None:
        """Take a unit's result, or find out why there is none. RayTaskError is ours, RayError the cluster's."""
        try:
            result: Result = ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, StoreTrouble):
                raise _stopped(self.store, error.cause.told, error.cause.full) from error
            crew.idle.append(task.worker)
            told, trace = _one_line(error.cause), traceback.format_exc()
            result = Result(failures=[(cell, told, trace) for cell in task.unit.cells])
        except RayError as error:
            self._lost(task, _one_line(error), queue, crew)
            return
        else:
            crew.idle.append(task.worker)
        self._take_in(task, result, queue)

    def _lost(self, task: Task, why: str, queue: Queue, crew: Crew) -> None:
        log.warning("%s was lost: %s", task.worker, why)
        crew.lose(task.worker)
        told = f"its worker was lost: {why}"
        self._take_in(task, Result(failures=[(cell, told, "") for cell in task.unit.cells]), queue)

    def _take_in(self, task: Task, result: Result, queue: Queue) -> None:
        unit = task.unit
        queue.done(unit)
        self.tell(e.UnitEnded(unit, task.worker, result.seconds))
        for row in result.rows:
            if row["key"] in self._committed:
                continue
            self._committed.add(row["key"])
            self._rows.append(row)
            self.done += 1
            self.tell(e.CellDone(row))
        again = [cell for cell, told, trace in result.failures if self._tried(cell, told, trace, result.node)]
        for cell in again:  # each alone, so that a bad cell takes no other with it
            queue.put(unit._replace(cells=(cell,)))

    def _tried(self, cell: Cell, told: str, trace: str, node: str) -> bool:
        """Count a failed try; whether the cell may be tried again."""
        self._attempts[cell.key] += 1
        if self._attempts[cell.key] < TRIES:
            self.tell(e.CellRetried(cell.key, told))
            return True
        row = {
            "key": cell.key, "experiment": self.plan.experiment.name, **self.plan.settings_of(cell).in_force(),
            **self.plan.labels(cell), "error": told,
            "traceback": trace, "attempt": self._attempts[cell.key], "node": node, "run_id": self.run_id,
            "time": datetime.now(UTC),
        }
        self._given_up.append(row)
        self.failures.append(row)
        self.tell(e.CellFailed(row))
        return False

    def _flush(self) -> None:
        """Commit finished rows: that is the moment from which they count as done."""
        for wait in (*WAITS, None):
            try:
                self._commit()
                break
            except LeaseLost as error:
                raise RunStopped(str(error), error.remedy) from None
            except Exception as error:  # an object store's errors are no OSError
                full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
                if full or wait is None:
                    raise _stopped(self.store, _one_line(error), full) from error
                log.warning("the store stumbles (%s); again in %g s", _one_line(error), wait)
                time.sleep(wait)
        self._flushed = time.monotonic()

    def _commit(self) -> None:
        part = None
        try:
            if self._rows:
                with self.lease.held():
                    part = self.store.commit(self._rows)
                self._rows = []
            if self._given_up:
                with self.lease.held():
                    part = self.store.failed.append(self._given_up)
                self._given_up = []
        except LeaseLost:
            if part is not None:  # taken over in this very moment: the other driver has not seen these rows
                (self.store.index if self._rows else self.store.failed).drop(part)
            raise

    def _spawner(self) -> Callable[[str], Any]:
        need = self.plan.experiment.resources
        remote = ray.remote(self.worker_class)
        # Absolute: a worker's folder is that of its node, not ours.
        url = str(local_path(self.store.url)) if is_local(self.store.url) else self.store.url

        def spawn(name: str) -> Any:
            return remote.options(
                num_cpus=need.num_cpus, num_gpus=need.num_gpus, resources=need.custom, max_restarts=0,
                max_task_retries=0, name=f"distcari-{self.run_id}-{name}",
            ).remote(
                url, self.store.options, self.plan.experiment.name, self.run_id,
                threads=max(1, int(need.num_cpus)), device="cuda" if need.num_gpus else "cpu", name=name,
            )

        return spawn


def _shards(arrays: Arrays) -> dict[Any, int] | None:
    """Each image's shard, by its place in the store; None where every cell has an object of its own."""
    size = arrays.images_per_shard
    return None if size == 1 else {label: i // size for i, label in enumerate(arrays.labels("image"))}


def _stopped(store: Store, told: str, full: bool) -> RunStopped:
    state = "takes no more writes" if full else "cannot be written"
    remedy = "Make room" if full else "Mend it"
    return RunStopped(f"the store {store.url} {state}: {told}", f"{remedy}, then give the same command again.")


def _why_no_start(error: RayError) -> str:
    """The last line of the worker's own traceback, where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" ^~")]
    return lines[-1][:300] if "creation task" in str(error) and lines else _one_line(error)


def _one_line(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
