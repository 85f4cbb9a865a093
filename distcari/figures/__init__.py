"""Colour and texture figures of a finished picture. No torch."""

import numpy as np
from numpy.typing import NDArray

from distcari.figures.catalogue import FIGURES, Figure
from distcari.figures.circles import small_circles
from distcari.figures.colour import colour_figures
from distcari.figures.spectrum import high_frequency_share, radial_spectrum
from distcari.figures.texture import texture_figures

__all__ = ["FIGURES", "Figure", "high_frequency_share", "picture_figures", "radial_spectrum", "small_circles"]


def picture_figures(picture: NDArray[np.floating]) -> dict[str, float]:
    """All figures of a picture, float (y, x, 3) in [0, 1], by the names in FIGURES; finite even if constant."""
    values = np.clip(picture.astype(np.float32), 0, 1)
    return {**colour_figures(values), **texture_figures(values), "small_circles": small_circles(values)}
