"""What the tests of the dashboard make real stores of."""

import json
from datetime import UTC, datetime

import numpy as np

from distcari.grid import Axis, Grid

SIDE, STEPS = 16, 4


def grid(name="e", models=("m", "n"), images=("cat", "dog"), layers=("x", "y", "z"), seeds=(0, 1), layers_of=None):
    axes = (("model", models), ("image", images), ("layer", layers), ("seed", seeds))
    made = tuple(Axis(n, {label: str(label) for label in labels}) for n, labels in axes)
    return Grid(name, "s", made, layers_of or {})


def prepare(store, g, **settings):
    images = {label: np.full((8, 8, 3), 40 * i, np.uint8) for i, label in enumerate(g.axis("image").labels)}
    meta = {
        "settings": {"cossim_pow": 1.0, "size": SIDE} | settings,
        "steps": dict.fromkeys(g.axis("layer").labels, STEPS),
        "models": {},
        "images": {},
        "layers_of": {m: list(layers) for m, layers in g.layers_of.items()},
        "config": {"name": g.experiment},
        "distcari_version": "0",
    }
    arrays = store.prepare(g, meta, size=SIDE, input_size=8, steps=STEPS, dtype="float32")
    store.write_inputs(arrays, images)
    return arrays


def picture(i):
    return np.random.default_rng(i).random((SIDE, SIDE, 3), np.float32)


def finish(store, arrays, g, cells, first=0, more=lambda cell: {}):
    """Commit cells as one part; the i-th has gain i, and what `more` gives for it."""
    rows = []
    for i, cell in enumerate(cells, first):
        sha = arrays.write(arrays.place(cell.labels), picture(i), np.arange(STEPS), np.full((56, 56), 0.5))
        rows.append(
            {
                "key": cell.key,
                "experiment": g.experiment,
                **dict(zip(arrays.axes, cell.labels, strict=True)),
                "pixels_sha256": sha,
                "gain": float(i),
                "cosine": 0.5,
                "steps": STEPS,
                "finished_at": datetime(2026, 1, 1, 0, 0, first % 60, tzinfo=UTC),
                **more(cell),
            }
        )
    store.commit(rows)


def fail(store, g, cell, error="ValueError: NaN"):
    labels = dict(zip(("model", "image", "layer", "seed"), cell.labels, strict=True))
    row = {"key": cell.key, "experiment": g.experiment, **labels, "error": error, "attempt": 3}
    store.failed.append([row])


def note(store, experiment, run_id="r1", state="running", running=(), updated=None, **more):
    said = {
        "run_id": run_id,
        "experiment": experiment,
        "state": state,
        "running": [list(c.labels) for c in running],
        "updated_at": (updated or datetime.now(UTC)).isoformat(),
        **more,
    }
    store.files.write(f"runs/{run_id}.json", json.dumps(said).encode())
