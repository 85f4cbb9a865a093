"""Pixels as files: PNG, WebP and NumPy's format, and the match map's fixed colours."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = (96, 160, 224, 320, 448, 640, 896)
MATCH_STOPS = ("#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b")  # -1, -0.5, 0, 0.5, 1: ColorBrewer's RdBu
_MATCH = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in MATCH_STOPS], np.float32)


def match_colours(match: NDArray[np.floating[Any]], size: int) -> NDArray[np.uint8]:
    """A match map (v, u) in [-1, 1] as uint8 (size, size, 3): blue -1, white 0, red 1, grey unknown."""
    smooth = Image.fromarray(match.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    values = np.asarray(smooth)
    at = (np.clip(np.nan_to_num(values), -1, 1) + 1) / 2 * (len(_MATCH) - 1)
    colours = np.stack([np.interp(at, np.arange(len(_MATCH)), channel) for channel in _MATCH.T], axis=-1)
    return np.asarray(np.where(np.isnan(values)[..., None], 128, np.round(colours)), np.uint8)


def encode(pixels: NDArray[np.uint8], kind: str, size: int | None = None) -> bytes:
    """Pixels (y, x, 3) as a PNG or WebP file, made smaller to `size` on the longer side if they are larger."""
    image = Image.fromarray(pixels)
    if size and max(image.size) > size:
        scale = size / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if kind == "png":
        image.save(file, "PNG", compress_level=4)
    else:
        image.save(file, "WEBP", quality=92, method=2)
    return file.getvalue()


def npy(stored: NDArray[Any]) -> bytes:
    """An array as a NumPy file."""
    file = io.BytesIO()
    np.save(file, stored)
    return file.getvalue()
