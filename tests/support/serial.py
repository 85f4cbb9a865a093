"""A plan computed in this process, without Ray: the real driver's bookkeeping, the real worker."""

from collections import Counter

from distcari.cluster.driver import Run
from distcari.cluster.pool import Task
from distcari.cluster.queue import Queue
from distcari.cluster.worker import Worker
from distcari.config.load import load_experiment
from distcari.planning.plan import make_plan
from distcari.store import open_store
from distcari.store.lease import take
from support.shared import write


def planned(work, document, **options):
    """The plan of a config, and its store."""
    path = write(work / "c.yaml", document)
    experiment = load_experiment(path)
    store = open_store(experiment.store, writable=True)
    return make_plan(experiment, store, path, **options), store


def compute(work, document, **options):
    """Compute what is left of a config; the run."""
    plan, store = planned(work, document, **options)
    run = Run(plan, store)
    run._depot.parcel = lambda spec: None  # as on a single node
    with take(store.files, plan.experiment.name) as run.lease:
        queue = Queue(run._prepare())
        worker = Worker(store.url, {}, plan.experiment.name, run.run_id, threads=1, device="cpu")
        while (unit := queue.take(None, Counter(), 1)) is not None if queue else False:
            run._take_in(Task("worker", unit, 0.0), worker.run(run._job(unit)), queue)
        run._flush()
    return run
