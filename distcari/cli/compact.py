"""Merge a store's index into one sorted part, for fast reading: python -m distcari.compact STORE

Safe at any moment, also while a run writes. A plain `pandas.read_parquet` that lists the folder in the very moment of
the exchange can miss rows or fail once: read again. distcari's own readers and the dashboard are not disturbed.
"""

import argparse
import sys
from collections.abc import Sequence

from distcari.cli.options import add_store, store_of
from distcari.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m distcari.compact", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_store(parser)
    args = parser.parse_args(argv)
    try:
        store = store_of(args, writable=True)
        before = len(store.index.parts()), len(store.failed.parts())
        after = store.merge()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"index: {before[0]} parts → {after[0]}; failures: {before[1]} → {after[1]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
