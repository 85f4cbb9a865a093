"""Compute an experiment: python -m distcari.submit configs/demo.yaml

The same command again goes on where it stopped; after a model, an image or a layer was added to the config it computes
only what is new. Exit code 0: every cell is done; 1: some failed; 2: bad input; 130: interrupted.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from distcari.cli.options import only_of
from distcari.config.experiment import Experiment
from distcari.config.load import load_experiment
from distcari.errors import InputError
from distcari.grid import BASE_AXES, label_text

if TYPE_CHECKING:  # torch and ray load only once the config has been read
    import pandas as pd

    from distcari.planning.plan import Plan
    from distcari.store import Store


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(prog="python -m distcari.submit", description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("config", help="the experiment's YAML file, e.g. configs/demo.yaml")
    p.add_argument("--address", metavar="ADDR", help="a running Ray cluster (`auto`, or ray://HOST:10001); default: a "
                   "Ray of its own on this machine, or the cluster that `ray job submit` sets")
    p.add_argument("--wait", metavar="SECONDS", type=float, default=0.0,
                   help="wait so long for a node that can hold a worker (clusters that grow on demand)")
    p.add_argument("--dry-run", action="store_true", help="show the grid, what is done, work units, size and time")
    p.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[], dest="overrides",
                   help="put a value over the config's, e.g. render.steps=64 (repeatable)")
    p.add_argument("--only", metavar="AXIS=A,B", action="append", default=[],
                   help="only these labels of an axis, e.g. model=lite0 (repeatable)")
    p.add_argument("--overwrite", action="store_true", help="compute the selected cells anew")
    p.add_argument("--retry-failed", action="store_true", help="try cells again that were given up in earlier runs")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, plan, run, sum up; the exit code."""
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    try:
        return _submit(args, console)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _submit(args: argparse.Namespace, console: Console) -> int:
    experiment = load_experiment(args.config, args.overrides)
    only = only_of(args.only)
    from distcari.planning.plan import make_plan
    from distcari.store import open_store

    store = open_store(experiment.store, options=experiment.store_options, writable=True)
    plan = make_plan(experiment, store, args.config, only=only, overwrite=args.overwrite,
                     retry_failed=args.retry_failed)
    _describe(plan, console)
    if args.dry_run:
        from distcari.planning.estimate import describe_cost

        for line in describe_cost(plan, store):
            console.print(line)
        return 0
    started = time.monotonic()
    state = "finished"
    failed: list[dict[str, Any]] = []
    if plan.todo:
        state, failed = _run(plan, store, args.address, args.wait, console)
    return _sum_up(args.config, experiment, plan, store, state, failed, time.monotonic() - started, console)


def _describe(plan: "Plan", console: Console) -> None:
    shape = " × ".join(
        f"{len(a.labels)} {a.name}{'s' if len(a.labels) != 1 else ''}" if a.name in BASE_AXES
        else f"{len(a.labels)} of {a.name}" for a in plan.grid.axes
    )
    gone = f", {plan.given_up} given up earlier (--retry-failed tries them again)" if plan.given_up else ""
    console.print(f"[bold]{plan.experiment.name}[/]: {shape} = {plan.planned} cells; {plan.done} done already, "
                  f"{len(plan.todo)} to do{gone}")


def _run(
    plan: "Plan", store: "Store", address: str | None, wait: float, console: Console
) -> tuple[str, list[dict[str, Any]]]:
    """Start or join Ray and run the plan; (state, failures)."""
    import ray

    from distcari.cluster.executors.ray import RayExecutor
    from distcari.cluster.ledger import RunStopped
    from distcari.cluster.progress import Bar, Lines
    from distcari.cluster.run_note import RunNote
    from distcari.cluster.start import run_plan

    embedded = address is None and "RAY_ADDRESS" not in os.environ
    _connect(address, embedded)
    with contextlib.suppress(ValueError):  # not in the main thread
        # A job that is stopped ends as with Ctrl-C. Only now: Ray has put its own handler there.
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        if why := _wait_for_room(plan, wait):
            raise InputError("resources", f"no node of the cluster can hold a worker: {why}",
                             "Lower resources.num_cpus, num_gpus or custom, or add nodes; where nodes come by "
                             "themselves, wait for them with --wait 600.")
        shown = Bar(console) if sys.stdout.isatty() else Lines(sys.stdout)
        try:
            run = run_plan(plan, store, RayExecutor(elastic=not embedded), [shown, RunNote(store.files)])
            return run.state, run.failures
        except RunStopped as error:
            raise InputError(f"run of {plan.experiment.name}", str(error), error.remedy) from None
    finally:
        ray.shutdown()


