"""Which run is shown, and the command that goes on with it."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.run_notes import is_live
from distcari.dashboard.data.state import State
from distcari.store.files import is_local
from distcari.store.runs import RunNote


def chosen(catalog: Catalog, state: State) -> tuple[RunNote | None, list[RunNote]]:
    """The run that the URL names, else the one at work, else the newest; and all of the URL's experiments."""
    runs = list(catalog.runs())
    if state.experiments:
        runs = [run for run in runs if run.experiment in state.experiments]
    runs.sort(key=lambda run: run.started_at or datetime.min.replace(tzinfo=UTC), reverse=True)
    named = next((run for run in runs if run.run_id == state.own("id")), None)
    live = next((run for run in runs if is_live(run)), None)
    return named or live or next(iter(runs), None), runs


def command(catalog: Catalog, experiment: str, retry: bool = False) -> str:
    """The shell command that goes on with an experiment; its config is the one in the store's description."""
    parts = ["distcari", "submit", f"{experiment}.yaml"]
    info, here = catalog.experiment(experiment), catalog.store.url
    configured = str(info.meta.get("config", {}).get("store", "")) if info else ""
    if not _same(configured, here):
        parts += ["--set", f"store={here}"]
    return shlex.join(parts + ["--retry-failed"] * retry)


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    return bool(one) and is_local(one) and is_local(other) and Path(one).absolute() == Path(other).absolute()
