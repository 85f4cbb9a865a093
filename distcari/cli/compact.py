"""`distcari compact`: merge a store's index."""

import typer

from distcari.cli.options import StoreOptions, StorePlace, store_of


def compact(store: StorePlace, options: StoreOptions = None) -> None:
    """Merge a store's index, for fast reading.

    Into one sorted part. Safe at any moment, also while a run writes. A plain `pandas.read_parquet` that lists the
    folder in the very moment of the exchange can miss rows or fail once: read again. distcari's own readers and the
    dashboard are not disturbed.

    \b
    Example:
      distcari compact store
    """
    opened = store_of(store, options, writable=True)
    before = len(opened.index.parts()), len(opened.failed.parts())
    after = opened.merge()
    typer.echo(f"index: {before[0]} parts → {after[0]}; failures: {before[1]} → {after[1]}")
