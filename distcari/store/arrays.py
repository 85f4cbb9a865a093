"""The Zarr side of a store: one group per experiment, labelled dims, one chunk per cell (contract in the README).

One writer per chunk. Axes only grow, and only the driver grows them before any work starts, so that a cell's place
never changes. Chunks are compressed with zstd and checksummed with crc32c; a cell never written reads as NaN.
"""

import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec, ZstdCodec

from distcari.grid import BASE_AXES, Label
from distcari.settings import sweepable
from distcari.store.files import again_async, is_local, local_path, object_store, sync_folder

MATCH_SIZE = 56
PER_CELL = ("match", "gain_curve", "caricature")  # in the order of writing
Place = tuple[int, ...]
# Types of the axes' coordinates, and what stands in one that is not yet written; it is no label.
_KINDS: dict[type, tuple[str, Label]] = {
    str: ("string", ""), int: ("int64", -(2**63)), float: ("float64", float("-inf"))
}


def zarr_store(url: str, options: Mapping[str, Any], read_only: bool) -> Any:
    """The zarr store of `<url>/arrays.zarr`."""
    if is_local(url):
        return zarr.storage.LocalStore(local_path(url) / "arrays.zarr", read_only=read_only)
    return RetryingStore(object_store(f"{url.rstrip('/')}/arrays.zarr", options), read_only=read_only)


class RetryingStore(zarr.storage.ObjectStore):  # type: ignore[misc]
    """zarr's object store, whose requests are tried again if the line breaks (see `ObjectFiles`)."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """An object, or a part of it."""
        return await again_async(lambda: super(RetryingStore, self).get(key, prototype, byte_range))

    async def exists(self, key: str) -> bool:
        """Whether an object is there."""
        return bool(await again_async(lambda: super(RetryingStore, self).exists(key)))

    async def set(self, key: str, value: Any) -> None:
        """Put an object."""
        await again_async(lambda: super(RetryingStore, self).set(key, value))

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        """Put an object where there is none."""
        await again_async(lambda: super(RetryingStore, self).set_if_not_exists(key, value))

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names directly below a prefix."""
        async def names() -> list[str]:
            return [name async for name in super(RetryingStore, self).list_dir(prefix)]

        for name in await again_async(names):
            yield name

    async def delete(self, key: str) -> None:
        """Remove an object."""
        await again_async(lambda: super(RetryingStore, self).delete(key))

    async def delete_dir(self, prefix: str) -> None:
        """Remove all objects below a prefix."""
        await again_async(lambda: super(RetryingStore, self).delete_dir(prefix))


