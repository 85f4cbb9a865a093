"""A picture's power over frequency."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


def radial_spectrum(picture: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies (cycles/pixel, up to 0.5) and the mean power at each, of the grey picture (y, x, 3) less its mean.

    Power is that of a periodogram, |FFT|² / pixels, so that pictures of different size can be compared.
    """
    grey = np.clip(picture.astype(np.float64), 0, 1).mean(axis=-1)
    side = min(grey.shape)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2 / grey.size
    f = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None, :])
    bands = np.round(f * side).astype(int).ravel()
    last = side // 2
    radial = np.bincount(bands, power.ravel())[1 : last + 1] / np.bincount(bands)[1 : last + 1]
    return np.arange(1, last + 1) / side, radial


def high_frequency_share(picture: NDArray[np.floating]) -> float:
    """Share of the grey picture's spectral power above 0.25 cycles/pixel, mean removed: 0 … 1. (y, x, 3)."""
    grey = grey_of(picture)
    return above_a_quarter(half_power(grey), grey.shape)


def grey_of(picture: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of the channels of (y, x, 3): several times as fast as `mean` over so short an axis."""
    return np.asarray(np.add(np.add(picture[..., 0], picture[..., 1], dtype=np.float64), picture[..., 2]) / 3)


class Bands(NamedTuple):
    """Of a real picture's half spectrum."""

    above_a_quarter: NDArray[Any]  # places of more than 0.25 cycles/pixel
    numbers: NDArray[Any]  # each place's band, flat: its frequency in whole cycles over the shorter side
    twice: NDArray[Any]  # how often each column counts
    members: NDArray[Any]  # places in each band


@lru_cache(maxsize=8)
def bands(height: int, width: int) -> Bands:
    """Of a picture's sides."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    numbers = np.round(f * min(height, width)).astype(int).ravel()
    twice = np.full(f.shape[1], 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    members = np.bincount(numbers, np.broadcast_to(twice, f.shape).ravel())
    return Bands(f > 0.25, numbers, twice, members)


def half_power(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """|FFT|² of a grey picture (y, x) less its mean, each pair of equal values once and doubled."""
    spectrum = np.fft.rfft2(grey - grey.mean())
    return np.asarray((spectrum.real**2 + spectrum.imag**2) * bands(*grey.shape).twice)


def above_a_quarter(power: NDArray[np.float64], sides: tuple[int, int]) -> float:
    """The share of `half_power` above 0.25 cycles/pixel; 0 for a picture of one grey."""
    return 0.0 if is_flat(power) else float(power[bands(*sides).above_a_quarter].sum() / power.sum())


def is_flat(power: NDArray[np.float64]) -> bool:
    """Whether a picture is of one grey but for rounding."""
    return bool(power.sum() < 1e-12 * power.size)
