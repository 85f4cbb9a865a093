"""What `distcari submit` says of a plan before the run, and of the store after it."""

import shlex
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from distcari.cli.options import print_table
from distcari.grid import label_text, shape_text
from distcari.yardsticks import COSINES, HARDLY, hardly_respond

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from distcari.planning.plan import Plan
    from distcari.store import Store

MOST_MODELS, WORST = 50, 3


def show_plan(plan: "Plan", console: "Console") -> None:
    """The grid, what of it was asked for, and what is done."""
    gone = f", {plan.given_up} given up earlier (--retry-failed tries them again)" if plan.given_up else ""
    console.print(
        Text.assemble(
            (plan.experiment.name, "bold"), f": {_shape(plan)}; {plan.done} done already, {len(plan.todo)} to do{gone}"
        )
    )


def _shape(plan: "Plan") -> str:
    """The cells asked for, as a product of the axes where they are one: all of them, each model with every layer."""
    asked = {axis.name: {cell[i] for cell in plan.wanted} for i, axis in enumerate(plan.grid.axes, 1)}  # behind the key
    if prod(map(len, asked.values())) != plan.planned:
        return f"{plan.planned} cells"
    return f"{shape_text(asked)} = {plan.planned} cells"


def show_end(
    plan: "Plan",
    store: "Store",
    state: str,
    failed: Sequence[dict[str, Any]],
    seconds: float,
    again: str,
    console: "Console",
) -> int:
    """Say what was done, where it is and what to type next; the exit code."""
    from distcari.planning.durations import duration

    axes = [axis.name for axis in plan.grid.axes]
    table = store.table(["key", "experiment", *axes, "robust_gain", *COSINES])
    mine = table[table["experiment"] == plan.experiment.name]
    new = len(set(mine["key"]) & {cell.key for cell in plan.todo})
    if plan.todo:
        console.print(f"{new} cells computed in {duration(seconds)}; {len(failed)} failed")
    for row in failed[:5]:
        console.print(Text.assemble(("failed", "red"), f" {_place(row, axes)}: {row['error']}"))
    if len(mine):
        show_means(mine, console)
        show_worst(mine, axes, console)
        show_unresponsive(mine, console)
        console.print(f"contact sheets: {_sheets(store, plan.experiment.name, new=bool(plan.todo))}")
    if state == "interrupted":
        console.print(f"interrupted; nothing done is lost. Go on with: {again}")
        return 130
    if failed or plan.given_up:
        console.print(
            f"not complete. The reasons: pandas.read_parquet('{store.url}/failures'). "
            f"Try them again with: {again} --retry-failed"
        )
        return 1
    console.print(
        f"next: distcari dashboard --store {shlex.quote(store.url)}   or   pandas.read_parquet('{store.url}/index')"
    )
    return 0


def show_means(frame: "pd.DataFrame", console: "Console") -> None:
    """Each model's means over all its cells, with its whole name."""
    table = Table(title="means of each model", title_justify="left", box=None, pad_edge=False)
    table.add_column("model")
    for name in ("cells", "robust gain", "robust cosine"):
        table.add_column(name, justify="right")
    models = frame.groupby("model", sort=False)[["robust_gain", "robust_cosine"]].agg(["size", "mean"])
    for model, row in models.head(MOST_MODELS).iterrows():
        table.add_row(str(model), f"{row.iloc[0]:.0f}", f"{row.iloc[1]:.2f}", f"{row.iloc[3]:.2f}")
    print_table(table)
    if len(models) > MOST_MODELS:
        console.print(f"… and {len(models) - MOST_MODELS} models more")


def show_worst(frame: "pd.DataFrame", axes: Sequence[str], console: "Console") -> None:
    """The cells that show least of what they were to show, by robust cosine: it has one scale at all layers."""
    for row in frame.dropna(subset=["robust_cosine"]).nsmallest(WORST, "robust_cosine").to_dict("records"):
        console.print(
            f"lowest robust cosine: {row['robust_cosine']:.2f} (gain {row['robust_gain']:.2f}) at {_place(row, axes)}"
        )


def show_unresponsive(frame: "pd.DataFrame", console: "Console") -> None:
    """The layers whose gain and cosine say nothing: grey, or just any photograph, reaches nearly the picture's."""
    hardly = frame[hardly_respond(frame)]
    places = hardly.groupby(["model", "layer"], sort=False).size().reset_index(name="cells")
    for model, layer, cells in places.head(WORST).itertuples(index=False):
        console.print(f"{model} / {layer}: {HARDLY} ({cells} {'cell' if cells == 1 else 'cells'})")
    if len(places) > WORST:
        console.print(f"… and {len(places) - WORST} layers more that hardly respond")


def _place(row: Any, axes: Sequence[str]) -> str:
    return " / ".join(label_text(row[axis]) for axis in axes)


def _sheets(store: "Store", experiment: str, new: bool) -> str:
    """The contact sheets' folder; drawn again only if something is new: a finished grid's store stays as it is."""
    from distcari.exchange.contact_sheet import save_contact_sheets, sheet_folder

    folder = sheet_folder(experiment)
    if new or not store.files.list(folder):
        return save_contact_sheets(store, experiment)
    return f"{store.url.rstrip('/')}/{folder}"
