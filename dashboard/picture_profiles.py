"""What the charts of a picture show: how its colours are distributed, and its power over spatial frequency."""

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


def spectrum(picture: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies (cycles/pixel, up to 0.5) and the mean power at each, of the grey picture without its mean.

    As `distcari.figures` measures `spectral_slope`, which is the slope of this curve; power is that of a periodogram,
    |FFT|² / pixels, so that pictures of different size can be compared.
    """
    grey = np.clip(picture.astype(np.float64), 0, 1).mean(axis=-1)
    side = min(grey.shape)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2 / grey.size
    f = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None, :])
    bands = np.round(f * side).astype(int).ravel()
    last = side // 2
    radial = np.bincount(bands, power.ravel())[1 : last + 1] / np.bincount(bands)[1 : last + 1]
    return np.arange(1, last + 1) / side, radial
