"""The driver: prepares the store, lets an executor compute the units, commits what is finished, forgets nothing.

It knows neither Ray nor torch's devices: `executors/` has who computes, the ledger what became of it. All that the
driver knows the store knows too, so that another can go on where it is stopped.
"""

import contextlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

from distcari.cluster import events as e
from distcari.cluster.arithmetic import Arithmetic
from distcari.cluster.jobs import Job, Result, make_job
from distcari.cluster.ledger import Ledger, RunStopped
from distcari.cluster.queue import LEAST_ON_GPU, Queue, joined
from distcari.cluster.stopping import told_to_stop
from distcari.errors import InputError
from distcari.grid import WorkUnit
from distcari.planning.placement import Placement
from distcari.planning.plan import Plan
from distcari.settings import RenderSettings
from distcari.sources.models import ModelSpec
from distcari.store import Store
from distcari.store.arrays import Arrays
from distcari.store.lease import Lease, take
from distcari.store.models import update_models
from distcari.store.relabel import relabel
from distcari.store.runs import close_notes

MANY_PARTS, SMALL_PART = 200, 50_000


class Executor(Protocol):
    """Who computes a run's units."""

    def place(self, plan: Plan) -> Placement:
        """Where it would compute a plan, as things are: what each worker has, and how many there may be."""

    def compute(self, run: "Run") -> None:
        """Take units from `run.queue` until none is left, each ended by `run.finish`, with a `run.pulse` now and then.

        No worker is left when it returns or raises. Raises RunStopped if the run cannot go on.
        """


