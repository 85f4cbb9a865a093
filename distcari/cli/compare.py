"""`distcari compare`: two models, or two groups of trainings."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    needs_models,
    study_of,
    typed,
    write_page,
)
from distcari.errors import InputError, needs

if TYPE_CHECKING:
    from distcari.analysis.groups import Given
    from distcari.analysis.study import Study


def compare(
    context: typer.Context,
    store: StorePlace,
    a: Annotated[
        str, typer.Argument(metavar="A", help="A model, or trainings: a,b,c, a pattern, or a tag.", show_default=False)
    ],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.", show_default=False)],
    experiment: OneExperiment = None,
    layers: Layers = None,
    figures: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these figures: fewer comparisons.", show_default=False)
    ] = None,
    over: Annotated[str, typer.Option(metavar="AXES", help="Axes to average over, e.g. image,layer.")] = "image",
    correction: Correction = "bh",
    shuffle: Shuffle = "block",
    alpha: Alpha = 0.05,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an HTML report with pictures.", show_default=False)
    ] = None,
    whole: Annotated[
        bool, typer.Option("--scores", help="Also a judge's choices and the networks' CKA (match, similarity).")
    ] = False,
    judge: Annotated[
        str, typer.Option(metavar="NETWORK", help="The judge of --scores, as for `distcari match`.")
    ] = "lite2",
    options: StoreOptions = None,
) -> None:
    """Compare two models, or groups of trainings.

    Prints what differs, by how much and how surely, and of groups which layer tells them apart best. A and B are
    models, or groups of trainings of one recipe: names separated by commas, a pattern like 'one_camera_*', or tags
    like camera=one (of several all must hold). --out writes the findings with pictures as one HTML file.

    \b
    Examples:
      distcari compare store lite0 lite1 --out report.html --scores
      distcari compare store 'one_camera_*' 'all_vary_*' --figures colourfulness,small_circles
      distcari compare store camera=one camera=all
    """
    study = study_of(store, options, experiment)
    from distcari.analysis import compare as compare_models

    found = compare_models(
        study,
        _models(study, a),
        _models(study, b),
        layers=names(layers),
        figures=names(figures),
        over=names(over) or (),
        alpha=alpha,
        correction=correction,
        shuffle=shuffle,
    )
    typer.echo(str(found))
    told = None
    if whole:
        needs_models()
        from distcari.analysis.scores import scores

        told = scores(study, found, judge)
        typer.echo(f"\n{told}")
    if out is None:
        typer.echo("\nWith pictures: --out report.html")
        return
    needs("analysis", "jinja2")
    from distcari.analysis.report import html

    write_page(out, html(found, study, typed(context), told))


def _models(study: "Study", text: str) -> "Given":
    """One name, or several by commas or pattern, or those that have some tags."""
    found: list[str] = []
    given = names(text) or []
    tags = [name for name in given if "=" in name and name not in study.models]
    if tags:
        from distcari.analysis.groups import by_tags

        found += by_tags(study, tags)
    for name in given:
        if name in tags:
            continue
        matches = [m for m in study.models if fnmatchcase(m, name)] if any(c in name for c in "*?[") else [name]
        if not matches:
            raise InputError(
                f"models {name!r}",
                f"no model of {study.experiment} matches",
                f"There are: {', '.join(study.models[:12])}.",
            )
        found += matches
    return found[0] if len(found) == 1 else found
