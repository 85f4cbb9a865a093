"""The Zarr side of a store: one group per experiment, labelled dims, one chunk per cell (contract in the README).

One writer per chunk. Axes only grow, and only the driver grows them before any work starts, so that a cell's place
never changes. Chunks are compressed with zstd and checksummed with crc32c; a cell never written reads as NaN.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from distcari.grid import Label
from distcari.store.files import is_local, local_path, object_store, sync_folder

MATCH_SIZE = 56
Place = tuple[int, ...]


def zarr_store(url: str, options: Mapping[str, Any], read_only: bool) -> Any:
    """The zarr store of `<url>/arrays.zarr`."""
    if is_local(url):
        return zarr.storage.LocalStore(local_path(url) / "arrays.zarr", read_only=read_only)
    return zarr.storage.ObjectStore(object_store(f"{url.rstrip('/')}/arrays.zarr", options), read_only=read_only)


class Arrays:
    """One experiment's arrays."""

    def __init__(self, group: zarr.Group) -> None:
        self.group = group
        self._labels: dict[str, list[Label]] = {}

    @property
    def meta(self) -> dict[str, Any]:
        """What the experiment is: settings, provenance of each label, planned pairs (attribute `distcari`)."""
        return dict(self.group.attrs.get("distcari", {}))

    @property
    def axes(self) -> list[str]:
        """Names of the grid's axes, in order."""
        return list(self.meta["axes"])

    def labels(self, axis: str) -> list[Label]:
        """An axis's labels in the order of their places."""
        if axis not in self._labels:
            values = self.group[axis][:]
            self._labels[axis] = [v.item() if isinstance(v, np.generic) else v for v in values]
        return self._labels[axis]

    def place(self, labels: Sequence[Label]) -> Place:
        """Where a cell with these labels lies. Raises KeyError for a label that the arrays do not have."""
        try:
            return tuple(self.labels(axis).index(label) for axis, label in zip(self.axes, labels, strict=True))
        except ValueError as error:
            raise KeyError(f"no such cell: {error}") from None

    def write(self, place: Place, picture: NDArray[Any], curve: NDArray[Any], match: NDArray[Any]) -> str:
        """Write one cell's chunks, read them back and verify; the SHA-256 of the stored picture.

        `picture` is (y, x, 3) in [0, 1], `curve` (steps,), `match` (56, 56). Raises OSError if they read back changed.
        """
        whole_curve = np.full(self.group["gain_curve"].shape[-1], np.nan, np.float32)
        whole_curve[: len(curve)] = curve
        stored = as_stored(picture, self.group["caricature"].dtype)
        for name, value in (("match", match.astype(np.float32)), ("gain_curve", whole_curve), ("caricature", stored)):
            array = self._writable(name)
            array[place] = value
            if not np.array_equal(np.asarray(array[place]), value, equal_nan=True):
                raise OSError(f"{name} at {place} reads back differently from what was written; check the disk")
            self._sync(array, place)
        return pixels_sha256(stored)

    def read(self, name: str, place: Place) -> NDArray[Any]:
        """One cell of an array, as stored."""
        return np.asarray(self.group[name][place])

    def picture(self, place: Place) -> NDArray[np.float32]:
        """One picture, float32 (y, x, 3) in [0, 1], whatever its stored type."""
        stored = self.read("caricature", place)
        top = np.float32(255 if stored.dtype == np.uint8 else 1)
        return np.asarray(stored.astype(np.float32) / top, np.float32)

    def input(self, image: str) -> NDArray[np.uint8]:
        """An input image, uint8 (y, x, 3)."""
        return np.asarray(self.group["input"][self.labels("image").index(image)])

    def _writable(self, name: str) -> Any:
        return self.group[name].with_config({"write_empty_chunks": True})

    def _sync(self, array: Any, place: Place) -> None:
        """Make a cell's chunk durable on a local folder (zarr does not fsync)."""
        store = array.store_path.store
        if isinstance(store, zarr.storage.LocalStore):
            coordinates = (*place, *[0] * (array.ndim - len(place)))
            chunk = Path(store.root) / array.path / array.metadata.encode_chunk_key(coordinates)
            with chunk.open("rb") as file:
                os.fsync(file.fileno())
            sync_folder(chunk.parent)


def as_stored(picture: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A picture in [0, 1] as the type it is stored in (uint8: rounded to 0 … 255)."""
    if np.dtype(dtype) == np.uint8:
        return np.asarray(np.round(np.clip(picture, 0, 1) * 255), np.uint8)
    return np.asarray(picture.astype(dtype))


def pixels_sha256(stored: NDArray[Any]) -> str:
    """SHA-256 (hex) of a picture's bytes in its stored type, row by row."""
    return hashlib.sha256(np.ascontiguousarray(stored).tobytes()).hexdigest()


def create(root: zarr.Group, experiment: str, axes: Sequence[str], *, size: int, input_size: int, steps: int,
           dtype: str) -> Arrays:
    """A new experiment's group with empty axes."""
    group = root.create_group(experiment)
    dims: dict[str, tuple[list[str], tuple[int, ...], str]] = {
        "caricature": ([*axes, "y", "x", "channel"], (size, size, 3), dtype),
        "gain_curve": ([*axes, "step"], (steps,), "float32"),
        "match": ([*axes, "v", "u"], (MATCH_SIZE, MATCH_SIZE), "float32"),
        "input": (["image", "y_input", "x_input", "channel"], (input_size, input_size, 3), "uint8"),
    }
    for name, (dim_names, inner, kind) in dims.items():
        outer = len(dim_names) - len(inner)
        group.create_array(
            name, shape=(0,) * outer + inner, chunks=(1,) * outer + inner, dtype=kind, dimension_names=dim_names,
            fill_value=np.nan if kind.startswith("float") else 0,
            compressors=[ZstdCodec(level=3), Crc32cCodec()], config={"write_empty_chunks": True},
        )
    for axis in axes:
        kind_of: Any = "int64" if axis == "seed" else "string"
        group.create_array(axis, shape=(0,), chunks=(1024,), dtype=kind_of, dimension_names=[axis])
    return Arrays(group)


def grow(arrays: Arrays, axes: Mapping[str, Sequence[Label]], steps: int) -> None:
    """Append labels that are new to their axes: arrays first, coordinates last. Safe to repeat after a crash."""
    group = arrays.group
    wanted = {axis: list(dict.fromkeys([*arrays.labels(axis), *labels])) for axis, labels in axes.items()}
    for name in ("caricature", "gain_curve", "match", "input"):
        array: Any = group[name]
        shape = tuple(
            len(wanted[dim]) if dim in wanted else max(n, steps) if dim == "step" else n
            for dim, n in zip(array.metadata.dimension_names, array.shape, strict=True)
        )
        if shape != array.shape:
            array.resize(shape)
    for axis, labels in wanted.items():
        known = len(arrays.labels(axis))
        if len(labels) > known:
            coordinate: Any = group[axis]
            coordinate.resize((len(labels),))
            coordinate[known:] = np.asarray(labels[known:], dtype=coordinate.dtype)
    arrays._labels.clear()
