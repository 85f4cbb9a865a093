"""What commands share: a store's place and the options of an object store, labels to choose by."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distcari.errors import InputError
from distcari.grid import Label

if TYPE_CHECKING:
    from distcari.store import Store


def add_store(parser: argparse.ArgumentParser) -> None:
    """Let a command take a store and `--option`."""
    parser.add_argument("store", help="a store's folder or URL, e.g. store or s3://bucket/prefix")
    parser.add_argument("--option", metavar="NAME=VALUE", action="append", default=[],
                        help="option of an object store, e.g. endpoint=http://localhost:9000 (repeatable)")


def store_of(args: argparse.Namespace, *, writable: bool = False) -> "Store":
    """The store that was named. Raises InputError if there is none."""
    from distcari.store import open_store

    store = open_store(args.store, options=options_of(args.option), writable=writable)
    try:
        store.files.read("distcari.json")
    except FileNotFoundError:
        raise InputError(f"store {args.store}", "there is no distcari store",
                         "Give the folder or URL that the config names under `store`.") from None
    return store


def options_of(texts: Sequence[str]) -> dict[str, Any]:
    """Options given as `name=value`, values read as YAML. Raises InputError for another form."""
    from distcari.store.options import options_of as read

    return read(texts)


def only_of(given: Sequence[str]) -> dict[str, list[Label]]:
    """Labels by axis, of texts such as `model=a,b`. Raises InputError for another form."""
    only: dict[str, list[Label]] = {}
    for text in given:
        axis, equals, labels = text.partition("=")
        if not equals or not labels:
            raise InputError(f"--only {text}", "is not of the form axis=label,label", "Example: --only model=lite0")
        only.setdefault(axis, []).extend(label.strip() for label in labels.split(","))
    return only
