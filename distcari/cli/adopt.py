"""`distcari adopt`: older pictures into the store."""

import re
from pathlib import Path
from typing import Annotated

import typer

from distcari.cli.options import StoreOptions, names, needs_store, options_of


def adopt(
    folder: Annotated[Path, typer.Argument(help="Folder of the older results.", show_default=False)],
    store: Annotated[str, typer.Option(metavar="URL", help="Store to put them into.")] = "store",
    experiment: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name in the store; default: the folder's name.", show_default=False),
    ] = None,
    layers: Annotated[
        str | None, typer.Option(metavar="A,B", help="Layer names, if they have an unusual form.", show_default=False)
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the input images, by name.", show_default=False)
    ] = None,
    options: StoreOptions = None,
) -> None:
    """Read a folder of older pictures into the store.

    The files are `<model>_<layer>_<image>.npy` (float32, y × x × 3, 0 … 1), or `.png` where there is no `.npy`.
    Pictures come in with what can be known of them: their pixels, colour and texture figures; gain and cosine stay
    empty.

    \b
    Example:
      distcari adopt old_results --layers layer3_3,layer4_2 --inputs images
    """
    needs_store()
    from distcari.exchange import adopt as exchange
    from distcari.store import open_store

    name = experiment or re.sub(r"[^A-Za-z0-9._-]", "-", folder.resolve().name)
    opened = open_store(store, options=options_of(options), writable=True)
    count = exchange.adopt(opened, folder, name, names(layers) or [], inputs)
    typer.echo(f"{count} pictures adopted into {store} as experiment {name}")
