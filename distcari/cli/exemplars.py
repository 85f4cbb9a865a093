"""`distcari exemplars`: which pictures of a folder a layer responds to most as to the input, beside the caricatures."""

from typing import Annotated, Literal

import typer

from distcari.cli.options import OneExperiment, Only, StoreOptions, StorePlace, needs_models, only_of, study_of
from distcari.cli.shown import Shown


def exemplars(
    store: StorePlace,
    folder: Annotated[str, typer.Option("--from", metavar="DIR", help="The pictures; those in folders below as well.")],
    experiment: OneExperiment = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="Look at nine parts of each picture too, at ten times the work.")
    ] = False,
    by: Annotated[
        Literal["places", "channels"],
        typer.Option(help="places: as the column `cosine`, place by place; channels: wherever in the picture it is."),
    ] = "places",
    top: Annotated[int, typer.Option(metavar="N", min=1, help="How many to keep of each.")] = 6,
    only: Only = None,
    options: StoreOptions = None,
) -> None:
    """Rank a folder's pictures by how a layer responds to them: natural exemplars.

    For each model, layer and image of the experiment, the pictures whose response points most in the direction that
    the caricature was drawn in (cosine with the response to the image, as the column `cosine`). They go into
    `exemplars/` in the store with thumbnails; the dashboard shows them beside the caricature. The models' weights are
    read again from where the config found them. The same command again ranks anew; what a cut one had done for whole
    models stays.

    \b
    Examples:
      distcari exemplars store --from photos
      distcari exemplars store --from photos --crops --only model=lite0 --only layer=_blocks_10,_blocks_14
    """
    needs_models()
    study = study_of(store, options, experiment)
    from distcari.analysis.exemplars import find_exemplars
    from distcari.store.exemplars import path_of

    with Shown("exemplars") as shown:
        found = find_exemplars(study, folder, only=only_of(only), top=top, crops=crops, by=by, progress=shown)
    first = found.rows[found.rows["rank"] == 1]
    table = first.groupby(["model", "layer"], sort=False)[["cosine", "median"]].mean()
    typer.echo(f"mean cosine of the best picture, and of the folder's median picture\n{table.round(3).to_string()}")
    for line in found.left_out[:10]:
        typer.echo(f"left out: {line}")
    if len(found.left_out) > 10:
        typer.echo(f"left out: {len(found.left_out) - 10} more")
    files = int(found.rows["files"].max())
    place = f"{study.store.url.rstrip('/')}/{path_of(study.experiment)}"
    typer.echo(f"{len(found.rows)} exemplars of {files} pictures in {place}")
