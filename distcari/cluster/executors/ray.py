"""Units on Ray: an own `ray.wait` loop over actors.

A unit whose worker dies goes back to the queue; a worker that is of no use is retired.
"""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from distcari.cluster import events as e
from distcari.cluster.arithmetic import layers_of
from distcari.cluster.driver import Run
from distcari.cluster.health import Health
from distcari.cluster.jobs import Result
from distcari.cluster.ledger import RunStopped, store_stopped
from distcari.cluster.pool import Task, WorkerPool
from distcari.cluster.retrying import StoreError
from distcari.cluster.room import nodes, options, places, what_is_free
from distcari.cluster.shipping import CheckpointStore
from distcari.cluster.worker import Worker
from distcari.errors import typed_line
from distcari.grid import WorkUnit
from distcari.planning.placement import Placement, place_experiment
from distcari.planning.plan import Plan
from distcari.store.files import is_local, local_path

log = logging.getLogger("distcari.driver")
RESIZE_SECONDS = 5.0  # between looks at the cluster's size
MOST_SETBACKS = 4  # workers in a row that could not start or were of no use
DECIDING_SECONDS = 60.0  # that others wait for a layer's arithmetic: a worker that hangs holds up nobody
QUIET_SECONDS = 30.0  # without a worker that could start, until somebody is told
SMALL = 2  # batches: while all that a worker on a GPU has in hand is no more, it may have one unit more


@dataclass
class RayExecutor:
    """Workers on a Ray that is initialised already; `elastic`: the cluster may grow for us."""

    worker_class: type[Worker] = Worker
    elastic: bool = False

    def place(self, plan: Plan) -> Placement:
        """By the nodes there are now; as many workers as the config says where nodes may come."""
        placement, limit = place_experiment(plan.experiment, nodes()), plan.experiment.resources.actors
        return replace(placement, workers=limit) if self.elastic and limit != "auto" else placement

    def compute(self, run: Run) -> None:
        """Compute the run's units on as many workers as there is room for, each with what was settled at the start."""
        loop = _Loop(self, run, WorkerPool(_spawner(run, self.worker_class), run.placement.hands))
        try:
            while run.queue or loop.pool.busy:
                loop.turn()
        finally:
            loop.pool.dismiss()


