"""`distcari match`: how often a network that made none of the pictures picks the right input, or the right group."""

from typing import TYPE_CHECKING, Annotated

import typer

from distcari.cli.options import Layers, OneExperiment, StoreOptions, StorePlace, names, needs_models, study_of
from distcari.cli.shown import Shown
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.analysis.study import Study


def match(
    store: StorePlace,
    experiment: OneExperiment = None,
    judge: Annotated[
        str,
        typer.Option(
            metavar="NETWORK",
            help="lite0 … lite2, torchvision:NAME@WEIGHTS, timm:NAME, or a model of the experiment, "
            "whose own pictures are then left out. none: of groups, the figures of the index decide.",
        ),
    ] = "lite2",
    groups: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            metavar="NAME=A,B",
            show_default=False,
            help="A group of trainings, two times or more: the right group for a training that was held out.",
        ),
    ] = None,
    groups_by: Annotated[
        str | None,
        typer.Option("--groups-by", metavar="TAG", help="A group for each value of a tag.", show_default=False),
    ] = None,
    by: Annotated[str, typer.Option(metavar="A,B", help="Axes that have a score each.")] = "layer",
    layers: Layers = None,
    options: StoreOptions = None,
) -> None:
    """Score pictures by a two-way game: of 100 choices, how many a judge gets right (chance 50).

    The judge is a network that made none of the pictures. It sees a picture and picks between its input and another
    image; with --group or --groups-by, between the group of the picture's training and another group, from the other
    trainings: which layer tells the groups apart. What can be told depends on the judge: lite0 … lite2 know ImageNet,
    and look at each picture once, about 20 a second on a core. With --judge none it is said of the figures instead,
    of any number of groups: how many trainings they put to their own group, and how many by chance.

    \b
    Examples:
      distcari match store
      distcari match store --judge torchvision:resnet50 --by model,layer
      distcari match store --group one=one_1,one_2,one_3 --group all=all_1,all_2,all_3
      distcari match store --groups-by camera
      distcari match store --groups-by camera --judge none
    """
    study = study_of(store, options, experiment)
    from distcari.analysis.tagged import groups_by as groups_of_tag

    axes, chosen = names(by) or ["layer"], names(layers)
    if groups and groups_by:
        raise InputError("--groups-by", "does not go with --group", "Give one of them.")
    sides = groups_of_tag(study, groups_by) if groups_by else _groups(groups or [])
    if judge == "none":
        _by_figures(study, sides, axes, chosen)
        return
    needs_models()
    from distcari.analysis.matching import match_groups, match_inputs

    with Shown("match") as shown:
        if sides:
            frame = match_groups(study, sides, judge=judge, layers=chosen, by=axes, progress=shown)
        else:
            frame = match_inputs(study, judge=judge, layers=chosen, by=axes, progress=shown)
    told = {"p": lambda v: f"{v:.3f}"} if "p" in frame else None
    typer.echo(frame.to_string(index=False, float_format=lambda v: f"{v:.1f}", formatters=told))
    typer.echo(f"\nright choices of 100 by {frame.attrs['judge']}; chance 50; low and high: 95 % bootstrap interval")
    if told:
        typer.echo("p: the share of 1,000 ways to give out the groups' names that score as much; near chance go by it")


def _by_figures(study: "Study", groups: dict[str, list[str]], by: list[str], layers: list[str] | None) -> None:
    """Print how many trainings the figures of each layer put to their own group."""
    if not groups:
        raise InputError("--judge none", "has no groups to tell apart", "Add --groups-by TAG or --group NAME=A,B.")
    if by != ["layer"]:
        raise InputError(f"--by {','.join(by)}", "needs a judge: figures decide at each layer", "Leave it out.")
    from distcari.analysis import separation
    from distcari.analysis.result import say_best

    frame = separation(study, groups, layers=layers)
    typer.echo(frame.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    typer.echo(f"\n{say_best(frame)}")


def _groups(texts: list[str]) -> dict[str, list[str]]:
    """Models by group, of texts such as `one=a,b`. Raises InputError for another form."""
    found: dict[str, list[str]] = {}
    for text in texts:
        name, equals, models = text.partition("=")
        if not equals or not name or not names(models):
            raise InputError(f"--group {text}", "is not of the form name=model,model", "Example: --group one=a_1,a_2")
        found[name] = names(models) or []
    return found
