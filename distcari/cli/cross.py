"""`distcari cross`: finished pictures shown to the other models."""

from typing import Annotated, Any

import typer

from distcari.cli.options import Only, StoreOptions, StorePlace, needs_models, only_of, store_of


def cross(
    store: StorePlace,
    experiment: Annotated[str, typer.Argument(help="Its name in the store.", show_default=False)],
    into: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="MODEL", help="Only in this model (repeatable).", show_default=False),
    ] = None,
    only: Only = None,
    options: StoreOptions = None,
) -> None:
    """Show finished pictures to the other models.

    Each picture is measured in every model at the layer of the same name: does that model see in it what it sees in
    the input? One row for each picture and model goes into `cross/<experiment>.parquet` in the store; what is there
    already is not measured again. Checkpoints are looked for where the config says, so run it where the config runs.

    \b
    Examples:
      distcari cross store demo
      distcari cross store demo --in lite1 --only model=lite0
    """
    needs_models()
    opened = store_of(store, options, writable=True)
    from distcari.analysis.cross import path_of, update

    found, current = update(opened, experiment, into or (), only_of(only))
    table: Any = found.pivot_table(index="model", columns="in_model", values="robust_gain", sort=False)
    typer.echo(f"mean robust gain of pictures of (rows) in (columns)\n{table.round(3).to_string()}")
    typer.echo(f"{len(found)} rows, {len(current)} in all, in {opened.url.rstrip('/')}/{path_of(experiment)}")
