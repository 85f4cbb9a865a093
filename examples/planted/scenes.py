"""Rendered scenes of six kinds of objects, of which the factors vary or are held fixed: the planted differences.

A scene is an object (its class is what networks learn) with a texture, seen by a camera, in an environment. Each factor
is drawn anew for every scene, unless the variant holds it fixed. Variants after the predecessor's, and one control.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 32
CLASSES = ("disc", "square", "triangle", "star", "ring", "cross")
VARIANTS = {  # variant: what it holds fixed
    "all_vary": "",
    "one_camera": "camera",
    "one_texture": "texture",
    "one_environment": "environment",
    "one_model": "model",
    "grey": "colour",
}


@dataclass(frozen=True)
class Scene:
    """One scene's factors: angle (rad), zoom, shift; texture and colours in 0 … 1; `form` is the object's exemplar."""

    label: int
    form: float
    angle: float
    zoom: float
    shift: tuple[float, float]
    texture: str
    pitch: float
    paints: NDArray[np.float64]
    ground: NDArray[np.float64]
    seed: int


def draw(variant: str, rng: np.random.Generator, label: int) -> Scene:
    """A scene of a variant; the same random numbers are drawn whatever it holds fixed."""
    fixed = VARIANTS[variant]
    form, angle, zoom = rng.uniform(0, 1), rng.uniform(-np.pi / 4, np.pi / 4), rng.uniform(0.65, 0.95)
    shift = tuple(rng.uniform(-0.15, 0.15, 2))
    texture, pitch = str(rng.choice(["plain", "dots", "stripes", "checks"])), rng.uniform(0.25, 0.5)
    paints, ground, seed = rng.random((2, 3)), rng.random((2, 3)), int(rng.integers(2**31))
    if fixed == "model":
        form = 0.5
    if fixed == "camera":
        angle, zoom, shift = 0.0, 0.8, (0.0, 0.0)
    if fixed == "texture":  # cream with small orange discs
        texture, pitch, paints = "dots", 0.3, np.array([[0.95, 0.9, 0.75], [0.9, 0.4, 0.1]])
    if fixed == "environment":  # a plain blue-grey studio
        ground, seed = np.array([[0.45, 0.55, 0.7], [0.35, 0.45, 0.6]]), 0
    if fixed == "colour":
        paints, ground = (np.repeat(v.mean(axis=1, keepdims=True), 3, axis=1) for v in (paints, ground))
    return Scene(label, form, angle, zoom, shift, texture, pitch, paints, ground, seed)


def render(scene: Scene, side: int = SIDE) -> NDArray[np.uint8]:
    """A scene's picture, uint8 (side, side, 3), of twice as many samples in each direction."""
    n = 2 * side
    y, x = (np.mgrid[:n, :n] + 0.5) / n * 2 - 1
    x, y = (x - scene.shift[0]) / scene.zoom, (y - scene.shift[1]) / scene.zoom
    u = x * np.cos(scene.angle) + y * np.sin(scene.angle)
    v = y * np.cos(scene.angle) - x * np.sin(scene.angle)
    ground = _blend(scene.ground, _clouds(n, scene.seed))
    paint = _blend(scene.paints, _texture(scene, u, v))
    picture = np.where(_inside(scene, u, v)[..., None], paint, ground)
    return np.round(picture.reshape(side, 2, side, 2, 3).mean(axis=(1, 3)) * 255).astype(np.uint8)


def dataset(variant: str, number: int, seed: int, side: int = SIDE) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Scenes (number, side, side, 3) uint8 and their classes (number,), as many of each."""
    rng = np.random.default_rng([seed, number])
    labels = np.arange(number) % len(CLASSES)
    return np.stack([render(draw(variant, rng, int(label)), side) for label in labels]), labels


def _inside(scene: Scene, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where the object is; `form` (0 … 1) makes it slim or wide, its hole small or large, its points few or many."""
    form, wide = scene.form, 0.65 + 0.35 * scene.form
    radius, theta = np.hypot(u, v), np.arctan2(v, u)
    match CLASSES[scene.label]:
        case "disc":
            return (u / wide) ** 2 + v**2 < 0.8
        case "square":
            return np.maximum(np.abs(u) / wide, np.abs(v)) < 0.8
        case "triangle":
            return (v < 0.7) & (np.abs(u) < wide * (v + 0.9) * 0.6)
        case "star":
            return radius < 0.6 + 0.35 * np.cos((4 + round(3 * form)) * theta)
        case "ring":
            return (radius < 0.9) & (radius > 0.35 + 0.25 * form)
    return (np.minimum(np.abs(u), np.abs(v)) < 0.15 + 0.15 * form) & (np.maximum(np.abs(u), np.abs(v)) < 0.9)


def _texture(scene: Scene, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much of the second paint is where, 0 … 1."""
    a, b = u / scene.pitch, v / scene.pitch
    match scene.texture:
        case "dots":
            return (np.hypot(a - np.round(a), b - np.round(b)) < 0.33).astype(float)
        case "stripes":
            return (np.floor(2 * a) % 2).astype(float)
        case "checks":
            return ((np.floor(2 * a) + np.floor(2 * b)) % 2).astype(float)
    return np.zeros_like(u)


def _clouds(n: int, seed: int) -> NDArray[np.float64]:
    """Soft random shades (n, n), 0 … 1."""
    from scipy.ndimage import zoom

    coarse = np.random.default_rng(seed).random((5, 5))
    return np.clip(zoom(coarse, n / 5, order=3, mode="nearest", grid_mode=True), 0, 1)


def _blend(colours: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    return colours[0] + share[..., None] * (colours[1] - colours[0])
