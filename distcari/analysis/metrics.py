"""How far two pictures lie apart: in colour, in texture, or through the eyes of a network. No torch here.

A metric turns each picture into features once, and measures from one picture's features to those of many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distcari.figures import radial_spectrum

Floats = NDArray[np.floating[Any]]
SIDE = 64  # pictures are compared in colour at this side: shapes count, noise between single pixels does not
_OCTAVE = 2 ** (1 / 2)  # width of a band of the spectrum
_FLOOR = 1e-10  # power below which a picture has none; 8-bit rounding has about 1e-6


@dataclass(frozen=True)
class Metric:
    """A distance between pictures, float (y, x, 3) in [0, 1]: its unit, its meaning with source, and how to measure."""

    name: str
    unit: str
    meaning: str
    features: Callable[[Floats], Floats]
    to_others: Callable[[Floats, Floats], Floats]  # one's features (…), others' (N, …) -> distances (N,)

    def matrix(self, pictures: Sequence[Floats]) -> NDArray[np.float64]:
        """Distances between all pictures, (N, N), symmetric, 0 on the diagonal."""
        features = np.stack([self.features(picture) for picture in pictures])
        found = np.zeros((len(features), len(features)))
        for i in range(len(features) - 1):
            found[i, i + 1 :] = found[i + 1 :, i] = self.to_others(features[i], features[i + 1 :])
        return found


def small_lab(picture: Floats) -> NDArray[np.float32]:
    """A picture, float (y, x, 3) in [0, 1], as CIELAB (64, 64, 3), area averaged."""
    from skimage.color import rgb2lab

    channels = [Image.fromarray(np.ascontiguousarray(picture[..., i], np.float32)) for i in range(3)]
    small = [np.asarray(channel.resize((SIDE, SIDE), Image.Resampling.BOX)) for channel in channels]
    return np.asarray(rgb2lab(np.clip(np.stack(small, axis=-1), 0, 1)), np.float32)


def mean_delta_e(one: Floats, others: Floats) -> Floats:
    """Mean ΔE2000 of a CIELAB picture (y, x, 3) to others (N, y, x, 3): (N,)."""
    from skimage.color import deltaE_ciede2000

    return np.asarray(deltaE_ciede2000(np.broadcast_to(one, others.shape), others).mean(axis=(1, 2)))


def band_levels(picture: Floats) -> NDArray[np.float64]:
    """The radial power spectrum in dB, in bands of half an octave up to 0.5 cycles/pixel."""
    frequency, power = radial_spectrum(picture)
    band = np.floor(np.log(frequency / frequency[0]) / np.log(_OCTAVE) + 1e-9).astype(int)
    filled = np.unique(band)
    return np.array([10 * np.log10(power[band == b].mean() + _FLOOR) for b in filled])


def _log_spectral(one: Floats, others: Floats) -> Floats:
    return np.asarray(np.sqrt(((one - others) ** 2).mean(axis=-1)))


COLOUR = Metric(
    "colour",
    "ΔE2000",
    f"mean CIEDE2000 of the pictures at {SIDE} × {SIDE} (scikit-image; Sharma et al. 2005); 1 is just noticeable",
    small_lab,
    mean_delta_e,
)
SPECTRUM = Metric(
    "spectrum",
    "dB",
    "root mean square difference of the radial power spectra's levels, in bands of half an octave "
    "(log-spectral distance, Gray & Markel 1976); colour and place do not count",
    band_levels,
    _log_spectral,
)
METRICS = {metric.name: metric for metric in (COLOUR, SPECTRUM)}
