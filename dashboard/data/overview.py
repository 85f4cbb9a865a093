"""What an overview says of a family of models: how far apart they lie at each layer, against the noise of seeds.

All from one matrix of picture distances (`distances.py`), layer by layer: an average over layers would hide that two
models that agree at an early layer part at a late one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import Distances, Matrix
from distcari.yardsticks import COSINES, hardly_respond

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LayerSummary:
    """A layer: mean ΔE2000 between models, between seeds of one model (NaN: one seed), the share of pictures at which
    it hardly responds (NaN: unknown), and the pair of models that lie farthest apart there, with their distance."""

    layer: str
    between: float
    noise: float
    hardly: float
    pair: tuple[str, str] | None
    farthest: float


def layers_of(matrix: Matrix) -> dict[str, Floats]:
    """The mean distance between models at each layer, (models, models), NaN where a pair shares no picture there."""
    at = matrix.axes.index("layer") if "layer" in matrix.axes else None
    names = [place[at] if at is not None else "" for place in matrix.places]
    return {name: mean(matrix.each[[n == name for n in names]]) for name in dict.fromkeys(names)}


def mean(each: Floats) -> Floats:
    """The mean over the first axis of what is known, NaN where nothing is."""
    known = ~np.isnan(each)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, each, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def summaries(catalog: Catalog, distances: Distances, experiments: Sequence[str], matrix: Matrix) -> list[LayerSummary]:
    """Each layer in the store's order."""
    found, order = layers_of(matrix), catalog.labels(experiments, "layer")
    noise, hardly = distances.noise(experiments), _hardly(catalog, experiments)
    made = []
    for layer in [name for name in order if name in found]:
        off = np.where(np.eye(len(matrix.models), dtype=bool), np.nan, found[layer])
        some = not np.isnan(off).all()
        i, j = divmod(int(np.nanargmax(off)), off.shape[1]) if some else (0, 0)
        made.append(
            LayerSummary(
                layer,
                float(np.nanmean(off)) if some else np.nan,
                noise.get(layer, np.nan),
                hardly.get(layer, np.nan),
                (matrix.models[i], matrix.models[j]) if some else None,
                float(off[i, j]) if some else np.nan,
            )
        )
    return made


def _hardly(catalog: Catalog, experiments: Sequence[str]) -> dict[str, float]:
    frame = catalog.frame(experiments)
    known = frame[frame[list(COSINES[1:])].notna().any(axis=1)]
    if known.empty:
        return {}
    shares = known.assign(hardly=hardly_respond(known)).groupby("layer", observed=True)["hardly"].mean()
    return {str(layer): float(share) for layer, share in shares.items()}


@dataclass(frozen=True)
class Pair:
    """Two models, their mean distance over all layers, the layer at which they lie farthest apart, and how far."""

    a: str
    b: str
    distance: float
    layer: str
    there: float


def pairs(matrix: Matrix) -> list[Pair]:
    """All pairs of models that share a picture, the farthest apart (at their farthest layer) first."""
    found = layers_of(matrix)
    made = []
    for i, j in combinations(range(len(matrix.models)), 2):
        by_layer = {layer: float(m[i, j]) for layer, m in found.items() if not np.isnan(m[i, j])}
        if by_layer:
            layer = max(by_layer, key=by_layer.__getitem__)
            made.append(Pair(matrix.models[i], matrix.models[j], float(matrix.mean[i, j]), layer, by_layer[layer]))
    return sorted(made, key=lambda pair: -pair.there)


def scaled(distance: Floats) -> tuple[Floats, float]:
    """Classical multidimensional scaling (Torgerson 1952) to two dimensions: (models, 2), and the share of all squared
    distance that they keep, 0 … 1. Unknown distances count as the mean."""
    usual = 0.0 if np.isnan(distance).all() else float(np.nanmean(distance))
    known = np.where(np.isnan(distance), usual, distance)
    n = len(known)
    centre = np.eye(n) - 1 / n
    values, vectors = np.linalg.eigh(-0.5 * centre @ known**2 @ centre)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = np.maximum(values, 0)
    flat = np.zeros((n, 2))
    flat[:, : min(n, 2)] = vectors[:, :2] * np.sqrt(kept[:2])
    return flat, float(kept[:2].sum() / kept.sum()) if kept.sum() > 0 else 1.0
