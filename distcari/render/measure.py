"""What a finished picture does to the layer: gain, cosine, match map, and the robust figures that noise cannot fake."""

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.render.augment import affine, see
from distcari.render.objective import dots, flat, gain_and_cosine

MATCH_SIZE = 56
ROBUST_VIEWS = 32
VIEWS_AT_ONCE = 4  # on a CPU: a quarter faster than one by one, and no slower than 8
SEEN_AT_ONCE = 128  # pictures through views on a GPU: keeps it busy, in no more memory than 64 cells with gradients


@cache
def robust_views() -> Tensor:
    """The 32 fixed views of the robust figures, (32, 2, 3): rotation ±5°, zoom ±5 %, shift ±4 % of half the side."""
    u = torch.rand(4, ROBUST_VIEWS, generator=torch.Generator().manual_seed(32)) * 2 - 1
    return affine(u[0] * (5 * torch.pi / 180), 1 + 0.05 * u[1], 0.04 * u[2], 0.04 * u[3])


@torch.no_grad()
def measure(forward: Callable[[Tensor], Tensor], pictures: Tensor, target: Tensor, size: int) -> dict[str, Tensor]:
    """Figures of pictures (N, 3, y, x) against the target's activations (N, …): each (N,), `match` (N, 56, 56).

    gain, cosine: the straight view. robust_gain, robust_cosine: mean over 32 fixed random views. target_norm: |t|.
    """
    t = flat(target)
    straight = forward(see(pictures, None, size))
    gain, cosine = gain_and_cosine(flat(straight), t)
    robust_gain, robust_cosine = _robust(forward, pictures, t, size)
    norm = dots(t, t).sqrt()
    return {
        "gain": gain,
        "cosine": cosine,
        "robust_gain": robust_gain,
        "robust_cosine": robust_cosine,
        "target_norm": norm,
        "match": match_map(straight, target),
    }


def _robust(forward: Callable[[Tensor], Tensor], pictures: Tensor, t: Tensor, size: int) -> Tensor:
    """Gain and cosine, means over the fixed views: (2, N). On a GPU all cells at once, through several
    views; on a CPU cell by cell, so that a cell's bits do not depend on its company, and some views at once."""
    views = robust_views().to(pictures.device)
    if pictures.device.type != "cpu":
        return torch.cat(list(_views_together(forward, pictures, t, size, views)), 1).mean(1)
    found = []
    for picture, target in zip(pictures, t, strict=True):
        several = picture.expand(VIEWS_AT_ONCE, *picture.shape)
        seen = (flat(forward(see(several, some, size))) for some in torch.split(views, VIEWS_AT_ONCE))
        found.append(torch.cat([torch.stack(gain_and_cosine(z, target.expand_as(z))) for z in seen], 1).mean(1))
    return torch.stack(found, 1)


def _views_together(
    forward: Callable[[Tensor], Tensor], pictures: Tensor, t: Tensor, size: int, views: Tensor
) -> Iterator[Tensor]:
    """Gain and cosine of N cells through some of the views at a time, up to 128 pictures in a pass: (2, some, N)."""
    n = len(pictures)
    for some in torch.split(views, max(1, SEEN_AT_ONCE // n)):
        through = some.repeat_interleave(n, 0)
        z = flat(forward(see(pictures.repeat(len(some), 1, 1, 1), through, size)))
        yield torch.stack(gain_and_cosine(z, t.repeat(len(some), 1))).view(2, len(some), n)


def match_map(z: Tensor, target: Tensor) -> Tensor:
    """Cosine at each position, resized to (N, 56, 56); one value everywhere where a layer has no positions."""
    a, b = positions(z), positions(target)
    cosine = F.cosine_similarity(a, b, dim=-1, eps=1e-12)
    return F.interpolate(cosine[:, None], size=(MATCH_SIZE, MATCH_SIZE), mode="bilinear", align_corners=False)[:, 0]


def positions(activations: Tensor) -> Tensor:
    """Activations as (N, v, u, channels).

    (N, C, v, u) from convolutions; (N, v, u, C), channels last, from Swin and the like (square, with the two equal
    dims first); (N, T, C) from transformers: class and register tokens in front of the square patch grid are dropped.
    """
    if activations.ndim == 4:
        _, a, b, c = activations.shape
        return activations if a == b != c else activations.permute(0, 2, 3, 1)
    if activations.ndim == 3:
        side = int(activations.shape[1] ** 0.5)
        return activations[:, -side * side :].reshape(len(activations), side, side, -1)
    return activations[:, None, None, :]
