"""Colour and texture figures of a finished picture, each with unit, meaning and source. No torch.

Rows written before a figure was thought of have null in its column; `distcari compact` keeps it so.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


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


def picture_figures(picture: NDArray[np.floating]) -> dict[str, float]:
    """All figures of a picture, float (y, x, 3) in [0, 1], by the names in FIGURES; finite even if constant."""
    values = np.clip(picture.astype(np.float32), 0, 1)
    return {**_colour(values), **_texture(_grey(values)), "small_circles": small_circles(values)}


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


def _colour(rgb: NDArray[np.float32]) -> dict[str, float]:
    from skimage.color import rgb2lab

    pixels, lab = (np.array(np.moveaxis(of, -1, 0), np.float64, order="C").reshape(3, -1) for of in (rgb, rgb2lab(rgb)))
    mean = pixels.mean(axis=1)
    pixels -= mean[:, None]
    # Both opponents are sums of channels, so their variances are sums of the channels' covariances.
    opponents = 255 * np.array([[1, -1, 0], [0.5, 0.5, -1]])
    spread = np.sqrt(max(np.trace(opponents @ (pixels @ pixels.T / pixels.shape[1]) @ opponents.T), 0))
    chroma = np.sqrt(lab[1] ** 2 + lab[2] ** 2)
    a_and_b = lab[1:].sum(axis=1)
    lab -= lab.mean(axis=1, keepdims=True)
    distance = np.sqrt(lab[0] ** 2 + lab[1] ** 2 + lab[2] ** 2).mean()
    return {
        "mean_r": float(mean[0]),
        "mean_g": float(mean[1]),
        "mean_b": float(mean[2]),
        "colourfulness": float(spread + 0.3 * np.hypot(*(opponents @ mean))),
        "hue_spread": 0.0 if chroma.mean() < 1e-6 else float(1 - np.hypot(*a_and_b) / chroma.sum()),
        "colour_uniformity": float(1 / (1 + distance / 10)),
    }


def _texture(grey: NDArray[np.float64]) -> dict[str, float]:
    power, f = _power(grey)
    _, bands, _, members = _bands(*grey.shape)
    flat = _is_flat(power)
    n = min(grey.shape) // 2
    radial = np.bincount(bands, power.ravel())[1:n] / members[1:n]
    frequency = np.arange(1, n) / min(grey.shape)
    slope = 0.0 if flat else float(np.polyfit(np.log(frequency), np.log(radial + 1e-12), 1)[0])
    dy, dx = np.gradient(grey)
    angle = np.arctan2(dy, dx)  # modulo π, in a quarter of its time
    angle = np.where(angle < 0, angle + np.pi, np.where(angle == np.pi, 0, angle))
    sector = np.minimum((angle * (36 / np.pi)).astype(int), 35)
    weights = np.bincount(sector.ravel(), np.sqrt(dx**2 + dy**2).ravel(), minlength=36)
    share = weights[weights > 0] / max(weights.sum(), 1e-300)
    return {
        "spectral_slope": slope,
        "peak_frequency": 0.0 if flat else float(frequency[np.argmax(frequency * radial)]),
        "orientation_entropy": 0.0 if flat else float(-(share * np.log(share)).sum() / np.log(36)),
        "high_frequency_share": _above_a_quarter(power, f),
    }


def high_frequency_share(picture: NDArray[np.floating]) -> float:
    """Share of the grey picture's spectral power above 0.25 cycles/pixel, mean removed: 0 … 1. (y, x, 3)."""
    grey = _grey(picture)
    return _above_a_quarter(*_power(grey))


