"""Where, and in which colours, the network has answered to a picture: what it cannot see stays at the neutral grey.

A Fourier picture with decorrelated colours spills: a wave that one half of the picture asks for fills the other half
too, and a brightness is a little red. So the picture is weighted by the gradient that has arrived, with K the sum of
squared gradients so far (at a place; or, for colours, their 3 × 3 matrix) in units of its mean:

    weight = K² / (K² + e⁴)

1 for what the network answers to, 0 for what it does not, one half where the gradient is e times its rms. Frequencies
obey the damped steps of adam.py. (What arrives per place is the "transparency" of Horama's MACO, Fel et al. 2023; as a
weight within the optimisation: distcari.)
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.render.parametrization import Veil

CELL = 4  # side in pixels of the squares in which arriving gradient is summed: smooth weights, no new fine structure
PLACES, COLOURS = 0.5, 0.15  # e: trained networks answer to colours a third as much as to brightness, and it shows


class Sight:
    """The squared gradients of N cells' pictures, summed over steps, and the weights that follow.

    `grey`: the network sees one channel alone and its pictures have but one, so that colours need no weights.
    """

    def __init__(self, cells: int, size: int, device: torch.device, grey: bool = False) -> None:
        self._size, self._grey, side = size, grey, max(1, size // CELL)
        self._places = torch.zeros(cells, 1, side, side, device=device)
        self._colours = torch.zeros(cells, 3, 3, device=device)

    @property
    def sums(self) -> tuple[Tensor, Tensor]:
        """Of places (N, 1, v, u) and of colours (N, 3, 3)."""
        return self._places, self._colours

    @sums.setter
    def sums(self, sums: tuple[Tensor, Tensor]) -> None:
        self._places, self._colours = sums

    def note(self, gradient: Tensor) -> None:
        """Take in dL/dpicture (N, 3, y, x) of one step."""
        self._places += F.adaptive_avg_pool2d(gradient.square().sum(1, keepdim=True), self._places.shape[-1])
        if self._grey:
            return
        flat = gradient.flatten(2)
        if flat.device.type != "cpu":  # one launch for all cells
            self._colours.baddbmm_(flat, flat.mT)
            return
        for matrix, own in zip(self._colours, flat, strict=True):  # cell by cell: bits that no company changes
            matrix.addmm_(own, own.T)

    def veil(self) -> Veil:
        """Weights of colours (N, 3, 3) and of places (N, 1, size, size); 1 for a cell that no gradient has reached."""
        mean = self._places.mean((2, 3), keepdim=True)
        k = (self._places / mean.clamp_min(_TINY)).square()
        weight = torch.where(mean > 0, k / (k + PLACES**4), 1.0)
        shown = F.interpolate(weight, size=(self._size, self._size), mode="bilinear", align_corners=False)
        return self._colour_weights(), shown

    def _colour_weights(self) -> Tensor:
        strength = self._colours.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        eye = torch.eye(3, device=strength.device)
        k = self._colours / strength.clamp_min(_TINY)
        k = k @ k
        inverse, _ = torch.linalg.inv_ex(k + COLOURS**4 * eye)  # checks nothing, so that no GPU is waited for
        return torch.where(strength > 0, k @ inverse, eye)


_TINY = torch.finfo(torch.float32).tiny
