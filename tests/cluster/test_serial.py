"""Plans computed in this process alone: the same bits in the store, no Ray, and nothing lost when it breaks off."""

import signal
import subprocess
import sys

import pytest
import torch
from support.serial import compute, planned
from support.shared import config, write

from distcari.cluster import events
from distcari.cluster.start import run_plan
from distcari.store.check import check

WITHOUT_RAY = """
import sys
from distcari.cluster.start import run_plan
from distcari.config.load import load_experiment
from distcari.planning.plan import make_plan
from distcari.store import open_store

experiment = load_experiment("c.yaml")
store = open_store(experiment.store, writable=True)
run = run_plan(make_plan(experiment, store, "c.yaml"), store, "serial")
print(run.state, run.done, [m for m in sys.modules if m.split(".")[0] == "ray"])
"""


def test_a_whole_run_never_imports_ray(work):
    write(work / "c.yaml", config())
    done = subprocess.run([sys.executable, "-c", WITHOUT_RAY], capture_output=True, text=True, check=True)
    assert done.stdout == "finished 8 []\n"


def test_it_goes_on_where_it_was_interrupted_and_leaves_the_threads_alone(work):
    threads, heard = torch.get_num_threads(), []

    def stop_in_the_middle(event):
        heard.append(event)
        if isinstance(event, events.CellDone) and sum(isinstance(e, events.CellDone) for e in heard) == 3:
            raise KeyboardInterrupt

    plan, store = planned(work, config())
    run = run_plan(plan, store, "serial", [stop_in_the_middle])
    assert run.state == "interrupted" and run.done == 3 == len(store.table())
    assert heard[-1] == events.RunEnded("interrupted") and torch.get_num_threads() == threads
    rest = compute(work, config())
    assert rest.state == "finished" and rest.done == 5 and list(check(store)) == [8]
    assert compute(work, config()).done == 0


def test_each_models_deepest_layer_comes_first(work):
    plan, store = planned(work, config())
    started = []
    run_plan(plan, store, "serial", [started.append])
    units = [event.unit for event in started if isinstance(event, events.UnitStarted)]
    for model in plan.models:
        layers = list(dict.fromkeys(unit.layer for unit in units if unit.model == model))
        assert layers == sorted(layers, key=lambda layer: -plan.layers[model][layer].depth) == ["head", "conv2"]


def test_an_interrupt_that_python_drops_ends_the_run_all_the_same(work, monkeypatch):
    class Swallows:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    dropped = []
    monkeypatch.setattr(sys, "unraisablehook", lambda it: dropped.append(it.exc_type))

    def interrupt_in_a_destructor(event):
        if isinstance(event, events.CellDone) and not dropped:
            Swallows()

    plan, store = planned(work, config())
    run = run_plan(plan, store, "serial", [interrupt_in_a_destructor])
    assert dropped == [KeyboardInterrupt] and run.state == "interrupted" and 0 < run.done < 8
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_is_finished_when_a_run_breaks_is_committed(work):
    heard = []

    def fail(event):
        heard.append(event)
        if isinstance(event, events.CellDone):
            raise ZeroDivisionError("a listener's own fault")

    plan, store = planned(work, config())
    with pytest.raises(ZeroDivisionError, match="own fault"):
        run_plan(plan, store, "serial", [fail])
    assert len(store.table()) == 1 and heard[-1] == events.RunEnded("stopped")
