"""The figures of a picture, each with its unit, meaning and source.

Rows written before a figure was thought of have null in its column; `distcari compact` keeps it so.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """A figure of a picture: its unit or range, what it means, where it comes from, and `colour` or `texture`."""

    unit: str
    meaning: str
    source: str
    group: Literal["colour", "texture", "yardstick"]


FIGURES: dict[str, Figure] = {
    "mean_r": Figure("0 … 1", "mean of the red channel", "sRGB values", "colour"),
    "mean_g": Figure("0 … 1", "mean of the green channel", "sRGB values", "colour"),
    "mean_b": Figure("0 … 1", "mean of the blue channel", "sRGB values", "colour"),
    "colourfulness": Figure(
        "0 = grey, > 80 vivid", "spread and strength of opponent colours", "Hasler & Süsstrunk 2003", "colour"
    ),
    "hue_spread": Figure(
        "0 … 1", "circular variance of CIELAB hue, weighted by chroma", "Mardia & Jupp 2000", "colour"
    ),
    "colour_uniformity": Figure(
        "0 … 1", "1 / (1 + d / 10), d the mean ΔE76 from the mean CIELAB colour", "distcari", "colour"
    ),
    "spectral_slope": Figure("", "slope of log power over log frequency, grey picture", "Field 1987", "texture"),
    "peak_frequency": Figure("cycles/pixel", "where frequency × radial power, grey, is largest", "distcari", "texture"),
    "orientation_entropy": Figure(
        "0 … 1", "entropy of gradient orientation, weighted by magnitude", "distcari", "texture"
    ),
    "high_frequency_share": Figure(
        "0 … 1", "share of the grey picture's power above 0.25 cycles/pixel", "distcari", "texture"
    ),
    "small_circles": Figure(
        "0 … 1",
        "share of the picture under round patterns with a radius of 1.8 to 7 % of its side, each weighted by "
        "its roundness squared: blobs of the Laplacian over scales, with isotropic Hessian",
        "after Lindeberg 1998",
        "texture",
    ),
}
