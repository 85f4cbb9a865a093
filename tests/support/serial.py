"""A plan computed in this process, without Ray."""

from distcari.cluster.start import run_plan
from distcari.config.load import load_experiment
from distcari.planning.plan import make_plan
from distcari.store import open_store
from support.shared import write


def planned(work, document, **options):
    """The plan of a config, and its store."""
    path = write(work / "c.yaml", document)
    experiment = load_experiment(path)
    store = open_store(experiment.store, writable=True)
    return make_plan(experiment, store, path, **options), store


def compute(work, document, **options):
    """Compute what is left of a config; the run."""
    return run_plan(*planned(work, document, **options), "serial")
