"""What the commands on a store share: its place and the options of an object store."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import yaml

from distcari.errors import InputError

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
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--option {text}", "is not of the form name=value", "Example: --option region=eu-west-1")
        options[name] = yaml.safe_load(value)
    return options