@dataclass
class _Loop:
    """The loop of one run: what it does again and again, and what it remembers between."""

    executor: RayExecutor
    run: Run
    pool: WorkerPool
    checkpoints: CheckpointStore = field(default_factory=CheckpointStore)
    most: int = 1
    sized: float = float("-inf")
    health: Health = field(default_factory=Health)
    heard: float = field(default_factory=time.monotonic)

    def turn(self) -> None:
        """Workers as needed, work for the idle, news of the others; about a second."""
        if gone := lost_processes():
            raise RunStopped(
                f"Ray's own process {gone[0]} has ended, and this run's Ray with it",
                "Give the same command again: it goes on where this one stopped.",
            )
        self._scale()
        self._hand_out()
        self._listen()
        self.run.pulse()

    def _scale(self) -> None:
        """As many workers as there are places for and cells left."""
        queue, pool = self.run.queue, self.pool
        if time.monotonic() - self.sized > RESIZE_SECONDS:
            self.sized, self.most = time.monotonic(), self._room()
        open_now = max(0, self.most - self.health.closed(time.monotonic()))
        wanted = min(open_now, queue.cells + len(pool.busy))
        while len(pool) < wanted:
            pool.add()
        if not queue:
            pool.scale_down(len(pool.busy))
        labels = {*queue.models, *pool.model.values()}
        self.checkpoints.keep({spec.name for label in labels for spec in self.run.plan.networks(label)})

    def _room(self) -> int:
        """Workers that there is room for by now."""
        limit = self.run.plan.experiment.resources.actors
        if self.executor.elastic and limit != "auto":
            return limit
        fit = max(1, places(self.run.placement.need))
        return fit if limit == "auto" else min(fit, limit)

    def _hand_out(self) -> None:
        """Work for every free hand, one for each worker before any has two; one more where all of it is small."""
        for in_hand in range(self.pool.hands + (self.pool.hands > 1)):
            load = self.pool.load()
            for worker in [name for name in self.pool.ready if load[name] == in_hand]:
                resident, fit = self.pool.model.get(worker), partial(self._fit, worker)
                unit = self.run.queue.take(resident, self.pool.holding(), len(self.pool), fit)
                if unit is None:
                    continue
                kind = self.pool.ready[worker].kind
                if not (self.run.placement.on_gpus or self.run.arithmetic.decided(self.run.plan, unit, kind)):
                    unit = self.run.queue.cut(unit, 1)  # the others wait for what it decides
                self.pool.give(worker, unit, self.run.job(unit, self.checkpoints.reference, kind))
                self.run.tell(e.UnitStarted(unit, worker))

    def _fit(self, worker: str, unit: WorkUnit) -> bool:
        """Whether a worker may have a unit: not cells that failed there while others can try them; nothing beside such
        cells, so that none is suspected for its company; not a layer whose arithmetic another worker is deciding."""
        if self._deciding(worker, unit):
            return False
        in_hand = [task.unit for task in self.pool.busy.values() if task.worker == worker]
        tried = self._failed_on(unit)
        if in_hand and (tried or any(map(self._failed_on, in_hand))):
            return False
        cells = sum(len(one.cells) for one in (*in_hand, unit))
        if len(in_hand) == self.pool.hands and cells > SMALL * self.run.placement.batch:
            return False
        return worker not in tried or not self._others(worker) - tried

    def _deciding(self, worker: str, unit: WorkUnit) -> bool:
        plan, arithmetic, ready = self.run.plan, self.run.arithmetic, self.pool.ready
        if arithmetic.decided(plan, unit, ready[worker].kind):
            return False
        layers, since = set(layers_of(plan, unit)), time.monotonic() - DECIDING_SECONDS
        return any(
            not layers.isdisjoint(layers_of(plan, task.unit)) and ready[task.worker].kind == ready[worker].kind
            for task in self.pool.busy.values()
            if task.since > since
            and task.worker != worker
            and task.worker in ready
            and not self.health.doubtful(task.worker)
        )

    def _failed_on(self, unit: WorkUnit) -> set[str]:
        """Workers that any of a unit's cells failed on."""
        return {worker for cell in unit.cells for worker in self.run.ledger.failed_on(cell)}

    def _others(self, worker: str) -> set[str]:
        """Workers that are there besides, or soon will be."""
        soon = time.monotonic() - QUIET_SECONDS
        starting = {name for name in self.pool.starting.values() if self.pool.asked[name] > soon}
        return (set(self.pool.ready) | (starting if self.health.setbacks < MOST_SETBACKS else set())) - {worker}

    def _listen(self) -> None:
        """Wait a moment for news of workers, and take in all there is."""
        references = self.pool.references
        if not references:
            self._wait_for_places()
            return
        ready, rest = ray.wait(references, num_returns=1, timeout=1.0)
        if ready and rest:
            ready += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for reference in ready:
            self.heard = time.monotonic()
            if reference in self.pool.starting:
                self._started(reference)
            elif reference in self.pool.busy:
                self._receive(reference, self.pool.take(reference))
        for worker in self.health.useless(list(self.pool.ready), self.run.ledger.absolved):
            self._retire(worker, "nothing came of its last units, and other workers did what failed on it")
        self._look_for_trouble()

    def _wait_for_places(self) -> None:
        """No worker is there, and none may be asked for yet."""
        if self.health.closed(now := time.monotonic()) and now - self.heard > QUIET_SECONDS:
            self.heard = now
            self.run.tell(e.Stalled("every worker was retired; they are tried again in a while"))
        time.sleep(0.2)

    def _started(self, reference: Any) -> None:
        name = self.pool.starting.pop(reference)
        try:
            self.pool.ready[name] = ray.get(reference)
        except RayError as error:
            self.pool.lose(name)
            why = _why_no_start(error)
            log.warning("%s could not start: %s", name, why)
            if self.pool.ready:
                self.health.close("", time.monotonic())
                return
            self.health.setbacks += 1
            self._stop_without_workers(
                f"{self.health.setbacks} workers in a row could not start; the last: {why}",
                "See that distcari and what the models need are installed on every node, and that every node "
                "reaches the store; where it is the GPU, `--set resources.num_gpus=0` computes without it.",
            )

    def _place(self, worker: str) -> str:
        return self.pool.ready[worker].place if worker in self.pool.ready else ""

    def _retire(self, worker: str, why: str) -> None:
        """Kill a worker that is of no use; all that it has goes back, and nothing that failed there counts."""
        place = self._place(worker)
        self.pool.lose(worker)
        self.run.ledger.forgive(worker)
        for reference, task in list(self.pool.busy.items()):
            if task.worker == worker:
                del self.pool.busy[reference]
                self.run.finish(task.unit, worker, Result(broken=why))
        wait = self.health.close(place, time.monotonic())
        again = f"another is tried there {f'in {wait:g} s' if wait else 'now'}"
        log.warning("%s on %s was retired: %s; %s", worker, place, why, again)
        self.run.tell(e.WorkerRetired(worker, place, f"{why}; {again}"))
        self._stop_without_workers(
            f"{self.health.setbacks} workers in a row were of no use; the last: {why}",
            "See what is wrong there, or who else uses it, then give the same command again; where it is the GPU, "
            "`--set resources.num_gpus=0` computes without it.",
        )

    def _stop_without_workers(self, message: str, remedy: str) -> None:
        if self.health.setbacks >= MOST_SETBACKS and not self.pool.busy and not self.pool.ready:
            raise RunStopped(message, remedy)

    def _look_for_trouble(self) -> None:
        now, pool = time.monotonic(), self.pool
        if (timeout := self.run.plan.experiment.resources.timeout) is not None:
            for reference, task in list(pool.busy.items()):
                if now - task.since > timeout and reference in pool.busy:
                    pool.take(reference)
                    self._lost(task, f"nothing came of it for {timeout:g} s")
        if not pool.busy and pool.starting and now - self.heard > QUIET_SECONDS:
            self.heard = now
            free = what_is_free(self.run.placement.need)
            reason = f"no worker could start for {QUIET_SECONDS:g} s ({free}); waiting for room"
            self.run.tell(e.Stalled(reason))

    def _receive(self, reference: Any, task: Task) -> None:
        """Take a unit's result, or find out why there is none. RayTaskError is ours, RayError the cluster's."""
        try:
            result: Result = ray.get(reference)
        except RayTaskError as error:
            if isinstance(error.cause, StoreError):
                raise store_stopped(self.run.store, error.cause) from error
            result = Result.failed(task.unit, typed_line(error.cause), traceback.format_exc())
        except RayError as error:
            self._lost(task, typed_line(error))
            return
        self.run.finish(task.unit, task.worker, result)
        self.health.heard(task.worker, self._place(task.worker), result)
        if result.broken and task.worker in self.pool.ready:
            self._retire(task.worker, result.broken)

    def _lost(self, task: Task, why: str) -> None:
        log.warning("%s was lost: %s", task.worker, why)
        self.pool.lose(task.worker)
        self.run.finish(task.unit, task.worker, Result.failed(task.unit, f"its worker was lost: {why}"))


