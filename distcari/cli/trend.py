"""`distcari trend`: how figures change with a tag."""

from pathlib import Path
from typing import Annotated

import typer

from distcari.cli.options import (
    Alpha,
    Correction,
    Layers,
    OneExperiment,
    StoreOptions,
    StorePlace,
    names,
    study_of,
    typed,
    write_page,
)
from distcari.errors import needs


def trend(
    context: typer.Context,
    store: StorePlace,
    tag: Annotated[str, typer.Argument(metavar="TAG", help="A tag that is a number, or ordered.", show_default=False)],
    held: Annotated[
        str | None, typer.Option(metavar="A,B", help="Other tags whose effects are taken out.", show_default=False)
    ] = None,
    experiment: OneExperiment = None,
    layers: Layers = None,
    figures: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these figures: fewer comparisons.", show_default=False)
    ] = None,
    over: Annotated[str, typer.Option(metavar="AXES", help="Axes to average over, e.g. image,layer.")] = "image",
    correction: Correction = "bh",
    alpha: Alpha = 0.05,
    every: Annotated[bool, typer.Option("--all", help="Print every row, not just what is significant.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an HTML page with plots and pictures.", show_default=False),
    ] = None,
    options: StoreOptions = None,
) -> None:
    """Find the figures that rise or fall with a tag of the models.

    Prints rank correlation, slope with its interval, and how surely: a model is the unit, and p comes from dealing the
    models anew over the tag's values (with --held, only among those that are alike in the tags held). Beside it stands
    what other seeds would change. --out writes it with plots and pictures as one HTML file.

    \b
    Examples:
      distcari trend store epoch --out epoch.html
      distcari trend store images --held camera,size --figures colourfulness,robust_gain
    """
    study = study_of(store, options, experiment)
    needs("analysis", "statsmodels")
    from distcari.analysis.trend import trend as trend_over

    found = trend_over(
        study,
        tag,
        held=names(held) or (),
        layers=names(layers),
        figures=names(figures),
        over=names(over) or (),
        alpha=alpha,
        correction=correction,
    )
    if every:
        typer.echo(found.figures.to_string(index=False, float_format=lambda v: f"{v:.3g}") + "\n")
    typer.echo(str(found))
    if out is None:
        typer.echo("\nWith plots and pictures: --out trend.html")
        return
    needs("analysis", "jinja2")
    from distcari.analysis.trend_report import html

    write_page(out, html(found, study, typed(context)))
