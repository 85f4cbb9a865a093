"""Which run is shown, the command that goes on with it, and time spans for people."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.run_notes import Run
from distcari.dashboard.data.state import State
from distcari.store.files import is_local


def chosen(catalog: Catalog, state: State) -> tuple[Run | None, list[Run]]:
    """The run that the URL names, else the one at work, else the newest; and all of the URL's experiments."""
    runs = list(catalog.runs())
    if state.experiments:
        runs = [run for run in runs if run.experiment in state.experiments]
    runs.sort(key=lambda run: (run.started or datetime.min.replace(tzinfo=UTC)), reverse=True)
    named = next((run for run in runs if run.id == state.own("id")), None)
    live = next((run for run in runs if run.live), None)
    return named or live or next(iter(runs), None), runs


def command(catalog: Catalog, experiment: str, retry: bool = False) -> str:
    """The shell command that goes on with an experiment; its config is the one in the store's description."""
    parts = ["python", "-m", "distcari.submit", f"{experiment}.yaml"]
    info, here = catalog.experiment(experiment), catalog.store.url
    configured = str(info.meta.get("config", {}).get("store", "")) if info else ""
    if not _same(configured, here):
        parts += ["--set", f"store={here}"]
    return shlex.join(parts + ["--retry-failed"] * retry)


def duration(seconds: float | None) -> str:
    """A time span for people: 40 s, 3 min, 2 h 5 min; a dash for none."""
    if seconds is None:
        return "—"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min"
    return f"{hours // 24} d {hours % 24} h"


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    return bool(one) and is_local(one) and is_local(other) and Path(one).absolute() == Path(other).absolute()