def lost_processes() -> list[str]:
    """Those of Ray's own processes that this process started (embedded Ray) and that have ended since.

    Ray itself says nothing when its raylet is killed, and after its gcs_server a minute later.
    """
    node = getattr(ray._private.worker, "_global_node", None)
    known = getattr(node, "all_processes", None) or {}
    return [
        name
        for name in ("raylet", "gcs_server")
        for started in known.get(name, ())
        if started.process.poll() is not None
    ]


def _spawner(run: Run, worker_class: type[Worker]) -> Callable[[str], Any]:
    """What asks Ray for a worker of that name."""
    need, store = run.placement.need, run.store
    remote = ray.remote(worker_class)
    # Absolute: a worker's folder is that of its node, not ours.
    url = str(local_path(store.url)) if is_local(store.url) else store.url

    def spawn(name: str) -> Any:
        return remote.options(
            **options(need),
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=run.placement.hands + (run.placement.hands > 1),
            name=f"distcari-{run.run_id}-{name}",
        ).remote(
            url,
            store.options,
            run.plan.experiment.name,
            run.run_id,
            threads=max(1, int(need.num_cpus)),
            device="gpu" if need.num_gpus else "cpu",
            share=need.num_gpus,
            beside=run.placement.beside,
            launch=run.plan.experiment.resources.launch,
            name=name,
        )

    return spawn


def _why_no_start(error: RayError) -> str:
    """The last line of the worker's own traceback, where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" ^~")]
    return lines[-1][:300] if "creation task" in str(error) and lines else typed_line(error)
