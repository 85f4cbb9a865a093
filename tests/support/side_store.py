"""Three models for Side by side: two done, one failed at a layer and pending at the other."""

import numpy as np

from distcari.dashboard.data.catalog import Catalog
from distcari.grid import Axis, Grid
from distcari.store import Store

SIDE = 32
AXES = {"model": ("m", "n", "o"), "image": ("cat", "cup"), "layer": ("x", "y"), "seed": (0, 1)}


def grid():
    return Grid("e", "s", tuple(Axis(n, {label: str(label) for label in labels}) for n, labels in AXES.items()))


def side_catalog(folder):
    """Model m and n are done, o at x failed, o at y is pending."""
    store = Store(str(folder), writable=True)
    meta = {"settings": {}, "steps": {"x": 4, "y": 4}, "models": {}, "images": {}, "layers_of": {}}
    arrays = store.prepare(grid(), meta, size=SIDE, input_size=16, steps=4, dtype="float32")
    rows, random = [], np.random.default_rng(0)
    for cell in grid().cells():
        at = dict(zip(arrays.axes, cell.labels, strict=True))
        if at["model"] == "o":
            continue
        picture = random.random((SIDE, SIDE, 3)).astype(np.float32)
        curve, match = np.linspace(0, 1, 4), np.zeros((56, 56))
        sha = arrays.write(arrays.place(cell.labels), picture, curve, match)
        rows.append({"key": cell.key, "experiment": "e", **at, "gain": 0.5, "cosine": 0.25, "pixels_sha256": sha})
    store.commit(rows)
    store.failed.append(
        [
            {"key": cell.key, "experiment": "e", **at, "error": "RuntimeError: no memory", "attempt": 3}
            for cell in grid().cells()
            if (at := dict(zip(AXES, cell.labels, strict=True)))["model"] == "o" and at["layer"] == "x"
        ]
    )
    return Catalog(store)
