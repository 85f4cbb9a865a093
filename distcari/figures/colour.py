"""Figures of a picture's colours, in float32: their sixth digit is rounding."""

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

# sRGB's primaries to XYZ (IEC 61966-2-1), each row over its value of the white point, D65 and 2°.
_TO_XYZ = np.float32(
    np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
    / np.array([[0.95047], [1.0], [1.08883]])
)
_COLOURLESS = 1e-6  # mean chroma below which a picture has no hue


def colour_figures(picture: Plane) -> dict[str, float]:
    """Means, colourfulness, hue and uniformity of a picture, float32 (y, x, 3) in [0, 1]."""
    rgb = np.ascontiguousarray(picture.reshape(-1, 3).T)
    red, green, blue = rgb
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    strength = np.hypot(red_green.mean(), yellow_blue.mean())
    mean = rgb.mean(axis=1)
    lab = cielab(rgb)
    chroma = np.sqrt(lab[1] ** 2 + lab[2] ** 2)
    a_and_b = lab[1:].mean(axis=1)
    lab -= lab.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    distance = np.sqrt(lab[0] ** 2 + lab[1] ** 2 + lab[2] ** 2).mean()
    return {
        "mean_r": float(mean[0]),
        "mean_g": float(mean[1]),
        "mean_b": float(mean[2]),
        "colourfulness": float(255 * (spread + 0.3 * strength)),
        "hue_spread": 0.0 if chroma.mean() < _COLOURLESS else max(float(1 - np.hypot(*a_and_b) / chroma.mean()), 0.0),
        "colour_uniformity": float(1 / (1 + distance / 10)),
    }


def cielab(rgb: Plane) -> Plane:
    """CIELAB (L*, a*, b*; white D65, 2°) of sRGB in [0, 1], both float32 (3, n): scikit-image's within 2e-4."""
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = _TO_XYZ @ linear
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])
