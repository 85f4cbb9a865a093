"""Where, and in which colours, the network has answered to a picture: what it cannot see stays at the neutral grey.

A Fourier picture with decorrelated colours spills: a wave that one half of the picture asks for fills the other half
too, and a brightness is a little red. So the picture is weighted by the gradient that has arrived, by one law for
places and for colours: with K the sum of squared gradients so far (at a place; or, for colours, their 3 × 3 matrix)

    weight = K / (K + e² · mean K)

which is Wiener's: near 1 for what the network answers to, near 0 for what it answers to e times less than on average.
Frequencies obey the damped steps of adam.py. (What arrives per place is the "transparency" of Horama's MACO, Fel et al.
2023; as a weight within the optimisation: distcari.)
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.render.parametrization import Veil

CELLS = 28  # squares on a side in which arriving gradient is summed: smooth weights, no new fine structure
SHARE = 0.15  # e: what gets this share of the mean gradient (its rms) is drawn at half its strength


class Sight:
    """The squared gradients of N cells' pictures, summed over steps, and the weights that follow."""

    def __init__(self, cells: int, device: torch.device, strength: float) -> None:
        self._floor = (SHARE * strength) ** 2
        self._places = torch.zeros(cells, 1, CELLS, CELLS, device=device)
        self._colours = torch.zeros(cells, 3, 3, device=device)

    def note(self, gradient: Tensor) -> None:
        """Take in dL/dpicture (N, 3, y, x) of one step."""
        self._places += F.adaptive_avg_pool2d(gradient.square().sum(1, keepdim=True), CELLS)
        for matrix, flat in zip(self._colours, gradient.flatten(2), strict=True):  # cell by cell: bits of its own
            matrix.addmm_(flat, flat.T)

    def veil(self, size: int) -> Veil:
        """Weights of colours (N, 3, 3) and of places (N, 1, size, size); 1 for a cell that no gradient has reached."""
        places = F.avg_pool2d(F.pad(self._places, [1] * 4, mode="replicate"), 3, 1)
        mean = places.mean((2, 3), keepdim=True)
        weight = torch.where(mean > 0, places / (places + self._floor * mean).clamp_min(_TINY), 1.0)
        shown = F.interpolate(weight, size=(size, size), mode="bilinear", align_corners=False)
        return self._colour_weights(), shown

    def _colour_weights(self) -> Tensor:
        strength = self._colours.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        seen = strength > 0
        eye = torch.eye(3, device=strength.device)
        matrix = torch.where(seen, self._colours / strength.clamp_min(_TINY), eye)
        inverse, _ = torch.linalg.inv_ex(matrix + self._floor * eye)  # checks nothing, so that no GPU is waited for
        return torch.where(seen, matrix @ inverse, eye)


_TINY = torch.finfo(torch.float32).tiny
