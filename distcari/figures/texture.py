"""Figures of a picture's texture, of its grey values."""

import numpy as np
from numpy.typing import NDArray

from distcari.figures.spectrum import above_a_quarter, bands, grey_of, half_power, is_flat

_SECTORS = 36  # of half a turn, for orientations


def texture_figures(picture: NDArray[np.float32]) -> dict[str, float]:
    """Slope, peak and high share of the spectrum, and entropy of the orientations, of (y, x, 3) in [0, 1]."""
    grey = grey_of(picture)
    power, of = half_power(grey), bands(*grey.shape)
    flat = is_flat(power)
    n = min(grey.shape) // 2
    radial = np.bincount(of.numbers, power.ravel())[1:n] / of.members[1:n]
    frequency = np.arange(1, n) / min(grey.shape)
    slope = 0.0 if flat else float(np.polyfit(np.log(frequency), np.log(radial + 1e-12), 1)[0])
    return {
        "spectral_slope": slope,
        "peak_frequency": 0.0 if flat else float(frequency[np.argmax(frequency * radial)]),
        "orientation_entropy": 0.0 if flat else _orientation_entropy(grey),
        "high_frequency_share": above_a_quarter(power, grey.shape),
    }


def _orientation_entropy(grey: NDArray[np.float64]) -> float:
    """Entropy of the gradients' orientations, weighted by their magnitudes: 0 … 1."""
    dy, dx = np.gradient(grey)
    angle = np.arctan2(dy, dx)  # modulo π, in a quarter of its time
    angle = np.where(angle < 0, angle + np.pi, np.where(angle == np.pi, 0, angle))
    sector = np.minimum((angle * (_SECTORS / np.pi)).astype(np.intp), _SECTORS - 1)
    weights = np.bincount(sector.ravel(), np.sqrt(dx**2 + dy**2).ravel(), minlength=_SECTORS)
    share = weights[weights > 0] / max(weights.sum(), 1e-300)
    return float(-(share * np.log(share)).sum() / np.log(_SECTORS))
