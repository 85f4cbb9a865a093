"""`distcari.plan` and `distcari.run`: the same plan, executors and store as `distcari submit`, from Python."""

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from distcari import markup
from distcari.cluster import events as e
from distcari.cluster.connect import executor_for, ray_session
from distcari.cluster.driver import Executor
from distcari.cluster.run_note import RunNote
from distcari.cluster.start import run_plan
from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.grid import Label, label_text
from distcari.notebook import live
from distcari.notebook.experiment import experiment_of
from distcari.notebook.progress import NotebookBar
from distcari.planning.durations import duration
from distcari.planning.plan import Plan, make_plan
from distcari.store import Store, open_store

Given = Experiment | Mapping[str, Any] | str | Path
Only = Mapping[str, Label | Collection[Label]]


@dataclass(frozen=True)
class Outcome:
    """What became of a run: `state` (finished, interrupted), cells done now, rows of those given up, and the store."""

    store: Store
    experiment: str
    state: str
    done: int
    left: int
    failures: list[dict[str, Any]]
    seconds: float

    def _repr_html_(self) -> str:
        after = "; nothing done is lost, the same call goes on" if self.state == "interrupted" else ""
        lines = [
            [str(row["model"]), str(row["image"]), str(row["layer"]), label_text(row["seed"]), str(row["error"])]
            for row in self.failures[:10]
        ]
        return markup.page(
            markup.heading(self.experiment, self.state + after),
            markup.paragraph(
                f"{self.done} cells computed in {duration(self.seconds)}, {len(self.failures)} failed, "
                f"{self.left} left."
            ),
            markup.table(["model", "image", "layer", "seed", "error"], lines) if lines else "",
        )


def plan(experiment: Given, *, only: Only | None = None, overwrite: bool = False, retry_failed: bool = False) -> Plan:
    """What a run of the experiment would compute; it draws itself in a notebook. Computes nothing.

    `experiment` is an Experiment, a config file's path or a dict; `only` chooses labels by axis (`{"model": "lite0"}`).
    Raises InputError for whatever is wrong with the input.
    """
    return _planned(experiment, only, overwrite, retry_failed)[0]


def run(
    experiment: Given,
    address: str | None = None,
    *,
    progress: bool | e.Listener = True,
    executor: Literal["auto", "ray", "serial"] = "auto",
    only: Only | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    wait: float = 0.0,
) -> Outcome:
    """Compute what is left of an experiment, into its store; what became of it.

    Arguments are those of `distcari submit`. `address` is a running Ray cluster; without it Ray is started on this
    machine (or the one that this process has joined is used), or nothing but this process computes where Ray is not
    installed, `executor="serial"` is said, or a model lives in this process. `progress` is False for none, or a
    listener of `distcari.cluster.events`. An interrupt (the notebook's stop button) ends it with all that is done in
    the store: the same call goes on. Raises InputError for bad input, `distcari.cluster.ledger.RunStopped` if the run
    cannot go on.
    """
    import time

    planned, store = _planned(experiment, only, overwrite, retry_failed)
    shown = [NotebookBar()] if progress is True else [progress] if callable(progress) else []
    started = time.monotonic()
    if not planned.todo:
        return Outcome(store, planned.experiment.name, "finished", 0, 0, [], 0.0)
    with ExitStack() as stack:
        chosen: Executor | Literal["serial"] = "serial"
        if _kind(planned, address, executor) == "ray":
            chosen = executor_for(
                planned, stack.enter_context(ray_session(address, planned.experiment.resources.num_gpus)), wait
            )
        found = run_plan(planned, store, chosen, [*shown, RunNote(store.files)])
    left = len(planned.todo) - found.done - len(found.failures)
    return Outcome(
        store, planned.experiment.name, found.state, found.done, left, found.failures, time.monotonic() - started
    )


def _planned(given: Given, only: Only | None, overwrite: bool, retry_failed: bool) -> tuple[Plan, Store]:
    experiment = experiment_of(given)
    chosen: dict[str, list[Label]] = {
        axis: [labels] if isinstance(labels, str | int | float) else list(labels)
        for axis, labels in (only or {}).items()
    }
    where = str(given) if isinstance(given, str | Path) else "Experiment"
    store = open_store(experiment.store, options=experiment.store_options, writable=True)
    return make_plan(experiment, store, where, only=chosen, overwrite=overwrite, retry_failed=retry_failed), store


def _kind(plan: Plan, address: str | None, wanted: str) -> str:
    """Ray or serial. Raises InputError where what is wanted cannot be."""
    here = [spec.name for spec in plan.models.values() if spec.source.factory == live.FACTORY]
    if here and (address is not None or wanted == "ray"):
        raise InputError(
            f"model {here[0]}",
            "lives in this process, where Ray's workers cannot reach it",
            'Leave `address` and executor="ray" out, or name its weights as `checkpoint`, with a `factory`.',
        )
    if wanted == "serial" and address is not None:
        raise InputError('executor="serial"', "does not go with an address", "Leave one of them out.")
    if here or wanted == "serial":
        return "serial"
    return "ray" if wanted == "ray" or address is not None or find_spec("ray") else "serial"
