"""The store: pictures in one labelled Zarr array, figures in a Parquet index, opened with `open_store(url)`."""

from distcari.store.store import Store, open_store

__all__ = ["Store", "open_store"]