def _wait_for_room(plan: "Plan", seconds: float) -> str | None:
    """Why no node can hold a worker after waiting for one, or None."""
    from distcari.cluster.room import fits_nowhere, wait_for_room

    return wait_for_room(plan.experiment.resources, seconds) if seconds else fits_nowhere(plan.experiment.resources)


def _connect(address: str | None, embedded: bool) -> None:
    import ray

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        if embedded:
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
                     object_store_memory=256 * 2**20)
        else:
            ray.init(address=address or os.environ["RAY_ADDRESS"], log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"--address {address}", f"no Ray cluster answers: {error}",
                         "Start one with `ray start --head`, or leave --address out. Where the cluster asks for a "
                         "token (newer Ray does by default), set RAY_AUTH_MODE=token.") from None


def _sum_up(
    config: str, experiment: Experiment, plan: "Plan", store: "Store", state: str, failed: list[dict[str, Any]],
    seconds: float, console: Console,
) -> int:
    """Say what was done, where it is and what to type next; the exit code."""
    from distcari.planning.durations import duration

    table = store.table(["key", "experiment", "model", "layer", "robust_gain", "robust_cosine", "seconds"])
    mine = table[table["experiment"] == experiment.name]
    new = len(set(mine["key"]) & {cell.key for cell in plan.todo})
    if plan.todo:
        console.print(f"{new} cells computed in {duration(seconds)}; {len(failed)} failed")
    for row in failed[:5]:
        place = " / ".join(label_text(label) for label in (row[axis.name] for axis in plan.grid.axes))
        console.print(f"[red]failed[/] {place}: {row['error']}")
    if len(mine):
        console.print(_figures(mine))
        console.print(f"contact sheet: {_sheet(store, experiment.name, new=plan.todo)}")
    again = f"python -m distcari.submit {config}"
    if state == "interrupted":
        console.print(f"interrupted; nothing done is lost. Go on with: {again}")
        return 130
    if failed or plan.given_up:
        console.print(f"not complete. The reasons: pandas.read_parquet('{store.url}/failures'). "
                      f"Try them again with: {again} --retry-failed")
        return 1
    console.print(f"next: python dashboard/app.py --store {store.url}   or   pandas.read_parquet('{store.url}/index')")
    return 0


def _sheet(store: "Store", experiment: str, new: object) -> str:
    """The contact sheet's path; drawn again only if something is new: a finished grid's store stays as it is."""
    from distcari.exchange.contact_sheet import save_contact_sheet, sheet_path

    folder, _, name = sheet_path(experiment).rpartition("/")
    if new or name not in store.files.list(folder):
        return save_contact_sheet(store, experiment)
    return f"{store.url.rstrip('/')}/{sheet_path(experiment)}"


def _figures(frame: "pd.DataFrame") -> Table:
    """Mean robust gain / cosine by model and layer."""
    table = Table(title="mean robust gain / cosine", title_justify="left", box=None, pad_edge=False)
    layers = list(dict.fromkeys(frame["layer"]))
    shown = layers[:8]
    table.add_column("model")
    for layer in shown:
        table.add_column(layer, justify="right")
    means = frame.groupby(["model", "layer"])[["robust_gain", "robust_cosine"]].mean()
    for model in dict.fromkeys(frame["model"]):
        cells = [means.loc[(model, layer)] if (model, layer) in means.index else None for layer in shown]
        table.add_row(model, *[f"{c.iloc[0]:.2f} / {c.iloc[1]:.2f}" if c is not None else "–" for c in cells])
    return table


if __name__ == "__main__":
    raise SystemExit(main())
