"""Grids of any labels."""

from distcari.grid import Axis, Grid


def grid(models, images, layers, seeds, layers_of=None, content="v1"):
    return Grid(
        "e",
        "s",
        (
            Axis("model", {m: f"{content}{m}" for m in models}),
            Axis("image", {i: i for i in images}),
            Axis("layer", {n: n for n in layers}),
            Axis("seed", {s: str(s) for s in seeds}),
        ),
        layers_of or {},
    )
