"""Lucid's caricature objective and the measures that belong to it. The mathematics of distcari fits on this page.

Sums run over one cell at a time and in a fixed order, so that a cell's bits do not depend on its batch.
"""

import torch
from torch import Tensor

COSINE_FLOOR = 0.1


def flat(activations: Tensor) -> Tensor:
    """Activations (N, …) as float32 (N, values), channels last, whatever the memory layout."""
    if activations.ndim == 4:
        activations = activations.permute(0, 2, 3, 1)
    return activations.reshape(len(activations), -1).float()


def dots(a: Tensor, b: Tensor) -> Tensor:
    """Dot product of each cell: (N, values) · (N, values) → (N,)."""
    if a.device.type != "cpu":  # no fixed order of sums there anyway, and a launch for each cell takes longer
        return (a * b).sum(1)
    return torch.stack([(x * y).sum() for x, y in zip(a, b, strict=True)])


def gain_and_cosine(z: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """gain = dot(z, t) / dot(t, t) (1: as strong as the input) and cosine, of (N, values) each: (N,), (N,)."""
    zt, tt, zz = dots(z, target), dots(target, target), dots(z, z)
    tiny = torch.finfo(zt.dtype).tiny
    return zt / tt.clamp_min(tiny), zt / (zz.clamp_min(tiny).sqrt() * tt.clamp_min(tiny).sqrt())


def objective(gain: Tensor, cosine: Tensor, cossim_pow: float) -> Tensor:
    """dot · max(cos, 0.1)^p for each cell, in units of dot(t, t): (N,).

    The floor keeps the gradient alive where the cosine is negative, which would else reward the opposite direction
    (tensorflow/lucid #116, #121; lucid `recipes/caricature.py`).
    """
    return gain * cosine.clamp_min(COSINE_FLOOR) ** cossim_pow
