"""Colour and texture figures of a finished picture, each with unit, meaning and source. No torch."""

import numpy as np
from numpy.typing import NDArray

# name: (unit or range, meaning, source)
FIGURES: dict[str, tuple[str, str, str]] = {
    "mean_r": ("0 … 1", "mean of the red channel", "sRGB values"),
    "mean_g": ("0 … 1", "mean of the green channel", "sRGB values"),
    "mean_b": ("0 … 1", "mean of the blue channel", "sRGB values"),
    "colourfulness": ("0 = grey, > 80 vivid", "spread and strength of opponent colours", "Hasler & Süsstrunk 2003"),
    "hue_spread": ("0 … 1", "circular variance of CIELAB hue, weighted by chroma", "Mardia & Jupp 2000"),
    "colour_uniformity": ("0 … 1", "1 / (1 + d / 10), d the mean ΔE76 from the mean CIELAB colour", "distcari"),
    "spectral_slope": ("", "slope of log power over log frequency, grey picture", "Field 1987"),
    "peak_frequency": ("cycles/pixel", "where frequency × radial power, grey, is largest", "distcari"),
    "orientation_entropy": ("0 … 1", "entropy of gradient orientation, weighted by magnitude", "distcari"),
    "high_frequency_share": ("0 … 1", "share of the grey picture's power above 0.25 cycles/pixel", "distcari"),
}


def picture_figures(picture: NDArray[np.floating]) -> dict[str, float]:
    """All figures of a picture, float (y, x, 3) in [0, 1], by the names in FIGURES; finite even if constant."""
    values = np.clip(picture.astype(np.float64), 0, 1)
    return {**_colour(values), **_texture(values.mean(axis=-1))}


def _colour(rgb: NDArray[np.float64]) -> dict[str, float]:
    from skimage.color import rgb2lab

    r, g, b = np.moveaxis(rgb, -1, 0)
    red_green, yellow_blue = 255 * (r - g), 255 * ((r + g) / 2 - b)
    spread, strength = np.hypot(red_green.std(), yellow_blue.std()), np.hypot(red_green.mean(), yellow_blue.mean())
    lab = rgb2lab(rgb).reshape(-1, 3)
    colour = lab[:, 1] + 1j * lab[:, 2]
    chroma = np.abs(colour)
    distance = np.linalg.norm(lab - lab.mean(axis=0), axis=1).mean()
    return {
        "mean_r": float(r.mean()), "mean_g": float(g.mean()), "mean_b": float(b.mean()),
        "colourfulness": float(spread + 0.3 * strength),
        "hue_spread": float(1 - abs(colour.sum()) / chroma.sum()) if chroma.sum() > 1e-6 * len(chroma) else 0.0,
        "colour_uniformity": float(1 / (1 + distance / 10)),
    }


def _texture(grey: NDArray[np.float64]) -> dict[str, float]:
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    f = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1])[None, :])
    total = power.sum()
    flat = total < 1e-12 * power.size
    bands = np.round(f * min(grey.shape)).astype(int)
    n = min(grey.shape) // 2
    radial = np.bincount(bands.ravel(), power.ravel())[1:n] / np.bincount(bands.ravel())[1:n]
    frequency = np.arange(1, n) / min(grey.shape)
    slope = 0.0 if flat else float(np.polyfit(np.log(frequency), np.log(radial + 1e-12), 1)[0])
    dy, dx = np.gradient(grey)
    weights, _ = np.histogram(np.arctan2(dy, dx) % np.pi, bins=36, range=(0, np.pi), weights=np.hypot(dx, dy))
    share = weights[weights > 0] / max(weights.sum(), 1e-300)
    return {
        "spectral_slope": slope,
        "peak_frequency": 0.0 if flat else float(frequency[np.argmax(frequency * radial)]),
        "orientation_entropy": 0.0 if flat else float(-(share * np.log(share)).sum() / np.log(36)),
        "high_frequency_share": 0.0 if flat else float(power[f > 0.25].sum() / total),
    }
