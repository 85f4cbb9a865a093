"""The Zarr side of a store: one group per experiment, labelled dims, one chunk per cell (contract in docs/store.md).

One writer per chunk. Axes only grow, and only the driver grows them before any work starts, so that a cell's place
never changes. Chunks are compressed with zstd and checksummed with crc32c; a cell never written reads as NaN.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from distcari.grid import BASE_AXES, Label
from distcari.store.chunks import ChunkFormat, write_verified
from distcari.store.description import Description
from distcari.store.files import sync_folder
from distcari.store.layout import PER_CELL, Place, check_array, damaged
from distcari.store.schema import COLUMNS
from distcari.store.zarr_store import DAMAGE

_SYNCING = ThreadPoolExecutor(8, "distcari-sync")  # threads that wait for the disk side by side


def open_arrays(store: Any, experiment: str, mode: str) -> "Arrays | None":
    """An experiment's arrays; None if there are none, or a crash left them without a description.

    Raises Damaged where there is a description that cannot be read.
    """
    try:
        group = zarr.open_group(store, path=experiment, mode=mode, zarr_format=3)
        if "distcari" not in group.attrs:
            return None
        arrays = Arrays(group)
        if set(BASE_AXES) - set(arrays.axes) or set(arrays.axes) - COLUMNS.keys():
            raise ValueError(f"its axes are {arrays.axes}")
        return arrays
    except FileNotFoundError:
        return None
    except DAMAGE as error:
        raise damaged(store, f"{experiment}/zarr.json", error) from None


class Arrays:
    """One experiment's arrays. What is missing or not as it was written raises Damaged."""

    def __init__(self, group: zarr.Group) -> None:
        self.group = group
        self._labels: dict[str, list[Label]] = {}
        self._opened: dict[str, Any] = {}
        self._formats: dict[str, ChunkFormat | None] = {}
        self._places: list[dict[Label, int]] = []
        self._sides: tuple[int, ...] | None = None
        self._mark = "."

    @property
    def description(self) -> Description:
        """What the experiment is: settings, provenance of each label, planned pairs (attribute `distcari`)."""
        return Description.of(self.group.attrs.get("distcari", {}))

    @property
    def meta(self) -> dict[str, Any]:
        """The description as JSON."""
        return self.description.as_json()

    @property
    def axes(self) -> list[str]:
        """Names of the grid's axes, in order."""
        return list(self._axes)

    @cached_property
    def _axes(self) -> list[str]:
        return list(self.description.axes)

    @property
    def images_per_shard(self) -> int:
        """How many images share one stored object; 1: each cell has its own."""
        array = self._array("caricature")
        return int(array.shards[self.axes.index("image")]) if array.shards else 1

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """A picture's (y, x, channel)."""
        y, x, channel = self._array("caricature").shape[-3:]
        return int(y), int(x), int(channel)

    def labels(self, axis: str) -> list[Label]:
        """An axis's labels in the order of their places; those that a crash left unwritten at the end are none."""
        if axis not in self._labels:
            coordinate = self._array(axis)
            try:
                values = [v.item() if isinstance(v, np.generic) else v for v in coordinate[:]]
            except DAMAGE as error:
                raise damaged(self.group.store_path.store, f"{coordinate.path}/c/0", error) from None
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
        self,
        places: Sequence[Place],
        pictures: Sequence[NDArray[Any]],
        curves: Sequence[NDArray[Any]],
        matches: Sequence[NDArray[Any]],
    ) -> list[str]:
        """As `write`, for several cells: neighbours along the image axis in one go, which takes less than one by one.

        Cells that share a stored object must come together.
        """
        whole_curves = np.full((len(curves), self._array("gain_curve").shape[-1]), np.nan, np.float32)
        for whole, curve in zip(whole_curves, curves, strict=True):
            whole[: len(curve)] = curve
        dtype = self._array("caricature").dtype
        stored = [np.ascontiguousarray(as_stored(picture, dtype)) for picture in pictures]
        matches = [np.asarray(match, np.float32) for match in matches]
        for name, values in (("match", matches), ("gain_curve", list(whole_curves)), ("caricature", stored)):
            kind = self._format(name)
            if kind is None:
                arrived = self._through_zarr(name, places, values)
            else:
                arrived = self._past_zarr(name, kind, places, values)
            if not arrived:
                raise OSError(f"{name} at {places} reads back differently from what was written; check the disk")
        self._sync(places)
        return [pixels_sha256(picture) for picture in stored]

    def _past_zarr(self, name: str, kind: ChunkFormat, places: Sequence[Place], values: Sequence[NDArray[Any]]) -> bool:
        """Write cells' chunks as files; whether all read back as they were written."""
        return all(
            write_verified(path, chunk, kind)
            for place, value in zip(places, values, strict=True)
            for path, chunk in zip(self._files(name, place), _cut(value, kind), strict=True)
        )

    def _through_zarr(self, name: str, places: Sequence[Place], values: Sequence[NDArray[Any]]) -> bool:
        """The same, of any array."""
        array = self._writable(name)
        for run in self._runs(places):
            at, value = self._slice([places[i] for i in run]), np.stack([values[i] for i in run])
            array[at] = value
            if not _same(np.asarray(array[at]), value):
                return False
        return True

    def along_images(self, place: Place) -> tuple[Place, int]:
        """A place's key for sorting that puts neighbours along the image axis in a row: the others, the image."""
        image = self._axes.index("image")
        return place[:image] + place[image + 1 :], place[image]

    def _runs(self, places: Sequence[Place]) -> list[list[int]]:
        """Numbers of the places, in groups of images that follow each other: zarr 3.1 fails at lists of places in
        shards, and writing what lies between would need it to be readable."""
        runs: list[list[int]] = []
        keys = [self.along_images(place) for place in places]
        for i in sorted(range(len(places)), key=keys.__getitem__):
            last = keys[runs[-1][-1]] if runs else None
            if last is not None and keys[i] == (last[0], last[1] + 1):
                runs[-1].append(i)
            else:
                runs.append([i])
        return runs

    def _slice(self, run: Sequence[Place]) -> tuple[int | slice, ...]:
        image = self._axes.index("image")
        images = slice(run[0][image], run[-1][image] + 1)
        return tuple(images if axis == image else i for axis, i in enumerate(run[0]))

    def absent(self, places: Sequence[Place]) -> list[bool]:
        """For each cell, whether a chunk of it is missing; on a folder alone (a look at each file), else all False.

        Raises Damaged where a folder lies in a chunk's place: nothing could be written there.
        """
        if not isinstance(self.group.store_path.store, zarr.storage.LocalStore):
            return [False] * len(places)
        middles = [self._middle(place) for place in places]
        gone = [False] * len(places)
        for name in PER_CELL:
            head, tail = self._ends(name)
            folder, _, start = head.rpartition("/")
            if len(places) > 1000 and start:  # flat: one listing instead of very many looks
                names = _files_in(folder)
                here = [f"{start}{middle}{tail}" in names for middle in middles]
            else:
                here = [Path(f"{head}{middle}{tail}").is_file() for middle in middles]
            for middle in (middle for middle, found in zip(middles, here, strict=True) if not found):
                self._refuse_folder(f"{head}{middle}{tail}")
            gone = [g or not h for g, h in zip(gone, here, strict=True)]
        return gone

    def _refuse_folder(self, path: str) -> None:
        if Path(path).is_dir():
            store = self.group.store_path.store
            raise damaged(store, str(Path(path).relative_to(store.root)), "is a folder where a chunk should be")

    def gaps(self) -> list[str]:
        """Names of those arrays without which no cell can be read that are gone: somebody deleted them."""
        return [name for name in (*PER_CELL, *self._axes) if self._find(name) is None]

    def images_absent(self, images: Sequence[str]) -> list[str]:
        """Those of the input images that have no chunk; on a folder alone, else none."""
        store = self.group.store_path.store
        if not isinstance(store, zarr.storage.LocalStore):
            return []
        if self._find("input") is None:
            return list(images)
        array, at = self._array("input"), {label: i for i, label in enumerate(self.labels("image"))}
        chunks = {
            image: f"{store.root}/{array.path}/{array.metadata.encode_chunk_key((at[image], 0, 0, 0))}"
            for image in images
            if image in at
        }
        gone = [image for image in images if image not in chunks or not Path(chunks[image]).is_file()]
        for image in set(gone) & chunks.keys():
            self._refuse_folder(chunks[image])
        return gone

    def sweep(self, places: Sequence[Place]) -> None:
        """Remove the `.partial` files that killed writers left where these cells, or the descriptions, lie."""
        store = self.group.store_path.store
        if not isinstance(store, zarr.storage.LocalStore):
            return
        here = Path(store.root) / self.group.path
        for folder in (store.root, here, *(here / name for name in (*PER_CELL, "input", *self._axes))):
            _sweep(str(folder))
        if self._array("caricature").metadata.chunk_key_encoding.separator == ".":
            return  # flat: all chunks lie in the folders just seen
        for folder in {self._chunk(name, place).rpartition("/")[0] for name in PER_CELL for place in places}:
            _sweep(folder)

    def read(self, name: str, place: Place) -> NDArray[Any]:
        """One cell of an array, as stored."""
        array = self._array(name)
        try:
            return np.asarray(array[place])
        except DAMAGE as error:
            mark = array.metadata.chunk_key_encoding.separator
            chunk = f"{array.path}/c{mark}{self._middle(place)}{f'{mark}0' * (array.ndim - len(self._axes))}"
            raise damaged(self.group.store_path.store, chunk, error) from None

    def picture(self, place: Place) -> NDArray[np.float32]:
        """One picture, float32 (y, x, 3) in [0, 1], whatever its stored type."""
        stored = self.read("caricature", place)
        top = np.float32(255 if stored.dtype == np.uint8 else 1)
        return np.asarray(stored.astype(np.float32) / top, np.float32)

    def input(self, image: str) -> NDArray[np.uint8]:
        """An input image, uint8 (y, x, 3). Raises KeyError for an unknown one."""
        array = self._array("input")
        if image not in self.labels("image"):
            raise KeyError(f"no image {image!r}")
        at = self.labels("image").index(image)
        try:
            return np.asarray(array[at])
        except DAMAGE as error:
            path = f"{array.path}/{array.metadata.encode_chunk_key((at, 0, 0, 0))}"
            raise damaged(self.group.store_path.store, path, error) from None

    def _array(self, name: str) -> Any:
        """An array, its document read once."""
        array = self._find(name)
        if array is None:
            raise damaged(self.group.store_path.store, f"{self.group.path}/{name}/zarr.json", "is missing")
        return array

    def _find(self, name: str) -> Any:
        """As `_array`; None if it is gone."""
        if name not in self._opened:
            store, path = self.group.store_path.store, f"{self.group.path}/{name}/zarr.json"
            try:
                array: Any = self.group[name]
                check_array(array, name, self._axes)
            except DAMAGE as error:
                local = isinstance(store, zarr.storage.LocalStore)
                if isinstance(error, KeyError) and not (local and (Path(store.root) / path).is_file()):
                    return None
                raise damaged(store, path, error) from None
            self._opened[name] = array
        return self._opened[name]

    def has(self, name: str) -> bool:
        """Whether there is an array of that name."""
        return self._find(name) is not None

    def forget_opened(self) -> None:
        """Read documents and labels again when they are next needed."""
        self._labels.clear()
        self._opened.clear()
        self._formats.clear()
        self._places.clear()
        self._sides = None

    def _format(self, name: str) -> ChunkFormat | None:
        if name not in self._formats:
            self._formats[name] = ChunkFormat.of(self._array(name))
        return self._formats[name]

    def _writable(self, name: str) -> Any:
        return self._array(name).with_config({"write_empty_chunks": True})

    def _sync(self, places: Sequence[Place]) -> None:
        """Make cells' chunks durable on a local folder (neither zarr nor we did so far): several at a time."""
        if not isinstance(self.group.store_path.store, zarr.storage.LocalStore):
            return
        files = {path for name in PER_CELL for place in places for path in self._files(name, place)}
        list(_SYNCING.map(_sync_file, files))
        for folder in {path.parent for path in files}:
            sync_folder(folder)

    def _files(self, name: str, place: Place) -> list[Path]:
        """A cell's files (or those of its shard) in a local folder: a curve has several once steps have been added to
        the experiment."""
        array, first = self._array(name), self._chunk(name, place)
        parts = -(-array.shape[-1] // (array.shards or array.chunks)[-1])
        return [Path(first[:-1] + str(part)) for part in range(parts)]

    def _chunk(self, name: str, place: Place) -> str:
        """The first file of a cell's chunks (or shard) in a local folder."""
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


def _files_in(folder: str) -> set[str]:
    """Names of a folder's files, of which there may be a million."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries if entry.is_file()}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _cut(values: NDArray[Any], kind: ChunkFormat) -> Iterator[NDArray[Any]]:
    """A cell's values as whole chunks along their last side."""
    length = kind.shape[-1]
    for start in range(0, values.shape[-1], length):
        part = values[..., start : start + length]
        lacking = [(0, 0)] * (part.ndim - 1) + [(0, length - part.shape[-1])]
        yield part if part.shape[-1] == length else np.pad(part, lacking, constant_values=kind.fill)


def _same(read: NDArray[Any], written: NDArray[Any]) -> bool:
    """Bit for bit, NaN and all."""
    one, other = (np.ascontiguousarray(values).view(np.uint8) for values in (read, written))
    return np.array_equal(one, other)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sweep(folder: str) -> None:
    for name in _files_in(folder):
        if name.endswith(".partial"):
            Path(folder, name).unlink(missing_ok=True)


def as_stored(picture: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """A picture in [0, 1] as the type it is stored in (uint8: rounded to 0 … 255)."""
    if np.dtype(dtype) == np.uint8:
        return np.asarray(np.round(np.clip(picture, 0, 1) * 255), np.uint8)
    return np.asarray(picture, dtype)


def to_8_bit(stored: NDArray[Any]) -> NDArray[np.uint8]:
    """A stored picture, float in [0, 1] (NaN: nothing there, so 0) or uint8, as uint8, rounded."""
    if stored.dtype == np.uint8:
        return stored
    return as_stored(np.nan_to_num(stored.astype(np.float32)), np.uint8)


def pixels_sha256(stored: NDArray[Any]) -> str:
    """SHA-256 (hex) of a picture's bytes in its stored type, row by row."""
    return hashlib.sha256(np.ascontiguousarray(stored).data).hexdigest()
