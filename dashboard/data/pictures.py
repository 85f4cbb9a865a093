"""Pixels of the store for views and routes: read lazily from Zarr (one chunk), verified, the latest kept in memory.

What cannot be given is an exception that says why; nothing here knows of HTTP.
"""

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from cachetools import LRUCache, cached
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from distcari.dashboard.data import differences
from distcari.dashboard.data.addresses import Row, pair_sha
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.snapshot import ExperimentInfo
from distcari.store.arrays import pixels_sha256
from distcari.store.exemplars import thumbnail

_KEY = re.compile(r"[0-9a-f]{32}")


class PictureError(Exception):
    """Why there is no such picture, in a sentence."""


class UnknownPicture(PictureError):
    """The store has no such cell, experiment or image."""


class ChangedPicture(PictureError):
    """The stored pixels are not those of the index: being computed anew, or damaged."""


class SizesDiffer(PictureError):
    """Pictures of different sizes have no difference."""


def place(catalog: Catalog, key: str) -> Row:
    """What finds a finished cell's pixels: key, experiment, labels, pixels_sha256. Raises UnknownPicture."""
    row = catalog.place(key) if _KEY.fullmatch(key) else None
    if row is None:
        raise UnknownPicture("There is no finished cell with this key.")
    return row


def exemplar(catalog: Catalog, name: str) -> bytes:
    """A natural exemplar's thumbnail, WebP. Raises UnknownPicture."""
    try:
        return thumbnail(catalog.store.files, name)
    except KeyError:
        raise UnknownPicture("There is no exemplar of this name.") from None


def array(catalog: Catalog, row: Row, name: str) -> NDArray[Any]:
    """A finished cell's part of an array of the store: `caricature`, `match`, `gain_curve`. Raises UnknownPicture."""
    info = catalog.experiment(str(row["experiment"]))
    if info is None:
        raise UnknownPicture("Its experiment is gone.")
    return info.arrays.read(name, info.arrays.place([info.raw[axis][text(row[axis])] for axis in info.axes]))


def stored(catalog: Catalog, row: Row) -> NDArray[Any]:
    """A finished cell's picture as stored, (y, x, 3) float in [0, 1] or uint8, verified.

    Raises ChangedPicture: pixels that are being computed anew are not shown under the old hash.
    """
    pixels = array(catalog, row, "caricature")
    if pixels_sha256(pixels) != row["pixels_sha256"]:
        raise ChangedPicture(
            "This picture is being computed anew, or is damaged: its pixels are not those of the index."
        )
    return pixels


@cached(LRUCache(32), key=lambda catalog, row: row["pixels_sha256"], lock=threading.Lock())
def values(catalog: Catalog, row: Row) -> NDArray[np.float32]:
    """A cell's picture, not rounded, float32 (y, x, 3) clipped to [0, 1]. Raises as `stored`."""
    pixels = stored(catalog, row)
    top = np.float32(255 if pixels.dtype == np.uint8 else 1)
    return np.asarray(np.clip(np.nan_to_num(pixels.astype(np.float32) / top), 0, 1), np.float32)


def mean(catalog: Catalog, rows: Sequence[Row]) -> NDArray[np.float32]:
    """The mean of pictures' sRGB values, float32 (y, x, 3) in [0, 1]. Raises SizesDiffer, and as `stored`."""
    total = np.zeros(0, np.float64)
    for i, row in enumerate(rows):
        one = values(catalog, row)
        if i and one.shape != total.shape:
            raise SizesDiffer("A mean needs pictures of one size.")
        total = one.astype(np.float64) if not i else total + one
    return np.asarray(total / max(1, len(rows)), np.float32)


@cached(LRUCache(48), key=lambda catalog, a, b, kind: (pair_sha(a, b), kind), lock=threading.Lock())
def between(catalog: Catalog, a: Row, b: Row, kind: str) -> NDArray[np.float32]:
    """The difference B against A, see `differences.difference`. Raises SizesDiffer, and as `stored`."""
    one, two = values(catalog, a), values(catalog, b)
    if one.shape != two.shape:
        sizes = [f"{p.shape[1]} × {p.shape[0]}" for p in (one, two)]
        raise SizesDiffer(f"A difference needs pictures of one size; these are {sizes[0]} and {sizes[1]}.")
    return differences.difference(one, two, kind)


def shared_range(catalog: Catalog, rows: Sequence[Row]) -> tuple[int, int]:
    """The range, in 255ths, that holds the middle 99 % of the values of all these pictures together."""
    all_values = [values(catalog, row).ravel() for row in rows]
    if not all_values:
        return 0, 255
    low, high = np.percentile(np.concatenate(all_values), [0.5, 99.5]) * 255
    return int(np.floor(low)), max(int(np.ceil(high)), int(np.floor(low)) + 1)


def input_pixels(info: ExperimentInfo, image: str) -> NDArray[np.uint8]:
    """An input image, uint8 (y, x, 3); a grey one that says so where none was kept."""
    pixels = info.input(image)
    if pixels is not None:
        return pixels
    grey = Image.new("RGB", (224, 224), (128, 128, 128))
    ImageDraw.Draw(grey).multiline_text(
        (112, 112),
        "input not kept:\nadopt again\nwith --inputs",
        (255, 255, 255),
        ImageFont.load_default(18),
        anchor="mm",
        align="center",
    )
    return np.asarray(grey)


def input_at(catalog: Catalog, experiment: str, image: str, size: tuple[int, int]) -> NDArray[np.float32] | None:
    """An input image at a picture's size (width, height), float32 (y, x, 3) in [0, 1]; None where there is none."""
    info = catalog.experiment(experiment)
    if info is None or image not in info.raw.get("image", {}):
        return None
    return _resized(info, image, size)


@cached(LRUCache(16), key=lambda info, image, size: (info.input_sha(image), size), lock=threading.Lock())
def _resized(info: ExperimentInfo, image: str, size: tuple[int, int]) -> NDArray[np.float32] | None:
    pixels = info.input(image)
    if pixels is None:
        return None
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), np.float32) / np.float32(255)


def inputs_of(catalog: Catalog, experiments: Sequence[str], images: Sequence[str]) -> Mapping[str, ExperimentInfo]:
    """For each of these images the first of the experiments that has it."""
    found: dict[str, ExperimentInfo] = {}
    for info in filter(None, map(catalog.experiment, experiments)):
        for image in images:
            if image in info.raw.get("image", {}):
                found.setdefault(image, info)
    return found
