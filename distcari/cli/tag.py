"""`distcari tag`: what is known of models, written into a store afterwards; nothing is computed anew."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from distcari.cli.options import StoreOptions, StorePlace, names, print_table, store_of
from distcari.config.tags import check_pattern, check_tag_names, is_file, joined, number, tags_from
from distcari.errors import InputError

if TYPE_CHECKING:
    from distcari.store import Store
    from distcari.store.models import Models, Place

_EXAMPLE = "Example: distcari tag store camera=one --model 'one_camera_*'"


def tag(
    store: StorePlace,
    tags: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=VALUE", help="Tags for the models of --model; NAME= takes one away.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="A,B", help="Which models: names, or patterns like 'one_camera_*'.")
    ] = "*",
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="PATTERN|FILE",
            show_default=False,
            help="Tags from names, as resnet_50_{camera}_{run:d}, or a table with a column `model` (repeatable).",
        ),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A,B,C", show_default=False, help="The order of a text's values, lowest first (repeatable)."
        ),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="Only its models.", show_default=False)
    ] = None,
    options: StoreOptions = None,
) -> None:
    """Tag the models of a store, or list their tags.

    Tags say what is known of a network: its camera, its training images, its epoch. They group and order models in
    tables, statistics and the dashboard. Pictures and keys stay as they are.

    \b
    Examples:
      distcari tag store
      distcari tag store camera=one --model 'one_camera_*'
      distcari tag store --from 'lite0_{damage}_{strength:g}' --order damage=none,noise,prune
      distcari tag store --from tags.csv
    """
    opened = store_of(store, options, writable=bool(tags or sources or order))
    from distcari.store.models import read_models, update_models

    models = read_models(opened.files)
    places = _places(opened, models, experiment)
    if tags or sources or order:
        known = sorted({name for _, name in places})
        found = joined(
            tags_from(_checked(sources or ()), known, "--from") if sources else {}, _given(tags, model, known)
        )
        rows = [{"experiment": where, "model": name, **found[name]} for where, name in places if name in found]
        models = update_models(opened.files, rows, _orders(order or ()))
    _show(models, places)


def _places(store: "Store", models: "Models", experiment: str | None) -> "list[Place]":
    """Every experiment's models, also of a store that an older version wrote."""
    there = store.experiments()
    if not there or experiment not in (None, *there):
        known = f"There are: {', '.join(there)}." if there else "Compute one: distcari submit CONFIG"
        raise InputError(f"store {store.url}", f"has no experiment {experiment or ''}".rstrip(), known)
    wanted = there if experiment is None else [experiment]
    labels = [(name, str(label)) for name in wanted for label in store.arrays(name).labels("model")]
    return list(dict.fromkeys([*labels, *(place for place in models.rows if place[0] in wanted)]))


def _checked(sources: Sequence[str]) -> Sequence[str]:
    for source in sources:
        if not is_file(source):
            try:
                check_pattern(source)
            except ValueError as error:
                raise InputError(f"--from {source}", str(error), "Or give a .csv file.") from None
    return sources


def _given(tags: Sequence[str] | None, model: str, known: Sequence[str]) -> dict[str, Any]:
    """Tags by model; None for one that is taken away."""
    if not tags:
        return {}
    found: list[str] = []
    for pattern in names(model) or ():
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches:
            raise InputError(f"--model {pattern}", "no model matches", f"There are: {', '.join(known[:12])}.")
        found += matches
    said: dict[str, Any] = {}
    for text in tags:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"tag {text}", "is not of the form name=value", _EXAMPLE)
        _check_names([name], text)
        said[name] = number(value) if value else None
    return dict.fromkeys(found, said)


def _orders(texts: Sequence[str]) -> dict[str, list[str]]:
    orders = {}
    for text in texts:
        name, equals, levels = text.partition("=")
        if not equals or not (listed := names(levels)):
            raise InputError(f"--order {text}", "is not of the form name=a,b,c", "Example: --order size=small,large")
        _check_names([name], text)
        orders[name] = listed
    return orders


def _check_names(given: Sequence[str], text: str) -> None:
    try:
        check_tag_names(given)
    except ValueError as error:
        raise InputError(f"tag {text}", str(error), _EXAMPLE) from None


def _show(models: "Models", places: "Sequence[Place]") -> None:
    from rich.table import Table

    kinds = models.tags
    table = Table(box=None, pad_edge=False)
    for name in ("experiment", "model", "parameters", *kinds):
        table.add_column(name, justify="right" if name == "parameters" or kinds.get(name) == "number" else "left")
    for place in places:
        row = models.rows.get(place, {})
        size = f"{row['parameters']:,}" if "parameters" in row else ""
        table.add_row(*place, size, *(f"{row.get(name, '')}" for name in kinds))
    print_table(table)
    for name, kind in kinds.items():
        levels = f": {' < '.join(models.orders[name])}" if kind == "ordered" else ""
        typer.echo(f"{name}: {kind}{levels}")
    if not kinds:
        typer.echo(f"No tags yet. {_EXAMPLE}")
