"""What commands share: a store's place and the options of an object store, labels to choose by, how they print."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from distcari.errors import InputError, needs

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from distcari.analysis.study import Study
    from distcari.grid import Label
    from distcari.store import Store

ConfigFile = Annotated[str, typer.Argument(metavar="CONFIG", help="The experiment's YAML file.", show_default=False)]
StorePlace = Annotated[
    str,
    typer.Argument(
        metavar="STORE", help="A store's folder or URL, e.g. store or s3://bucket/prefix.", show_default=False
    ),
]
StoreOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        show_default=False,
        help="Option of an object store, e.g. endpoint=http://localhost:9000 (repeatable).",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        show_default=False,
        help="Put a value over the config's, e.g. render.steps=64 (repeatable).",
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="AXIS=A,B",
        show_default=False,
        help="Only these labels of an axis, e.g. model=lite0 (repeatable).",
    ),
]
OneExperiment = Annotated[
    str | None,
    typer.Option("--experiment", metavar="NAME", help="Its name, where the store holds several.", show_default=False),
]
Layers = Annotated[str | None, typer.Option("--layers", metavar="A,B", help="Only these layers.", show_default=False)]

Correction = Annotated[
    Literal["bh", "by", "none"], typer.Option(help="Of p for the number of comparisons; none for a single planned one.")
]
Shuffle = Annotated[
    Literal["block", "seed"],
    typer.Option(help="block: deal a block's units freely; seed: only exchange A and B at equal seed."),
]
Alpha = Annotated[float, typer.Option(help="What is called significant.")]


def store_of(place: str, options: Sequence[str] | None = None, *, writable: bool = False) -> "Store":
    """The store that was named. Raises InputError if there is none."""
    needs_store()
    from distcari.store import open_store

    store = open_store(place, options=options_of(options), writable=writable)
    try:
        store.files.read("distcari.json")
    except FileNotFoundError:
        raise InputError(
            f"store {place}",
            "there is no distcari store",
            "Give the folder or URL that the config names under `store`.",
        ) from None
    return store


def needs_models() -> None:
    """Raise InputError unless what reads architectures and checkpoints is installed."""
    needs("cluster", "torchvision", "timm", "safetensors")


def study_of(place: str, options: Sequence[str] | None, experiment: str | None) -> "Study":
    """An experiment of a store, for the analysis. Raises InputError where it is not clear which."""
    opened = store_of(place, options)
    import warnings

    from distcari.analysis.study import open_study

    warnings.simplefilter("ignore", UserWarning)  # the notes, which are printed, say the same
    return open_study(opened, experiment)


def needs_store() -> None:
    """Raise InputError unless what reads and writes stores is installed."""
    needs("store", "zarr", "pyarrow", "pandas", "obstore")


def options_of(texts: Sequence[str] | None) -> dict[str, Any]:
    """Options given as `name=value`, values read as YAML. Raises InputError for another form."""
    from distcari.config.document import parse

    options: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option {text}", "is not of the form name=value", "Example: --option region=eu-west-1")
        options[name] = parse(value, f"--option {name}")[0]
    return options


def only_of(given: Sequence[str] | None) -> "dict[str, list[Label]]":
    """Labels by axis, of texts such as `model=a,b`. Raises InputError for another form."""
    only: dict[str, list[Label]] = {}
    for text in given or ():
        axis, equals, labels = text.partition("=")
        if not equals or not labels:
            raise InputError(f"--only {text}", "is not of the form axis=label,label", "Example: --only model=lite0")
        only.setdefault(axis, []).extend(label.strip() for label in labels.split(","))
    return only


def names(text: str | None) -> list[str] | None:
    """The names in `a,b`, None where nothing was given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def typed(context: typer.Context) -> str:
    """The command as it was typed, for the foot of a page."""
    return "distcari " + shlex.join(context.obj or [])


def write_page(place: Path, page: str) -> None:
    """Write what --out asked for, and say where it is. Raises InputError where that cannot be."""
    try:
        place.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {place}", f"cannot be written: {error.strerror}", "Give another place.") from None
    typer.echo(f"\n{place}")


def console(width: int | None = None) -> "Console":
    """Where commands print: names as they are, never as markup; no colours and no line breaks of its own in a pipe."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, soft_wrap=not sys.stdout.isatty(), width=width)


def print_table(table: "Table") -> None:
    """Print a table with its names whole, in any log and however narrow the terminal."""
    console(width=10_000).print(table)
