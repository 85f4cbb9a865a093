"""Small round patterns: how much of a picture lies under them. In float32: its sixth digit is rounding."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from distcari.figures.banded import Banded, along_first, along_last, banded

Plane = NDArray[np.float32]

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
    small = _shrunk(picture)
    height, _, width = small.shape
    radii = [float(radius) for radius in np.unique(np.maximum(_RADII * min(height, width), 1.5))]
    centred = small - small.mean(axis=(0, 2), keepdims=True)  # so that the variance loses no digits
    moments = np.concatenate([centred, (centred**2).sum(axis=1, keepdims=True)], axis=1)
    roundness = np.stack([_roundness(small, moments, radius) for radius in radii])
    under = np.zeros((height, width), np.float32)
    scales, ys, xs = np.nonzero(_peaks(roundness))
    for scale, radius in enumerate(radii):
        y, x = ys[scales == scale], xs[scales == scale]
        dy, dx = _disc(radius)  # a peak lies at least a radius from the border
        np.maximum.at(under, (y[:, None] + dy, x[:, None] + dx), roundness[scale, y, x][:, None])
    return float((under**2).mean())


def _shrunk(picture: NDArray[np.floating]) -> Plane:
    """A picture (y, x, channel) as (y, channel, x), its shorter side at most 112."""
    height, width = picture.shape[:2]
    values, factor = picture.astype(np.float32, copy=False), _SIDE / min(height, width)
    if factor >= 1:
        return np.ascontiguousarray(values.transpose(0, 2, 1))
    low = along_first(_resizing(height, round(height * factor)), values)
    return along_last(np.ascontiguousarray(low.transpose(0, 2, 1)), _resizing(width, round(width * factor)))


def _roundness(picture: Plane, moments: Plane, radius: float) -> Plane:
    """How like the centre of a disc each pixel of (y, channel, x) is: (y, x), 0 … 1.

    0 at the border: mirrored there, a slanted stripe is a diamond. `moments` are the picture less its means, and as a
    last channel the sum of their squares.
    """
    height, _, width = picture.shape
    sigma, edge = float(radius / np.sqrt(2)), int(np.ceil(radius))  # where a disc's Laplacian peaks
    whole = np.zeros((height, width), np.float32)
    if min(height, width) <= 2 * edge:
        return whole
    smooth_y, bent_y, sloped_y = along_first(_gaussians(height, sigma, (0, 2, 1), edge), picture)
    smooth_x, bent_x, sloped_x = (_gaussians(width, sigma, order, edge) for order in (0, 2, 1))
    xx, yy, xy = along_last(smooth_y, bent_x), along_last(bent_y, smooth_x), along_last(sloped_y, sloped_x)
    laplacian, determinant = _over_channels((xx + yy) ** 2), _over_channels(xx * yy - xy**2)
    wide_y, wide_x = (_gaussians(length, 1.6 * sigma, 0, edge) for length in (height, width))
    mean = along_last(along_first(wide_y, moments), wide_x)
    variance = np.maximum(mean[:, 3] - _over_channels(mean[:, :3] ** 2), 0)
    isotropy = np.clip(4 * determinant / (laplacian + 1e-12), 0, 1)
    response = laplacian * (sigma**4 / _PERFECT) / (variance + 3e-4) * isotropy
    whole[edge : height - edge, edge : width - edge] = np.minimum(response, 1)
    return whole


def _over_channels(values: Plane) -> Plane:
    """Their sum, of (y, channel, x): several times as fast as `sum` over so short an axis."""
    return np.asarray(values[:, 0] + values[:, 1] + values[:, 2])


def _peaks(roundness: Plane) -> NDArray[np.bool_]:
    """Where (scale, y, x) is above the threshold and nowhere less than a neighbour."""
    highest = roundness
    for axis in range(3):
        here, around = np.moveaxis(highest, axis, 0), highest.copy()
        there = np.moveaxis(around, axis, 0)
        np.maximum(there[1:], here[:-1], out=there[1:])
        np.maximum(there[:-1], here[1:], out=there[:-1])
        highest = around
    return np.asarray((roundness == highest) & (roundness > _ROUND))


@lru_cache(maxsize=64)
def _disc(radius: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A disc's pixels, from its centre."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    inside = y**2 + x**2 < radius**2
    return y[inside], x[inside]


@lru_cache(maxsize=128)
def _gaussians(length: int, sigma: float, orders: int | tuple[int, ...], edge: int) -> Banded:
    """scipy's Gaussian filters along a side, as matrices for what lies between its edges."""
    from scipy.ndimage import gaussian_filter1d

    several = [gaussian_filter1d(np.eye(length), sigma, axis=0, order=o) for o in np.atleast_1d(orders)]
    matrices = np.array(several, np.float32)[:, edge : length - edge]
    return banded(matrices if isinstance(orders, tuple) else matrices[0])


@lru_cache(maxsize=8)
def _resizing(length: int, to: int) -> Banded:
    """scikit-image's anti-aliased `resize` along a side, as a matrix (to, length)."""
    from scipy.ndimage import gaussian_filter1d, zoom

    smooth = gaussian_filter1d(np.eye(length), (length / to - 1) / 2, axis=0, mode="mirror")
    return banded(np.asarray(zoom(smooth, (to / length, 1), order=1, mode="mirror", grid_mode=True), np.float32))
