"""Random views of a picture: one affine resampling (rotation, zoom, shift) straight to the network's input size.

Views are centred and borders are reflected, so the finished picture lies over the input, in the same frame.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F


def random_views(draws: Sequence[torch.Generator], steps: int, rotate: float, scale: float, shift: float) -> Tensor:
    """Affine matrices of each cell's views, step by step: float32 (steps, N, 2, 3), in normalised coordinates.

    Uniform in rotation ± `rotate` degrees, zoom 1 ± `scale`, shift ± `shift` of half the side in x and y.
    """
    each = []
    for draw in draws:
        u = torch.rand(4, steps, generator=draw) * 2 - 1
        each.append(affine(u[0] * math.radians(rotate), 1 + u[1] * scale, shift * u[2], shift * u[3]))
    return torch.stack(each, dim=1)


def affine(angle: Tensor, zoom: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Matrices (steps, 2, 3) that look at a picture rotated (radians), zoomed and shifted (in half sides)."""
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    return torch.stack([torch.stack([cos, -sin, x], -1), torch.stack([sin, cos, y], -1)], -2)


def see(pictures: Tensor, views: Tensor | None, size: int) -> Tensor:
    """Pictures (N, 3, y, x) through views (N, 2, 3), resampled to (N, 3, size, size); None is the straight view."""
    if views is None:
        if pictures.shape[-1] == size:
            return pictures
        return F.interpolate(pictures, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
    return F.grid_sample(pictures, _grid(views, size), mode="bilinear", padding_mode="reflection", align_corners=False)


def _grid(views: Tensor, size: int) -> Tensor:
    """Where each pixel of a view looks, (N, size, size, 2): torch's affine_grid with `align_corners=False`, its bits.

    That multiplies places (size², 3) by matrices (3, 2), which takes a processor twelve times as long as turned round.
    """
    places = _places(size, views.device)
    looked = torch.bmm(views, places.expand(len(views), -1, -1))
    return looked.view(len(views), 2, size, size).permute(0, 2, 3, 1)


@cache
def _places(size: int, device: torch.device) -> Tensor:
    """The middle of every pixel in normalised coordinates, x, y and 1: (3, size²)."""
    middles = torch.linspace(-1, 1, size, device=device) * (size - 1) / size
    y, x = torch.meshgrid(middles, middles, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).view(3, size * size)
