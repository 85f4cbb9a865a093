"""A small store of one experiment, written without rendering."""

import numpy as np

from distcari.grid import Axis, Grid

META = {"settings": {}, "steps": {"x": 4}, "models": {}, "images": {}, "layers_of": {}}


def grid(models=("m",), images=("i",), layers=("x",), seeds=(0,)):
    return Grid(
        "e",
        "s",
        tuple(
            Axis(n, {label: str(label) for label in labels})
            for n, labels in (("model", models), ("image", images), ("layer", layers), ("seed", seeds))
        ),
    )


def prepared(store, g, dtype="float32"):
    return store.prepare(g, META, size=16, input_size=8, steps=4, dtype=dtype)


def finish(store, arrays, cell, value=0.5):
    picture = np.full((16, 16, 3), value, np.float32)
    sha = arrays.write(arrays.place(cell.labels), picture, np.arange(4.0), np.zeros((56, 56)))
    row = {"key": cell.key, "experiment": "e", **dict(zip(arrays.axes, cell.labels, strict=True)), "pixels_sha256": sha}
    store.commit([row])
