"""`distcari export`: finished cells as plain files."""

from pathlib import Path
from typing import Annotated

import typer

from distcari.cli.options import StoreOptions, StorePlace, store_of


def export(
    store: StorePlace,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.", show_default=False)],
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this experiment.", show_default=False)
    ] = None,
    options: StoreOptions = None,
) -> None:
    """Write finished cells as plain files.

    For each cell `<model>_<layer>_<image>.npy` (float32, y × x × 3, 0 … 1) and `.png`; with several seeds
    `…_seed<seed>`, with several values of a swept setting `…_<setting><value>`, with several experiments a folder
    for each. Names that cannot be file names are made so; `manifest.json` says which file has which labels.

    \b
    Example:
      distcari export store --out pictures --experiment demo
    """
    opened = store_of(store, options)
    from distcari.exchange import export as exchange

    typer.echo(f"{exchange.export(opened, out, experiment)} cells written to {out}")
