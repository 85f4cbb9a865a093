"""Units one after the other in this process, without Ray: for tests, notebooks and grids of a few cells."""

import traceback
from collections import Counter
from dataclasses import dataclass, replace

import torch

from distcari.cluster import events as e
from distcari.cluster.driver import Run
from distcari.cluster.jobs import Result
from distcari.cluster.ledger import RunStopped, store_stopped
from distcari.cluster.retrying import StoreError
from distcari.cluster.worker import Worker
from distcari.errors import typed_line
from distcari.planning.here import this_machine
from distcari.planning.placement import Placement, place_experiment
from distcari.planning.plan import Plan

NAME = "worker-1"


@dataclass
class SerialExecutor:
    """One worker, here. Whatever kills it kills the run; the next goes on from the store."""

    worker_class: type[Worker] = Worker

    def place(self, plan: Plan) -> Placement:
        """One worker, on this machine. Raises InputError for arithmetic that it does not have."""
        return replace(place_experiment(plan.experiment, [this_machine()]), workers=1)

    def compute(self, run: Run) -> None:
        """Compute the run's units in turn. Raises RunStopped if the store takes no more."""
        threads = torch.get_num_threads()
        try:
            self._compute(run)
        finally:
            torch.set_num_threads(threads)

    def _compute(self, run: Run) -> None:
        need, resident = run.placement.need, None
        worker = self.worker_class(
            run.store.url,
            run.store.options,
            run.plan.experiment.name,
            run.run_id,
            threads=max(1, int(need.num_cpus)),
            device="gpu" if need.num_gpus else "cpu",
            name=NAME,
        )
        while (unit := run.queue.take(resident, Counter(), 1)) is not None:
            resident = unit.model
            run.tell(e.UnitStarted(unit, NAME))
            try:
                result = worker.run(run.job(unit, kind=worker.kind))
            except StoreError as error:
                raise store_stopped(run.store, error) from error
            except Exception as error:
                result = Result.failed(unit, typed_line(error), traceback.format_exc())
            run.finish(unit, NAME, result)
            if result.broken:
                raise RunStopped(result.broken, "Give the same command again: it goes on where this one stopped.")
            run.pulse()
