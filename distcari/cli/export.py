"""`distcari export`: finished cells as plain files, or as a data set that other libraries read."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from distcari.cli.options import Only, StoreOptions, StorePlace, only_of, store_of
from distcari.errors import InputError


def export(
    store: StorePlace,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.", show_default=False)],
    form: Annotated[
        Literal["files", "imagefolder", "webdataset"],
        typer.Option(
            help="files: NPY and PNG; imagefolder: as Hugging Face's datasets reads it; webdataset: tar shards."
        ),
    ] = "files",
    experiment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this experiment.", show_default=False)
    ] = None,
    only: Only = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--license",
            metavar="ID",
            show_default=False,
            help="Licence in the data set's card, by the Hub's identifiers, e.g. cc-by-4.0.",
        ),
    ] = None,
    atlas: Annotated[
        bool,
        typer.Option(
            "--atlas", help="With imagefolder: also atlas.parquet, a table with pictures for Embedding Atlas."
        ),
    ] = False,
    options: StoreOptions = None,
) -> None:
    """Write finished cells as plain files, or as a data set.

    files: for each cell `<model>_<layer>_<image>.npy` (float32, y × x × 3, 0 … 1) and `.png`; with several seeds
    `…_seed<seed>`, with several values of a swept setting `…_<setting><value>`, with several experiments a folder
    for each. Names that cannot be file names are made so; `manifest.json` says which file has which labels.

    imagefolder: `pictures/`, `inputs/`, `metadata.parquet` (file_name and every figure), and README.md with licence,
    columns, config and pictures: `load_dataset("imagefolder", data_dir=DIR)`, and ready for the Hub.

    webdataset: `shards/*.tar` with a PNG and its row as JSON for each cell, `metadata.parquet`, README.md.

    The data sets are written into a new folder, which is there as a whole or not at all.

    \b
    Examples:
      distcari export store --out pictures --experiment demo
      distcari export store --form imagefolder --out hub --license cc-by-4.0
      distcari export store --form webdataset --out shards --only model=lite0
    """
    if form == "files" and licence is not None:
        raise InputError("--license", "goes with a data set's card", "Add --form imagefolder or --form webdataset.")
    if atlas and form != "imagefolder":
        raise InputError("--atlas", "goes with --form imagefolder", "Add that, or leave --atlas out.")
    if licence is not None and not (licence.strip() and licence.isprintable() and len(licence) <= 100):
        raise InputError("--license", "must be a short printable text", "Example: --license cc-by-4.0")
    opened, labels = store_of(store, options), only_of(only)
    from distcari.exchange.card import NO_LICENCE

    named = licence or NO_LICENCE
    if form == "files":
        from distcari.exchange.export import export as exported

        count = exported(opened, out, experiment, labels)
    elif form == "imagefolder":
        from distcari.exchange.imagefolder import export_imagefolder

        count = export_imagefolder(opened, out, experiment, labels, licence=named, atlas=atlas)
    else:
        from distcari.exchange.shards import export_webdataset

        count = export_webdataset(opened, out, experiment, labels, licence=named)
    typer.echo(f"{count} cells written to {out}")
    if form != "files" and licence is None:
        typer.echo("The card names no licence: --license ID, or `license:` in its README.md, before you publish it.")
