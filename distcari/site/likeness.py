"""The map of an experiment's models as it was when published: what sees alike, where they differ, against seeds."""

from typing import Any

import numpy as np

from distcari.analysis.metrics import SIDE
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import distances_of
from distcari.dashboard.data.overview import pairs, scaled, summaries

MOST_PAIRS = 8


def likeness(catalog: Catalog, experiment: str) -> dict[str, Any] | None:
    """Models with their places in the map, the pairs farthest apart, the layers; None without two models to compare.

    Numbers are ΔE2000, null where unknown; computed from at most 3,000 comparisons, as the dashboard's first answer is.
    """
    of = distances_of(catalog)
    matrix = of.once([experiment])
    if len(matrix.models) < 2 or not matrix.places:
        return None
    flat, kept = scaled(matrix.mean)
    layers = summaries(catalog, of, [experiment], matrix)
    noise = {one.layer: one.noise for one in layers}
    shown, total = len(matrix.places), matrix.total
    over = f"{shown:,} of {total:,} pictures" if shown < total else f"{shown:,} pictures"
    left = f" The first {len(matrix.models)} models; {matrix.models_left_out} are left out." * bool(
        matrix.models_left_out
    )
    return {
        "said": f"Mean ΔE2000 between pictures of one image, layer and seed at {SIDE} × {SIDE}, over {over} of each "
        f"model; 1 is just noticeable. The map keeps {kept:.0%} of the squared distances.{left}",
        "models": list(matrix.models),
        "at": [[_number(x), _number(y)] for x, y in flat],
        "pairs": [
            [pair.a, pair.b, pair.layer, _number(pair.there), _ratio(pair.there, noise.get(pair.layer, np.nan))]
            for pair in pairs(matrix)[:MOST_PAIRS]
        ],
        "layers": [
            [one.layer, *map(_number, (one.between, one.noise)), _ratio(one.between, one.noise), _number(one.hardly)]
            for one in layers
        ],
    }


def _ratio(distance: float, noise: float) -> float | None:
    return _number(distance / noise) if noise > 0 else None


def _number(value: float) -> float | None:
    """To four significant digits: the same number on every machine."""
    return float(f"{value:.4g}") if np.isfinite(value) else None
