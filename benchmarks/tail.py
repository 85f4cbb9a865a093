"""Processor milliseconds that ending a cell of 224 x 224 takes: each part of its figures, and of the store.

    OMP_NUM_THREADS=1 python benchmarks/tail.py            # a few seconds

As in a process that ends cells: it had larger arrays than these before, so that the C library gives no memory back to
the system after each (in a fresh process that alone is 2 ms a cell).
"""

import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from distcari import figures
from distcari.figures.colour import colour_figures
from distcari.figures.texture import texture_figures
from distcari.grid import Axis, Grid
from distcari.store import Store

SIDE, STEPS, CELLS = 224, 64, 64


def pictures() -> list[np.ndarray[Any, Any]]:
    """Eight pictures of coarse coloured noise and some grain."""
    rng = np.random.default_rng(0)
    coarse = (rng.integers(0, 255, (28, 28, 3), dtype=np.uint8) for _ in range(8))
    smooth = (np.asarray(Image.fromarray(c).resize((SIDE, SIDE)), np.float32) / 255 for c in coarse)
    return [np.clip(s + rng.normal(0, 0.02, s.shape), 0, 1).astype(np.float32) for s in smooth]


def milliseconds(action: Callable[[int], Any], cells: int = 1) -> float:
    """Of the processor, for a cell."""
    action(0)
    start = time.process_time()
    for i in range(CELLS // cells):
        action(i)
    return 1000 * (time.process_time() - start) / CELLS


def main() -> None:
    """A line for each part."""
    np.ones(2**21)  # 16 MiB, let go at once: see above
    made = pictures()
    match, curve = np.random.default_rng(1).random((56, 56), np.float32), np.zeros(STEPS, np.float32)
    labels = {"model": ("m",), "image": tuple(f"i{i}" for i in range(CELLS)), "layer": ("l",), "seed": (0,)}
    grid = Grid("e", "s", tuple(Axis(axis, {label: str(label) for label in of}) for axis, of in labels.items()))
    with tempfile.TemporaryDirectory() as folder:
        arrays = Store(folder, writable=True).prepare(
            grid,
            {"settings": {}, "steps": {}, "models": {}, "config": {"name": "e"}},
            size=SIDE,
            input_size=SIDE,
            steps=STEPS,
            dtype="float32",
        )
        places = [arrays.place(cell.labels) for cell in grid.cells()]

        def store(n: int) -> Callable[[int], Any]:
            def act(i: int) -> None:
                here = places[i * n : (i + 1) * n]
                arrays.write_together(here, [made[j % 8] for j in range(n)], [curve] * n, [match] * n)

            return act

        for name, action, cells in (
            ("figures", lambda i: figures.picture_figures(made[i % 8]), 1),
            ("  of it colour", lambda i: colour_figures(made[i % 8]), 1),
            ("  of it texture", lambda i: texture_figures(made[i % 8]), 1),
            ("  of it small_circles", lambda i: figures.small_circles(made[i % 8]), 1),
            ("store, one cell at a time", store(1), 1),
            ("store, eight neighbours at a time", store(8), 8),
        ):
            print(f"{name:36}{milliseconds(action, cells):6.1f} ms", flush=True)


if __name__ == "__main__":
    main()
