"""The network that a difference caricature turns away from, and what a picture does to it.

With the response R = gain · max(cos, 0.1)^cossim_pow of each network (see objective.py), in units of its own target, a
difference caricature maximises

    R_a − contrast · max(R_b, 0)

Below 0 there is nothing more to win: the picture is to leave b cold, not to show it the opposite. (The idea of pictures
on which two networks disagree: controversial stimuli, Golan, Raju and Kriegeskorte, PNAS 2020. The formula: distcari.)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from distcari.render.augment import see
from distcari.render.measure import measure
from distcari.render.metric import measured
from distcari.render.network import Network
from distcari.render.objective import flat, gain_and_cosine, objective
from distcari.settings import RenderSettings

CROSS = ("gain", "cosine", "robust_gain", "robust_cosine")  # what is measured of a picture in another network


@dataclass(frozen=True)
class Contrast:
    """Network b, its layer, and how much its response counts."""

    network: Network
    layer: str
    weight: float = 1.0


class ContrastTerm:
    """Network b's part in one optimisation of pictures for `images` (N, 3, y, x) in [0, 1]."""

    def __init__(self, contrast: Contrast, images: Tensor, settings: RenderSettings) -> None:
        self.contrast, self.settings = contrast, settings
        precision = contrast.network.precision(contrast.layer, settings.precision)
        self.forward = measured(contrast.network, contrast.layer, precision, settings)
        self.size = contrast.network.input_size
        self.images = images.to(contrast.network.device)
        self.target = self._seen(None)

    def cost(self, shown: Tensor, view: Tensor) -> Tensor:
        """What pictures (N, 3, y, x), seen through views (N, 2, 3), lose to network b: contrast · max(R_b, 0), (N,)."""
        target = self._seen(view) if self.settings.views == "both" else self.target
        gain, cosine = gain_and_cosine(flat(self.forward(see(shown, view, self.size))), flat(target))
        return self.contrast.weight * response(gain, cosine, self.settings)

    def figures(self, finished: Tensor) -> dict[str, Tensor]:
        """Gain and cosine of finished pictures in network b, plain and robust, each (N,): `gain_in_b` …."""
        found = measure(self.forward, finished, self.target, self.size)
        return {f"{name}_in_b": found[name] for name in CROSS}

    @torch.no_grad()
    def _seen(self, view: Tensor | None) -> Tensor:
        return self.forward(see(self.images, view, self.size))


def response(gain: Tensor, cosine: Tensor, settings: RenderSettings) -> Tensor:
    """max(R_b, 0) for each cell, (N,)."""
    return objective(gain, cosine, settings.cossim_pow).clamp_min(0)
