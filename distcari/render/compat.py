"""`compat: lucent` – caricatures as the predecessor made them with torch-lucent 0.1.8 and its defaults.

128 × 128 pixels; pad 12 with grey, jitter 8, zoom 0.90 … 1.10, rotate ±10° (0 more often), jitter 4, all filled with
black; ImageNet normalisation whatever the model's own; enlarged to 224; Adam at 0.05; plain dot product. For comparing
with old pictures. (lucent `optvis/render.py`, `optvis/transform.py`, `optvis/param/spatial.py`; random draws are ours,
since lucent's are unseeded.)
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from distcari.render.adam import Adam
from distcari.render.augment import affine, see
from distcari.render.network import IMAGENET_MEAN, IMAGENET_STD, Network
from distcari.render.objective import flat, gain_and_cosine, objective
from distcari.render.parametrization import colour_basis, frequency_scale, generators, pictures, starts
from distcari.settings import RenderSettings

SIZE, PAD, SEEN = 128, 12, 224
FIRST, LAST = 8, 4  # pixels of jitter, before and after the turn
_ANGLES = [*range(-10, 11), 0, 0, 0, 0, 0]
_SCALES = [1 + (i - 5) / 50 for i in range(11)]


def lucent_optimise(
    network: Network,
    images: Tensor,
    layer: str,
    seeds: Sequence[int],
    settings: RenderSettings,
    on_step: Callable[[int], None] | None,
) -> tuple[Callable[[Tensor], Tensor], Tensor, Tensor, Tensor]:
    """The optimisation alone: (forward, finished pictures (N, 3, 128, 128), target, gains (N, steps))."""
    device = network.device
    plain = network.activations(layer, normalize=False)
    mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=device).view(1, 3, 1, 1)

    def forward(shown: Tensor) -> Tensor:
        return plain((shown - mean) / std)

    with torch.no_grad():
        target = forward(see(images.to(device), None, SEEN))
    draws, t = generators(seeds), flat(target)
    spectra = starts(draws, SIZE).to(device).requires_grad_(True)
    scale, colour = frequency_scale(SIZE, decay=1.0).to(device), colour_basis(network.grey).to(device)
    drawn = [[_draw(draw) for _ in range(settings.steps)] for draw in draws]
    turns = torch.stack([torch.cat([view.turn for view in each]) for each in drawn]).to(device)
    optimizer = Adam(spectra)
    gains = []
    for step in range(settings.steps):  # nothing in here waits for a GPU
        shown = pictures(spectra, scale, SIZE, colour)
        views = torch.cat([_view(shown[i : i + 1], each[step], turns[i, step]) for i, each in enumerate(drawn)])
        gain, cosine = gain_and_cosine(flat(forward(views)), t)
        optimizer.minimise(-objective(gain, cosine, 0.0).sum(), 0.05)
        gains.append(gain.detach())
        if on_step is not None:
            on_step(step + 1)
    with torch.no_grad():
        return lambda x: forward(_enlarge(x)), pictures(spectra, scale, SIZE, colour), target, torch.stack(gains, 1)


class _View(NamedTuple):
    """One draw of lucent's chain: the corners (top, left) of both crops, and the matrix (1, 2, 3) between them."""

    first: tuple[int, int]
    turn: Tensor
    last: tuple[int, int]


def _draw(draw: torch.Generator) -> _View:
    first = _pick(FIRST, draw), _pick(FIRST, draw)
    zoom = _SCALES[_pick(len(_SCALES), draw)]
    angle = _ANGLES[_pick(len(_ANGLES), draw)]
    turn = affine(torch.tensor([math.radians(angle)]), torch.tensor([zoom]), torch.zeros(1), torch.zeros(1))
    return _View(first, turn, (_pick(LAST, draw), _pick(LAST, draw)))


def _view(picture: Tensor, view: _View, turn: Tensor) -> Tensor:
    """One picture through lucent's chain of random transforms, (1, 3, 224, 224); `turn` (2, 3) is on its device."""
    x = _crop(F.pad(picture, [PAD] * 4, value=0.5), FIRST, view.first)
    grid = F.affine_grid(turn[None], list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return _enlarge(_crop(x, LAST, view.last))


def _crop(x: Tensor, d: int, corner: tuple[int, int]) -> Tensor:
    """A crop that is d pixels smaller."""
    top, left = corner
    return x[..., top : top + x.shape[-2] - d, left : left + x.shape[-1] - d]


def _pick(n: int, draw: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=draw))


def _enlarge(x: Tensor) -> Tensor:
    if x.shape[-1] == SEEN:
        return x
    return F.interpolate(x, size=(SEEN, SEEN), mode="bilinear", align_corners=True)
