"""The way in: a plan, and who computes it."""

from collections.abc import Sequence
from typing import Literal

from distcari.cluster import events as e
from distcari.cluster.driver import Executor, Run
from distcari.planning.plan import Plan
from distcari.store import Store


def run_plan(
    plan: Plan,
    store: Store,
    executor: Executor | Literal["ray", "serial"] = "ray",
    listeners: Sequence[e.Listener] = (),
) -> Run:
    """Compute what a plan has to do; the run, with its `state`, `done` and `failures`.

    `ray` is the Ray that is initialised already, `serial` this process alone: for notebooks and grids of a few cells.
    Raises InputError if another driver works on the experiment, RunStopped if the run cannot go on.
    """
    run = Run(plan, store, _named(executor) if isinstance(executor, str) else executor, listeners)
    run.start()
    return run


def _named(name: str) -> Executor:
    """An executor by its name; Ray is imported only if it is wanted."""
    if name == "serial":
        from distcari.cluster.executors.serial import SerialExecutor

        return SerialExecutor()
    from distcari.cluster.executors.ray import RayExecutor

    return RayExecutor()
