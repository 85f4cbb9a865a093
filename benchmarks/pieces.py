"""Pieces for the benchmarks: a network of a hundred layers, a worker that renders nothing."""

import numpy as np
import torch
from torch import nn

from distcari.cluster.worker import Worker
from distcari.render import Caricature


class Deep(nn.Sequential):
    """A hundred small convolutions."""

    def __init__(self) -> None:
        super().__init__(*[nn.Conv2d(3, 3, 1) for _ in range(100)])


def deep() -> nn.Module:
    """A new network of a hundred layers."""
    return Deep().eval()


def no_picture(network, images: torch.Tensor, layer: str, seeds, settings) -> list[Caricature]:  # type: ignore[no-untyped-def]
    """Grey pictures in no time: what is left is the cost of driver, actor and store."""
    grey = np.full((settings.size, settings.size, 3), 0.5, np.float32)
    flat = Caricature(grey, np.zeros(settings.steps, np.float32), np.ones((56, 56), np.float32), {"gain": 1.0})
    return [flat for _ in seeds]


class NullWorker(Worker):
    """A worker without a renderer."""

    def __init__(self, *args, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*args, **options, renderer=no_picture)