class Arrays:
    """One experiment's arrays."""

    def __init__(self, group: zarr.Group) -> None:
        self.group = group
        self._labels: dict[str, list[Label]] = {}
        self._opened: dict[str, Any] = {}
        self._places: list[dict[Label, int]] = []
        self._sides: tuple[int, ...] | None = None
        self._mark = "."

    @property
    def meta(self) -> dict[str, Any]:
        """What the experiment is: settings, provenance of each label, planned pairs (attribute `distcari`)."""
        return dict(self.group.attrs.get("distcari", {}))

    @property
    def axes(self) -> list[str]:
        """Names of the grid's axes, in order."""
        return list(self._axes)

    @cached_property
    def _axes(self) -> list[str]:
        return list(self.meta["axes"])

    @property
    def images_per_shard(self) -> int:
        """How many images share one stored object; 1: each cell has its own."""
        array = self._array("caricature")
        return int(array.shards[self.axes.index("image")]) if array.shards else 1

    def labels(self, axis: str) -> list[Label]:
        """An axis's labels in the order of their places; those that a crash left unwritten at the end are none."""
        if axis not in self._labels:
            coordinate: Any = self.group[axis]
            values = [v.item() if isinstance(v, np.generic) else v for v in coordinate[:]]
            fill = coordinate.fill_value
            unwritten = fill.item() if isinstance(fill, np.generic) else fill
            self._labels[axis] = values[: values.index(unwritten)] if unwritten in values else values
        return self._labels[axis]

    def place(self, labels: Sequence[Label]) -> Place:
        """Where a cell with these labels lies. Raises KeyError for a label that the arrays do not have."""
        found = self.find(labels)
        if found is None:
            raise KeyError(f"no such cell: {', '.join(map(str, labels))}")
        return found

    def find(self, labels: Sequence[Label]) -> Place | None:
        """Where a cell with these labels lies, None where the arrays have no place for it yet."""
        if not self._places:
            self._places = [{label: i for i, label in enumerate(self.labels(axis))} for axis in self.axes]
        at = tuple(places.get(label, -1) for places, label in zip(self._places, labels, strict=True))
        return None if -1 in at else at

    def write(self, place: Place, picture: NDArray[Any], curve: NDArray[Any], match: NDArray[Any]) -> str:
        """Write one cell's chunks, read them back and verify; the SHA-256 of the stored picture.

        `picture` is (y, x, 3) in [0, 1], `curve` (steps,), `match` (56, 56). Raises OSError if they read back changed.
        """
        return self.write_together([place], [picture], [curve], [match])[0]

    def write_together(
        self, places: Sequence[Place], pictures: Sequence[NDArray[Any]], curves: Sequence[NDArray[Any]],
        matches: Sequence[NDArray[Any]],
    ) -> list[str]:
        """As `write`, for cells of one stored object, which differ in their image alone."""
        whole_curves = np.full((len(curves), self._array("gain_curve").shape[-1]), np.nan, np.float32)
        for whole, curve in zip(whole_curves, curves, strict=True):
            whole[: len(curve)] = curve
        stored = [as_stored(picture, self._array("caricature").dtype) for picture in pictures]
        for name, values in (
            ("match", np.stack(matches).astype(np.float32)), ("gain_curve", whole_curves),
            ("caricature", np.stack(stored)),
        ):
            array = self._writable(name)
            for run in self._runs(places):
                at, value = self._slice([places[i] for i in run]), values[run]
                array[at] = value
                if not np.array_equal(np.asarray(array[at]), value, equal_nan=True):
                    raise OSError(f"{name} at {places} reads back differently from what was written; check the disk")
            self._sync(name, places[0])
        return [pixels_sha256(picture) for picture in stored]

    def _runs(self, places: Sequence[Place]) -> list[list[int]]:
        """Numbers of the places, in groups of images that follow each other: zarr 3.1 fails at lists of places in
        shards, and writing what lies between would need it to be readable."""
        image = self._axes.index("image")
        runs: list[list[int]] = []
        for i in sorted(range(len(places)), key=lambda i: places[i]):
            if runs and places[i][image] == places[runs[-1][-1]][image] + 1:
                runs[-1].append(i)
            else:
                runs.append([i])
        return runs

    def _slice(self, run: Sequence[Place]) -> tuple[int | slice, ...]:
        image = self._axes.index("image")
        images = slice(run[0][image], run[-1][image] + 1)
        return tuple(images if axis == image else i for axis, i in enumerate(run[0]))

    def absent(self, places: Sequence[Place]) -> list[bool]:
        """For each cell, whether a chunk of it is missing; on a folder alone (a look at each file), else all False."""
        if not isinstance(self.group.store_path.store, zarr.storage.LocalStore):
            return [False] * len(places)
        middles = [self._middle(place) for place in places]
        gone = [False] * len(places)
        for name in PER_CELL:
            head, tail = self._ends(name)
            folder, _, start = head.rpartition("/")
            if len(places) > 1000 and start:  # flat: one listing instead of very many looks
                names = set(os.listdir(folder))  # noqa: PTH208 - a million
                here = [f"{start}{middle}{tail}" in names for middle in middles]
            else:
                here = [Path(f"{head}{middle}{tail}").exists() for middle in middles]
            gone = [g or not h for g, h in zip(gone, here, strict=True)]
        return gone

    def sweep(self, places: Sequence[Place]) -> None:
        """Remove the `.partial` files that killed writers left where these cells, or the descriptions, lie."""
        store = self.group.store_path.store
        if isinstance(store, zarr.storage.LocalStore):
            here = Path(store.root) / self.group.path
            for folder in (store.root, here, *(here / name for name in self.group.array_keys())):
                _sweep(str(folder))
        if self._array("caricature").metadata.chunk_key_encoding.separator == ".":
            return  # flat: all chunks lie in the folders just seen
        for folder in {chunk.rpartition("/")[0] for name in PER_CELL for place in places
                       if (chunk := self._chunk(name, place)) is not None}:
            _sweep(folder)

    def read(self, name: str, place: Place) -> NDArray[Any]:
        """One cell of an array, as stored."""
        return np.asarray(self._array(name)[place])

    def picture(self, place: Place) -> NDArray[np.float32]:
        """One picture, float32 (y, x, 3) in [0, 1], whatever its stored type."""
        stored = self.read("caricature", place)
        top = np.float32(255 if stored.dtype == np.uint8 else 1)
        return np.asarray(stored.astype(np.float32) / top, np.float32)

    def input(self, image: str) -> NDArray[np.uint8]:
        """An input image, uint8 (y, x, 3)."""
        return np.asarray(self._array("input")[self.labels("image").index(image)])

    def _array(self, name: str) -> Any:
        """An array, its description read once."""
        if name not in self._opened:
            self._opened[name] = self.group[name]
        return self._opened[name]

    def _writable(self, name: str) -> Any:
        return self._array(name).with_config({"write_empty_chunks": True})

    def _sync(self, name: str, place: Place) -> None:
        """Make a cell's chunk durable on a local folder (zarr does not fsync)."""
        path = self._chunk(name, place)
        if path is not None:
            for chunk in self._parts(name, path):
                with chunk.open("rb") as file:
                    os.fsync(file.fileno())
            sync_folder(Path(path).parent)

    def _parts(self, name: str, path: str) -> list[Path]:
        """A cell's files, given the first: a curve has several once steps have been added to the experiment."""
        array = self._array(name)
        parts = -(-array.shape[-1] // (array.shards or array.chunks)[-1])
        return [Path(path[:-1] + str(part)) for part in range(parts)]

    def _chunk(self, name: str, place: Place) -> str | None:
        """The file of a cell's chunk (or shard) on a local folder; None elsewhere."""
        if not isinstance(self.group.store_path.store, zarr.storage.LocalStore):
            return None
        head, tail = self._ends(name)
        return f"{head}{self._middle(place)}{tail}"

    def _ends(self, name: str) -> tuple[str, str]:
        """What stands before and behind a cell's numbers in the paths of an array's chunks."""
        array = self._array(name)
        mark = array.metadata.chunk_key_encoding.separator
        return f"{array.store_path.store.root}/{array.path}/c{mark}", f"{mark}0" * (array.ndim - len(self._axes))

    def _middle(self, place: Place) -> str:
        """A cell's numbers in the paths of its chunks: those of its place, or of its shard."""
        if self._sides is None:
            array = self._array("caricature")
            self._sides = (array.shards or array.chunks)[: len(self._axes)]
            self._mark = array.metadata.chunk_key_encoding.separator
        if max(self._sides) > 1:
            place = tuple(i // n for i, n in zip(place, self._sides, strict=True))
        return self._mark.join(map(str, place))


def _sweep(folder: str) -> None:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - a million
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith(".partial"):
            Path(folder, name).unlink(missing_ok=True)


def as_stored(picture: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A picture in [0, 1] as the type it is stored in (uint8: rounded to 0 … 255)."""
    if np.dtype(dtype) == np.uint8:
        return np.asarray(np.round(np.clip(picture, 0, 1) * 255), np.uint8)
    return np.asarray(picture.astype(dtype))


def pixels_sha256(stored: NDArray[Any]) -> str:
    """SHA-256 (hex) of a picture's bytes in its stored type, row by row."""
    return hashlib.sha256(np.ascontiguousarray(stored).tobytes()).hexdigest()


def create(root: zarr.Group, experiment: str, axes: Sequence[str], *, size: int, input_size: int, steps: int,
           dtype: str, shard: int = 1) -> Arrays:
    """A new experiment's group with empty axes; `shard` images that differ in nothing else share one stored object."""
    group = root.create_group(experiment, overwrite=True)
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
            shards=tuple(shard if d == "image" else 1 for d in axes) + inner if shard > 1 and name != "input" else None,
            fill_value=np.nan if kind.startswith("float") else 0,
            compressors=[ZstdCodec(level=3), Crc32cCodec()], config={"write_empty_chunks": True},
            # One flat folder of chunks: with the usual "/" a cell takes nine folders, and a million cells nine million.
            chunk_key_encoding={"name": "default", "separator": "."},
        )
    for axis in axes:
        kind_of, unwritten = _KINDS[_label_type(axis)]
        group.create_array(axis, shape=(0,), chunks=(1024,), dtype=kind_of, dimension_names=[axis],
                           fill_value=unwritten, compressors=[ZstdCodec(level=3), Crc32cCodec()])
    return Arrays(group)


def _label_type(axis: str) -> type:
    """What labels an axis has: text, but for seeds and swept settings that are numbers."""
    return int if axis == "seed" else str if axis in BASE_AXES else sweepable().get(axis, str)


def grow(arrays: Arrays, axes: Mapping[str, Sequence[Label]], steps: int) -> None:
    """Append labels that are new to their axes: arrays first, coordinates last. Safe to repeat after a crash.

    A coordinate never shrinks: one that a crash left too long stays so, unlabelled, until more labels come.
    """
    group = arrays.group
    wanted = {axis: list(dict.fromkeys([*arrays.labels(axis), *labels])) for axis, labels in axes.items()}
    sizes = {axis: max(len(labels), group[axis].shape[0]) for axis, labels in wanted.items()}
    for name in ("caricature", "gain_curve", "match", "input", *axes):
        array: Any = group[name]
        shape = tuple(
            sizes[dim] if dim in sizes else max(n, steps) if dim == "step" else n
            for dim, n in zip(array.metadata.dimension_names, array.shape, strict=True)
        )
        if shape != array.shape:
            array.resize(shape)
    for axis, labels in wanted.items():
        known = len(arrays.labels(axis))
        if len(labels) > known:
            coordinate: Any = group[axis]
            coordinate[known : len(labels)] = np.asarray(labels[known:], dtype=coordinate.dtype)
    arrays._labels.clear()
    arrays._opened.clear()
    arrays._places.clear()
