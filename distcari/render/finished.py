"""Finished cells: a picture with its figures, measured at its own layer, and why a cell is none."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from distcari.figures import high_frequency_share
from distcari.render.augment import see
from distcari.render.contrast import ContrastTerm, response
from distcari.render.dominance import warn_of_dominance
from distcari.render.measure import measure
from distcari.render.metric import measured
from distcari.render.network import Network
from distcari.render.objective import objective
from distcari.render.step import WAKING
from distcari.render.yardsticks import yardsticks
from distcari.settings import RenderSettings
from distcari.yardsticks import YARDSTICKS


@dataclass(frozen=True)
class Caricature:
    """A finished picture and its figures.

    `picture` float32 (y, x, 3) in [0, 1]; `gain_curve` float32 (steps,), gain of the random view at each step taken;
    `match` float32 (56, 56), cosine at each position of the layer; `figures` gain, cosine, robust_gain, robust_cosine,
    objective, target_norm, high_frequency_share and the yardsticks (distcari/yardsticks.py) that there are; of a
    difference also gain_in_b, cosine_in_b, robust_gain_in_b, robust_cosine_in_b. `precision` is what the network
    computed in. `woken` is how often the start was doubled before the network answered at all.
    `failure` says why this is no caricature; "" if it is one.
    Gains, cosines, match and target_norm are of the metric in force (metric.py): of `standardised`, zero is the mean of
    the reference photographs.
    """

    picture: NDArray[np.float32]
    gain_curve: NDArray[np.float32]
    match: NDArray[np.float32]
    figures: dict[str, float]
    precision: str = "float32"
    woken: int = 0
    failure: str = ""

    def image(self) -> Image.Image:
        """The picture as a PIL image."""
        return Image.fromarray(np.round(self.picture * 255).astype(np.uint8))

    def save(self, path: str | Path) -> None:
        """Write the picture, PNG by preference."""
        self.image().save(path)

    def _repr_png_(self) -> bytes:
        """Show itself in a notebook."""
        buffer = BytesIO()
        self.image().save(buffer, format="PNG")
        return buffer.getvalue()


def measured_cells(
    forward: Callable[[Tensor], Tensor],
    finished: Tensor,
    target: Tensor,
    size: int,
    gains: Tensor,
    settings: RenderSettings,
    term: ContrastTerm | None = None,
    held_against: Callable[[Tensor, dict[str, Tensor]], dict[str, Tensor]] | None = None,
) -> list[Caricature]:
    """Pictures (N, 3, y, x) as finished cells: figures against the target's activations, gains (N, steps) as curves.

    `held_against` adds the yardsticks, `term` what a difference's second network makes of them.
    """
    figures = measure(forward, finished, target, size)
    if held_against is not None:
        figures |= held_against(finished, figures)
    figures["objective"] = objective(figures["gain"], figures["cosine"], settings.cossim_pow)
    if term is not None:
        figures |= term.figures(finished)
        figures["objective"] -= term.contrast.weight * response(figures["gain_in_b"], figures["cosine_in_b"], settings)
    match = figures.pop("match").float().cpu().numpy()
    shown = finished.float().permute(0, 2, 3, 1).cpu().numpy().clip(0, 1)
    curves = gains.float().cpu().numpy()
    values = {name: value.cpu().numpy() for name, value in figures.items()}
    return [
        Caricature(
            picture=np.ascontiguousarray(shown[i]),
            gain_curve=curves[i],
            match=match[i],
            figures={n: float(v[i]) for n, v in values.items() if not (n in YARDSTICKS and math.isnan(v[i]))}
            | {"high_frequency_share": high_frequency_share(shown[i])},
        )
        for i in range(len(shown))
    ]


def measured_by_layer(
    network: Network,
    cells: Mapping[str, Sequence[int]],
    images: Tensor,
    finished: Tensor,
    curves: Tensor,
    precision: str,
    settings: RenderSettings,
) -> list[Caricature]:
    """Cells of several layers, each measured at its own, as it would be alone."""
    made: dict[int, Caricature] = {}
    for layer, at in cells.items():
        forward, own = measured(network, layer, precision, settings), images[list(at)]
        with torch.no_grad():
            target = forward(see(own, None, network.input_size))
        warn_of_dominance(target, network.layer(layer))
        held = partial(yardsticks, network, layer, precision, settings, forward, own, target)
        shown, curve = finished[list(at)], curves[list(at)]
        found = measured_cells(forward, shown, target, network.input_size, curve, settings, None, held)
        made |= dict(zip(at, found, strict=True))
    return [made[i] for i in range(len(images))]


def failures_of(target: Tensor, asleep: Tensor, layers: Sequence[str]) -> list[str]:
    """Why each cell's optimisation never started, "" where it did: targets (N, values), asleep (N,)."""
    blank = (target.amax(1) == target.amin(1)) & (target[:, 0] == 0)
    return [
        f"layer {layer} does not respond to the image: its target is zero everywhere"
        if nothing
        else f"no gradient reached the picture, even from a start {2**WAKING} times as strong"
        if never
        else ""
        for nothing, never, layer in zip(blank.tolist(), asleep.tolist(), layers, strict=True)
    ]
