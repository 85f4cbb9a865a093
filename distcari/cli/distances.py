"""`distcari distances`: every pair of models, against trainings of one recipe."""

from typing import Annotated

import typer

from distcari.cli.options import (
    Alpha,
    Correction,
    Layers,
    OneExperiment,
    Shuffle,
    StoreOptions,
    StorePlace,
    names,
    study_of,
)


def distances(
    store: StorePlace,
    experiment: OneExperiment = None,
    metric: Annotated[str, typer.Option(help="colour, spectrum, or activation.")] = "colour",
    through: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="For activation: the network through which to look.", show_default=False),
    ] = None,
    layers: Layers = None,
    correction: Correction = "bh",
    shuffle: Shuffle = "block",
    alpha: Alpha = 0.05,
    options: StoreOptions = None,
) -> None:
    """Print the distances of every pair of models.

    Those between two models against those between the seeds of one.

    \b
    Examples:
      distcari distances store --metric spectrum
      distcari distances store --metric activation --through lite0
    """
    study = study_of(store, options, experiment)
    from distcari.analysis.between import between_within

    frame = between_within(
        study, metric, layers=names(layers), alpha=alpha, correction=correction, shuffle=shuffle, through=through
    )
    typer.echo(frame.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    typer.echo("\n".join(["", *frame.attrs["notes"]]))
