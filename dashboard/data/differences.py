"""What lies between two pictures: difference in each channel, ΔE2000, and the colours that show them on a fixed scale.

A scale is one of STEPS, never a picture's own maximum: two difference pictures with the same scale can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KINDS = {  # kind: (name for people, unit)
    "delta_e": ("ΔE2000", "ΔE"),
    "absolute": ("absolute", "of full range"),
    "signed": ("signed", "of full range"),
}
CHANNELS = ("all", "red", "green", "blue")
STEPS: dict[str, tuple[float, ...]] = {
    "delta_e": (5, 10, 20, 40, 80),
    "absolute": (0.05, 0.1, 0.25, 0.5, 1),
    "signed": (0.05, 0.1, 0.25, 0.5, 1),
}
USUAL = {"delta_e": 40.0, "absolute": 0.5, "signed": 0.5}
# Colours at equal steps. Inferno (matplotlib, CC0) is even in lightness, so it reads without colour vision; RdBu is
# ColorBrewer's.
_INFERNO = (
    "#000004",
    "#1b0c41",
    "#4a0c6b",
    "#781c6d",
    "#a52c60",
    "#cf4446",
    "#ed6925",
    "#fb9b06",
    "#f7d13d",
    "#fcffa4",
)
_RED_BLUE = ("#2166ac", "#92c5de", "#f7f7f7", "#f4a582", "#b2182b")


@dataclass(frozen=True)
class Summary:
    """A difference in numbers, in its kind's unit; `above` is the share of values that lie beyond the scale."""

    mean: float
    p95: float
    above: float


def difference(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]], kind: str) -> NDArray[np.float32]:
    """B against A, both (y, x, 3) sRGB in [0, 1]: B − A (y, x, 3) signed or absolute, or ΔE2000 (y, x).

    ΔE2000 is CIEDE2000 between the CIELAB values (D65) of each pixel (scikit-image; Sharma et al. 2005).
    """
    if kind == "delta_e":
        from skimage.color import deltaE_ciede2000, rgb2lab

        return np.asarray(deltaE_ciede2000(rgb2lab(a), rgb2lab(b)), np.float32)
    signed = b.astype(np.float32) - a.astype(np.float32)
    return np.abs(signed) if kind == "absolute" else signed


def channel(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """One channel (y, x) of a difference, or all of it."""
    return values if name == "all" or values.ndim == 2 else values[..., CHANNELS.index(name) - 1]


def summary(values: NDArray[np.float32], scale: float) -> Summary:
    """Mean and 95th percentile of the magnitudes, and how many lie above the scale."""
    size = np.abs(values)
    return Summary(float(size.mean()), float(np.percentile(size, 95)), float((size > scale).mean()))


def fitting(maps: Sequence[NDArray[np.float32]], kind: str) -> float:
    """The one scale for all these differences: the smallest step that holds 99 % of each; the largest if none does."""
    top = max((float(np.percentile(np.abs(values), 99)) for values in maps), default=USUAL[kind])
    return next((step for step in STEPS[kind] if step >= top), STEPS[kind][-1])


def stops(kind: str, name: str) -> tuple[str, ...]:
    """The colours of a scale at equal steps, from its lowest value (0, or −scale if signed) to its highest."""
    if kind == "delta_e":
        return _INFERNO
    if name == "all":
        return ("#000000", "#808080", "#ffffff") if kind == "signed" else ("#000000", "#ffffff")
    return _RED_BLUE if kind == "signed" else _INFERNO


def coloured(values: NDArray[np.float32], kind: str, name: str, scale: float) -> NDArray[np.uint8]:
    """A difference as a picture, uint8 (y, x, 3). All channels: each by itself, 0 is black (signed: grey)."""
    share = channel(values, name) / np.float32(scale)
    share = np.clip((share + 1) / 2 if kind == "signed" else share, 0, 1)
    if share.ndim == 3:
        return np.asarray(np.round(share * 255), np.uint8)
    colours = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in stops(kind, name)], float)
    at = share * (len(colours) - 1)
    out = np.stack([np.interp(at, np.arange(len(colours)), column) for column in colours.T], axis=-1)
    return np.asarray(np.round(out), np.uint8)
