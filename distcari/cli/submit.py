"""`distcari submit`: compute an experiment on Ray."""

import contextlib
import logging
import math
import os
import shlex
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distcari.cli.options import ConfigFile, Only, Overrides, console, needs_models, needs_store, only_of
from distcari.cli.process import deaf_to_closed_pipes, ended_by_sigterm
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.cluster.driver import Executor
    from distcari.planning.placement import Node
    from distcari.planning.plan import Plan
    from distcari.store import Store


def _seconds(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise typer.BadParameter(f"{value:g} is no number of seconds from 0 on.")
    return value


Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDR",
        show_default=False,
        help="A running Ray cluster (`auto`, or ray://HOST:10001); default: a Ray of its own on this machine, or the "
        "cluster that `ray job submit` sets.",
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        callback=_seconds,
        show_default=False,
        help="Wait so long for a node that can hold a worker (clusters that grow on demand).",
    ),
]

ExecutorKind = Literal["auto", "ray", "serial"]
Executors = Annotated[
    ExecutorKind,
    typer.Option(
        help="ray; serial: this process alone, without Ray, for grids of a few cells; auto: ray where it is installed."
    ),
]


def submit(
    context: typer.Context,
    config: ConfigFile,
    address: Address = None,
    wait: Wait = 0.0,
    executor: Executors = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the grid, what is done, work units, size and time.")
    ] = False,
    overrides: Overrides = None,
    only: Only = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Compute the selected cells anew.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try cells again that were given up in earlier runs.")
    ] = False,
) -> None:
    """Compute an experiment.

    The same command again goes on where it stopped; after a model, an image or a layer was added to the config it
    computes only what is new. Nothing computed is lost when it is interrupted (Ctrl-C or SIGTERM), killed, or when
    whoever reads its output leaves.

    Exit code 0: every cell is done; 1: some failed; 2: bad input; 130: interrupted.

    \b
    Examples:
      distcari submit configs/demo.yaml --dry-run
      distcari submit configs/demo.yaml --set render.steps=64 --only model=lite0,lite1
      distcari submit configs/lab.yaml --address auto --wait 600
    """
    typed = context.obj or ["submit", config]
    again = shlex.join(["distcari", *(word for word in typed if word not in ("--overwrite", "--retry-failed"))])
    compute(
        config,
        again,
        overrides=overrides,
        only=only,
        dry_run=dry_run,
        address=address,
        wait=wait,
        executor=executor,
        overwrite=overwrite,
        retry_failed=retry_failed,
    )


def compute(
    config: str | Path,
    again: str,
    *,
    overrides: list[str] | None = None,
    only: list[str] | None = None,
    dry_run: bool = False,
    address: str | None = None,
    wait: float = 0.0,
    executor: ExecutorKind = "auto",
    overwrite: bool = False,
    retry_failed: bool = False,
) -> None:
    """Plan, run, sum up. `again` is the command that goes on with it. Raises typer.Exit unless all is done."""
    if executor == "serial" and address is not None:
        raise InputError("--executor serial", "does not go with --address", "Leave one of them out.")
    needs_store()
    needs_models()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    from distcari.config.load import load_experiment

    experiment = load_experiment(config, overrides or ())
    labels = only_of(only)
    from distcari.cli import summary
    from distcari.planning.plan import make_plan
    from distcari.store import open_store

    store = open_store(experiment.store, options=experiment.store_options, writable=True)
    plan = make_plan(experiment, store, str(config), only=labels, overwrite=overwrite, retry_failed=retry_failed)
    if dry_run:
        from distcari.planning.estimate import describe_cost

        summary.show_plan(plan, console())
        with contextlib.ExitStack() as stack:
            for line in describe_cost(plan, store, _nodes(address, executor, stack)):
                typer.echo(line)
        return
    with deaf_to_closed_pipes():
        summary.show_plan(plan, console())
        started = time.monotonic()
        state, failed = _run(plan, store, executor, address, wait) if plan.todo else ("finished", [])
        code = summary.show_end(plan, store, state, failed, time.monotonic() - started, again, console())
    if code:
        raise typer.Exit(code)


def _run(
    plan: "Plan", store: "Store", kind: ExecutorKind, address: str | None, wait: float
) -> tuple[str, list[dict[str, Any]]]:
    """Run the plan on Ray, started or joined, or in this process; (state, failures)."""
    from distcari.cluster.ledger import RunStopped
    from distcari.cluster.progress import Bar, Lines
    from distcari.cluster.run_note import RunNote
    from distcari.cluster.start import run_plan

    if kind == "auto":
        kind = "ray" if address is not None or find_spec("ray") else "serial"
    with contextlib.ExitStack() as stack:
        executor: Executor | Literal["serial"] = "serial" if kind == "serial" else _ray(plan, address, wait, stack)
        shown = Bar(console()) if sys.stdout.isatty() else Lines(sys.stdout)
        try:
            run = run_plan(plan, store, executor, [shown, RunNote(store.files)])
        except RunStopped as error:  # no input's fault: what was done is there, and the rest can be
            typer.echo(f"stopped: run of {plan.experiment.name}: {error}\n  -> {error.remedy}", err=True)
            raise typer.Exit(1) from None
        return run.state, run.failures


def _nodes(address: str | None, kind: ExecutorKind, stack: contextlib.ExitStack) -> "list[Node] | None":
    """The nodes of the cluster that a run would join, None where it would start a Ray of its own, or none."""
    if kind == "serial" or (address is None and "RAY_ADDRESS" not in os.environ):
        return None
    from distcari.cluster.connect import ray_session
    from distcari.cluster.room import nodes

    stack.enter_context(ray_session(address))
    return nodes()


def _ray(plan: "Plan", address: str | None, wait: float, stack: contextlib.ExitStack) -> "Executor":
    """Ray, started or joined, with room for a worker; it is left when the stack ends."""
    from distcari.cluster.connect import executor_for, ray_session

    elastic = stack.enter_context(ray_session(address, plan.experiment.resources.num_gpus))
    stack.enter_context(ended_by_sigterm())  # again: Ray has put its own handler there
    return executor_for(plan, elastic, wait)
