"""How a picture's colours are distributed, for the charts. Its radial spectrum: `distcari.figures`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 64
SPACES: dict[str, tuple[tuple[str, float, float], ...]] = {  # space: (channel, lowest, highest value)
    "rgb": (("R", 0, 1), ("G", 0, 1), ("B", 0, 1)),
    "lab": (("L*", 0, 100), ("a*", -100, 100), ("b*", -100, 100)),
}


def histograms(
    picture: NDArray[np.floating[Any]], space: str
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """For each channel: name, the bins' centres, share of the pixels in each bin in percent.

    `picture` is (y, x, 3) sRGB in [0, 1]; CIELAB is that of scikit-image (D65). What lies outside the ends of an axis
    counts in the outermost bin, so that every histogram sums to 100.
    """
    values = np.clip(picture.astype(np.float64), 0, 1)
    if space == "lab":
        from skimage.color import rgb2lab

        values = rgb2lab(values)
    found = []
    for i, (name, low, high) in enumerate(SPACES[space]):
        counts, edges = np.histogram(np.clip(values[..., i], low, high), BINS, (low, high))
        found.append((name, (edges[1:] + edges[:-1]) / 2, 100 * counts / counts.sum()))
    return found
