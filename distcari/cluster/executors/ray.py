"""Units on Ray: an own `ray.wait` loop over actors. A unit whose worker dies goes back to the queue."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from distcari.cluster import events as e
from distcari.cluster.driver import Run
from distcari.cluster.jobs import Result
from distcari.cluster.ledger import RunStopped, store_stopped
from distcari.cluster.pool import Task, WorkerPool
from distcari.cluster.retrying import StoreError
from distcari.cluster.room import places, what_is_free
from distcari.cluster.shipping import CheckpointStore
from distcari.cluster.worker import Worker
from distcari.errors import typed_line
from distcari.planning.plan import Plan
from distcari.store.files import is_local, local_path

log = logging.getLogger("distcari.driver")
RESIZE_SECONDS = 5.0  # between looks at the cluster's size
FAILED_STARTS = 4
QUIET_SECONDS = 30.0  # without a worker that could start, until somebody is told


@dataclass
class RayExecutor:
    """Workers on a Ray that is initialised already; `elastic`: the cluster may grow for us."""

    worker_class: type[Worker] = Worker
    elastic: bool = False

    def workers(self, plan: Plan) -> int:
        """As many as fit on the nodes there are now, at most as the config says; that many where nodes may come."""
        limit = plan.experiment.resources.actors
        if self.elastic and limit is not None:
            return limit
        fit = max(1, places(plan.experiment.resources))
        return min(fit, limit or fit)

    def compute(self, run: Run) -> None:
        """Compute the run's units on as many workers as there is room for."""
        loop = _Loop(self, run, WorkerPool(_spawner(run, self.worker_class)))
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
    failed_starts: int = 0
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
            self.sized, self.most = time.monotonic(), self.executor.workers(self.run.plan)
        wanted = min(self.most, queue.cells + len(pool.busy))
        while len(pool) < wanted:
            pool.add()
        if not queue:
            pool.scale_down(len(pool.busy))
        labels = {*queue.models, *pool.model.values()}
        self.checkpoints.keep({spec.name for label in labels for spec in self.run.plan.networks(label)})

    def _hand_out(self) -> None:
        for worker in list(self.pool.idle):
            unit = self.run.queue.take(self.pool.model.get(worker), self.pool.holding(), len(self.pool))
            if unit is None:
                break
            self.pool.give(worker, unit, self.run.job(unit, self.checkpoints.reference))
            self.run.tell(e.UnitStarted(unit, worker))

    def _listen(self) -> None:
        """Wait a moment for news of workers, and take in all there is."""
        references = self.pool.references
        if not references:
            return
        ready, rest = ray.wait(references, num_returns=1, timeout=1.0)
        if ready and rest:
            ready += ray.wait(rest, num_returns=len(rest), timeout=0)[0]
        for reference in ready:
            self.heard = time.monotonic()
            if reference in self.pool.starting:
                self._started(reference)
            elif reference in self.pool.busy:
                self._receive(reference, self.pool.busy.pop(reference))
        self._look_for_trouble()

    def _started(self, reference: Any) -> None:
        name = self.pool.starting.pop(reference)
        try:
            ray.get(reference)
        except RayError as error:
            self.pool.lose(name)
            self._count_failed_start(name, error)
            return
        self.failed_starts = 0
        self.pool.idle.append(name)

    def _count_failed_start(self, name: str, error: RayError) -> None:
        self.failed_starts += 1
        log.warning("%s could not start: %s", name, _why_no_start(error))
        if self.failed_starts >= FAILED_STARTS and not len(self.pool.busy) + len(self.pool.idle):
            raise RunStopped(
                f"{self.failed_starts} workers in a row could not start; the last: {_why_no_start(error)}",
                "See that distcari and what the models need are installed on every node, and that every node "
                "reaches the store.",
            ) from error

    def _look_for_trouble(self) -> None:
        now, need, pool = time.monotonic(), self.run.plan.experiment.resources, self.pool
        if need.timeout is not None:
            for reference, task in list(pool.busy.items()):
                if now - task.since > need.timeout:
                    del pool.busy[reference]
                    self._lost(task, f"nothing came of it for {need.timeout:g} s")
        if not pool.busy and pool.starting and now - self.heard > QUIET_SECONDS:
            self.heard = now
            reason = f"no worker could start for {QUIET_SECONDS:g} s ({what_is_free(need)}); waiting for room"
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
        self.pool.idle.append(task.worker)
        self.run.finish(task.unit, task.worker, result)

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
    need, store = run.plan.experiment.resources, run.store
    remote = ray.remote(worker_class)
    # Absolute: a worker's folder is that of its node, not ours.
    url = str(local_path(store.url)) if is_local(store.url) else store.url

    def spawn(name: str) -> Any:
        return remote.options(
            num_cpus=need.num_cpus,
            num_gpus=need.num_gpus,
            resources=need.custom,
            max_restarts=0,
            max_task_retries=0,
            name=f"distcari-{run.run_id}-{name}",
        ).remote(
            url,
            store.options,
            run.plan.experiment.name,
            run.run_id,
            threads=max(1, int(need.num_cpus)),
            device="cuda" if need.num_gpus else "cpu",
            name=name,
        )

    return spawn


def _why_no_start(error: RayError) -> str:
    """The last line of the worker's own traceback, where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" ^~")]
    return lines[-1][:300] if "creation task" in str(error) and lines else typed_line(error)