def _grey(picture: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean of the channels of (y, x, 3): several times as fast as `mean` over so short an axis."""
    return np.asarray(np.add(np.add(picture[..., 0], picture[..., 1], dtype=np.float64), picture[..., 2]) / 3)


def _power(grey: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """|FFT|² of a grey picture (y, x) less its mean, each pair of equal values once and doubled; and their frequency
    in cycles/pixel."""
    spectrum = np.fft.rfft2(grey - grey.mean())
    f, _, twice, _ = _bands(*grey.shape)
    return (spectrum.real**2 + spectrum.imag**2) * twice, f


def _above_a_quarter(power: NDArray[np.float64], f: NDArray[np.float64]) -> float:
    return 0.0 if _is_flat(power) else float(power[f > 0.25].sum() / power.sum())


def _is_flat(power: NDArray[np.float64]) -> bool:
    """Whether a picture is of one grey but for rounding."""
    return bool(power.sum() < 1e-12 * power.size)


@lru_cache(maxsize=8)
def _bands(height: int, width: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of a real picture's half spectrum: frequency, band of each place, how often it counts; and members of a band."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    bands = np.round(f * min(height, width)).astype(int).ravel()
    twice = np.full(f.shape[1], 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return f, bands, twice, np.bincount(bands, np.broadcast_to(twice, f.shape).ravel())


_SIDE = 112  # circles are sought at this side at most: a quarter of the time, and independent of the picture's size
_RADII = np.array([2, 2.8, 4, 5.6, 8]) / _SIDE  # shares of the side, half an octave apart
_ROUND = 0.3  # below it, blobs of pink noise count as well
_PERFECT = 2.474  # the response at the centre of a lone disc of just this radius, from the Gaussians' integrals


def small_circles(picture: NDArray[np.floating]) -> float:
    """Share of a picture, float (y, x, 3) in [0, 1], that lies under small round patterns: 0 … 1.

    Each pattern counts by its area and the square of its roundness. Roundness is 1 for a lone disc of even colour, 0
    on edges and stripes: the scale-normalised Laplacian, squared, over the local variance (so contrast does not
    matter), times the Hessian's isotropy 4 det / trace²; both summed over the colour channels. A square of that size
    is as good as round. Peaks over place and scale as in Lindeberg 1998, at half an octave.
    """
    from skimage.feature import peak_local_max

    small = _shrunk(picture)
    radii = np.unique(np.maximum(_RADII * min(small.shape[1:]), 1.5))
    centred = small - small.mean(axis=(1, 2), keepdims=True)  # so that the variance loses no digits
    roundness = np.stack([_roundness(small, centred, radius) for radius in radii])
    under = np.zeros(small.shape[1:])
    peaks = peak_local_max(roundness, min_distance=1, threshold_abs=_ROUND, exclude_border=False)
    for scale, radius in enumerate(radii):
        y, x = peaks[peaks[:, 0] == scale, 1:].T
        dy, dx = _disc(float(radius))  # a peak lies at least a radius from the border
        np.maximum.at(under, (y[:, None] + dy, x[:, None] + dx), roundness[scale, y, x][:, None])
    return float((under**2).mean())


@lru_cache(maxsize=64)
def _disc(radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A disc's pixels, from its centre."""
    from skimage.draw import disk

    dy, dx = disk((0, 0), radius)
    return dy, dx


def _shrunk(picture: NDArray[np.floating]) -> NDArray[np.float32]:
    """A picture (y, x, channel) with its channels in front, its shorter side at most 112."""
    values = picture.astype(np.float32)
    values, height, width = np.ascontiguousarray(np.moveaxis(values, -1, 0)), *picture.shape[:2]
    factor = _SIDE / min(height, width)
    if factor >= 1:
        return values
    return _along(values, _resizing(height, round(height * factor)), _resizing(width, round(width * factor)))


def _roundness(picture: NDArray[np.float32], centred: NDArray[np.float32], radius: float) -> NDArray[np.float64]:
    """How like the centre of a disc each pixel of (channel, y, x), also less its means, is: (y, x), 0 … 1; 0 at the
    border."""
    sigma = float(radius / np.sqrt(2))  # where a disc's Laplacian peaks
    height, width = picture.shape[1:]
    xx, yy, xy = (
        _along(picture, _gaussian(height, sigma, y), _gaussian(width, sigma, x)) for y, x in ((0, 2), (2, 0), (1, 1))
    )
    laplacian, determinant = ((xx + yy) ** 2).sum(axis=0), (xx * yy - xy**2).sum(axis=0)
    wide = _gaussian(height, 1.6 * sigma, 0), _gaussian(width, 1.6 * sigma, 0)
    mean, square = _along(centred, *wide), _along((centred**2).sum(axis=0), *wide)
    variance = np.maximum(square - (mean**2).sum(axis=0), 0)
    isotropy = np.clip(4 * determinant / (laplacian + 1e-12), 0, 1)
    response = np.clip(laplacian * sigma**4 / (variance + 3e-4) / _PERFECT * isotropy, 0, 1)
    edge = int(np.ceil(radius))  # mirrored there, a slanted stripe is a diamond
    whole: NDArray[np.float64] = np.zeros(response.shape)
    whole[edge:-edge, edge:-edge] = response[edge:-edge, edge:-edge]
    return whole


def _along(values: NDArray[np.float32], over_y: NDArray[np.float32], over_x: NDArray[np.float32]) -> NDArray[Any]:
    """A linear filter along each side of (channel, y, x), as two products: several times as fast as filtering."""
    return np.asarray(over_y @ values @ over_x.T)


@lru_cache(maxsize=64)
def _gaussian(length: int, sigma: float, order: int) -> NDArray[np.float32]:
    """scipy's Gaussian filter of that order along a side, as a matrix (length, length)."""
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(np.eye(length), sigma, axis=0, order=order), np.float32)


@lru_cache(maxsize=8)
def _resizing(length: int, to: int) -> NDArray[np.float32]:
    """scikit-image's anti-aliased resizing along a side, as a matrix (to, length)."""
    from skimage.transform import resize

    return np.asarray(resize(np.eye(length), (to, length), anti_aliasing=True), np.float32)