@dataclass
class Run:
    """One run of a plan."""

    plan: Plan
    store: Store
    executor: Executor
    listeners: Sequence[e.Listener] = ()
    run_id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}")
    state: str = "planned"

    @cached_property
    def placement(self) -> Placement:
        """Where it computes, as it was when first asked."""
        return self.executor.place(self.plan)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.plan, self.store, self.run_id, self.tell)
        self.queue, self.arithmetic = Queue(), Arithmetic()
        self.told: Callable[[], bool] = lambda: False

    @property
    def done(self) -> int:
        """Cells that this run computed."""
        return self.ledger.done

    @property
    def failures(self) -> list[dict[str, Any]]:
        """Rows of the cells that it gave up."""
        return self.ledger.failures

    def tell(self, event: e.Event) -> None:
        """Let every listener know."""
        for listener in self.listeners:
            listener(event)

    def start(self) -> str:
        """Prepare the store, render everything, commit; the final state (`finished`, `interrupted`).

        Raises InputError if another driver works on the experiment, RunStopped if the run cannot go on.
        """
        where = self.placement  # before anything is written: it may be refused
        with take(self.store.files, self.plan.experiment.name) as lease, told_to_stop() as self.told:
            self.lease: Lease = lease
            units = self.prepare()
            if not units:
                self.state = "finished"
                return self.state
            units.sort(key=self._depth, reverse=True)  # the dearest first, so that the last are soon done
            if where.on_gpus:
                units = joined(units, where.batch, self._alike)
            self.queue = Queue(units, LEAST_ON_GPU if where.on_gpus else 1)
            workers = min(where.workers, len(self.plan.todo))
            self.tell(e.RunStarted(self.plan, self.run_id, workers, where.line))
            self.state = "stopped"
            try:
                state = self._compute()
                if state == "finished":
                    self._compare()
                self.state = state
            finally:
                self.tell(e.RunEnded(self.state))
            if len(self.store.index.parts()) > MANY_PARTS:
                with contextlib.suppress(InputError):  # somebody merges already
                    self.store.merge(SMALL_PART)
            return self.state

    def _depth(self, unit: WorkUnit) -> float:
        """The share of the model's compute that lies before a unit's layer."""
        return self.plan.layers[unit.model][unit.layer].depth

    def _alike(self, unit: WorkUnit) -> RenderSettings | None:
        """What units must share to be rendered in one pass; None where a pass is of one layer."""
        settings = self.plan.settings_of(unit.cells[0])
        alone = unit.model in self.plan.differences or settings.compat == "lucent"
        return None if alone else settings

    def prepare(self) -> list[WorkUnit]:
        """Mend what a crash left, see what is left to do, make room for it; the units. For the lease's holder."""
        plan, experiment = self.plan, self.plan.experiment
        close_notes(self.store.files, experiment.name)
        self.store.recover(experiment.name, [cell.labels for cell in plan.todo], plan.lost)
        if plan.moved:
            relabel(
                self.store, self._arrays(), {key: cell.labels for key, cell in plan.moved.items()}, plan.paths_moved()
            )
        self.plan = plan = plan.refreshed(self.store)
        update_models(self.store.files, plan.model_rows, experiment.tag_order)
        if not plan.todo:
            return []
        if plan.overwritten:
            self.store.forget(plan.overwritten)
        arrays = self._arrays()
        self.store.write_inputs(arrays, {name: image.pixels for name, image in plan.images.items()})
        return plan.grid.units(plan.todo, self.placement.batch, _shards(arrays))

    def _arrays(self) -> Arrays:
        """The experiment's arrays with room for the plan."""
        plan, experiment = self.plan, self.plan.experiment
        return self.store.prepare(
            plan.grid,
            plan.meta,
            size=experiment.render.picture_size,
            input_size=experiment.input_size,
            steps=plan.most_steps,
            dtype=experiment.picture_dtype,
            shard=experiment.shard,
        )

    def job(self, unit: WorkUnit, checkpoint_ref: Callable[[ModelSpec], Any] = lambda _: None, kind: str = "") -> Job:
        """A unit with all that a worker of a kind needs; `checkpoint_ref` says where a worker gets a model's file."""
        precisions = self.arithmetic.known(self.plan, unit, kind)
        return make_job(self.plan, unit, self.ledger.attempt, checkpoint_ref, precisions)

    def finish(self, unit: WorkUnit, worker: str, result: Result) -> None:
        """Take in what a worker made of a unit that it had from the queue; cells to be tried again go back there."""
        self.queue.done(unit)
        self.arithmetic.learn(result)
        self.tell(e.UnitEnded(unit, worker, result.seconds))
        for again in reversed(self.ledger.take_in(unit, worker, result)):
            self.queue.put(again, first=True)  # where it was done elsewhere, the worker is soon known for what it is

    def pulse(self) -> None:
        """A second or so has passed: commit if it is time to. Raises KeyboardInterrupt if one was dropped."""
        if self.told():
            raise KeyboardInterrupt
        if self.ledger.due:
            self.ledger.flush(self.lease)
        self.tell(e.Tick())

    def _compute(self) -> str:
        """Compute and commit everything; what is finished when the run breaks off is committed as well."""
        try:
            self.executor.compute(self)
            state = "finished"
        except KeyboardInterrupt:
            state = "interrupted"
        except BaseException:
            with contextlib.suppress(RunStopped):  # the first trouble is the one to report
                self.ledger.flush(self.lease)
            raise
        self.ledger.flush(self.lease)
        return state

    def _compare(self) -> None:
        """Hold the store against the plan. Raises RunStopped where somebody deleted meanwhile what was computed."""
        given_up = set(self.store.failures()["key"])
        wanted = {cell.key for cell in self.plan.wanted} - given_up
        if missing := self.store.missing(self.plan.experiment.name, wanted):
            raise RunStopped(
                f"{len(missing)} of {len(wanted)} cells that were computed are not in the store "
                f"{self.store.url} any more: parts of it were deleted during the run",
                "Give the same command again: it computes them.",
            )


def _shards(arrays: Arrays) -> dict[Any, int] | None:
    """Each image's shard, by its place in the store; None where every cell has an object of its own."""
    size = arrays.images_per_shard
    return None if size == 1 else {label: i // size for i, label in enumerate(arrays.labels("image"))}
