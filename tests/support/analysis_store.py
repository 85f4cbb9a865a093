"""A real store of pictures whose differences are known: `a` and `b` are alike, `c` is redder and has discs."""

import numpy as np
from skimage import draw

from distcari.figures import picture_figures
from distcari.grid import Axis, Grid
from distcari.store import Store

SIDE = 48


def picture(model, image, layer, seed):
    """Noise of its own for every cell; c's is red, with discs at layer l2 only."""
    kind = model.partition("_")[0]
    rng = np.random.default_rng([ord(c) for c in f"{model}{image}{layer}{seed} of 2"])
    coarse = rng.normal(0, 0.12, (SIDE // 4, SIDE // 4, 3))
    made = 0.5 + np.kron(coarse, np.ones((4, 4, 1))) + rng.normal(0, 0.03, (SIDE, SIDE, 3)) + rng.normal(0, 0.02, 3)
    if kind == "c":
        made += np.array([0.15, -0.05, -0.05])
        for y, x in rng.uniform(6, SIDE - 6, (8, 2)) if layer == "l2" else ():
            made[draw.disk((y, x), 2.5, shape=made.shape)] = (0.1, 0.9, 0.9)
    return np.clip(made, 0, 1).astype(np.float32)


def make(
    url,
    models=("a", "b", "c"),
    images=("cat", "cup", "dog", "jar"),
    layers=("l1", "l2"),
    seeds=(0, 1, 2),
    name="e",
    without=(),
):
    """A store with all these cells done but for those of `without`, (model, image, layer, seed)."""
    labels = {"model": models, "image": images, "layer": layers, "seed": seeds}
    grid = Grid(name, "s", tuple(Axis(axis, {label: str(label) for label in of}) for axis, of in labels.items()))
    store = Store(str(url), writable=True)
    arrays = store.prepare(
        grid,
        {"settings": {}, "steps": {}, "models": {}, "config": {"name": name}},
        size=SIDE,
        input_size=SIDE,
        steps=2,
        dtype="float32",
    )
    store.write_inputs(arrays, {image: np.full((SIDE, SIDE, 3), 90, np.uint8) for image in images})
    rows = []
    for cell in grid.cells():
        if cell.labels in without:
            continue
        made = picture(*cell.labels)
        sha = arrays.write(arrays.place(cell.labels), made, np.zeros(2), np.zeros((56, 56)))
        rows.append(
            {
                "key": cell.key,
                "experiment": name,
                **dict(zip(arrays.axes, cell.labels, strict=True)),
                "pixels_sha256": sha,
                **picture_figures(made),
                "robust_gain": float(made.std()),
                "robust_cosine": 0.5,
                "gain": 1.0,
                "cosine": 0.5,
            }
        )
    store.commit(rows)
    return store
