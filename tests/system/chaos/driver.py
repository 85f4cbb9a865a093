"""One life of a driver under chaos: python -m system.chaos.driver CONFIG ADDRESS. Exit code 0: the grid is done."""

import logging
import sys

import ray
from system.chaos.faults import ChaosWorker, put_points_into_the_driver

from distcari.cluster.driver import Run
from distcari.cluster.executors.ray import RayExecutor
from distcari.cluster.ledger import RunStopped
from distcari.cluster.run_note import RunNote
from distcari.config.load import load_experiment
from distcari.errors import InputError
from distcari.planning.plan import make_plan
from distcari.store import open_store


def main(path, address):
    put_points_into_the_driver()
    experiment = load_experiment(path)
    store = open_store(experiment.store, writable=True)
    plan = make_plan(experiment, store, path, retry_failed=True)
    if not plan.todo:
        return 0
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    run = Run(plan, store, RayExecutor(ChaosWorker), [RunNote(store.files)])
    try:
        state = run.start()
    except (RunStopped, InputError) as error:
        print(error, flush=True)
        return 3
    print(state, run.done, "done", len(run.failures), "given up", flush=True)
    return 0 if state == "finished" and not run.failures else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
