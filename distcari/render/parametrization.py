"""The picture as a Fourier spectrum with decorrelated colours: Lucid's parametrisation (Olah et al., 2017; lucid
`optvis.param.fft_image`, `color.to_valid_rgb`). Adam then moves all frequencies alike, and pictures come out smooth.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from distcari.render.spectrum import inverse

_START = 0.01  # standard deviation of the first spectrum: nearly grey
COARSEST, FINEST = 0.02, 0.5  # cycles/pixel: the edge of the gate at first and at last
_CONTRAST = 0.25  # lucid's fft_image divides by 4

DECAY = 1.1  # lucid: 1. The low frequencies, colour and contrast, then arrive in half the steps

# Square root of ImageNet's colour covariance (lucid, `color.color_correlation_svd_sqrt`), columns at most of norm 1.
_COLOUR = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
_COLOUR = _COLOUR / _COLOUR.norm(dim=0).max()


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator for each cell, of its seed alone: the same start and views for every model, in any batch."""
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def starts(draws: Sequence[torch.Generator], size: int) -> Tensor:
    """First spectra, real and imaginary parts: float32 (N, 3, size, size // 2 + 1, 2)."""
    shape = (3, size, size // 2 + 1, 2)
    return torch.stack([torch.randn(shape, generator=draw) for draw in draws]) * _START


def frequencies(size: int) -> Tensor:
    """Frequency in cycles/pixel of every coefficient's real and imaginary part: (size, size // 2 + 1, 2).

    Twice the same, since spectra times something of last dim 1 take seven times as long.
    """
    return _twice(_frequencies(size))


def _frequencies(size: int) -> Tensor:
    return torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :])


def _twice(values: Tensor) -> Tensor:
    return torch.stack([values, values], -1)


def frequency_scale(size: int, decay: float = DECAY) -> Tensor:
    """1 / max(f, 1 / size)^decay for every frequency f in cycles/pixel: (size, size // 2 + 1, 2)."""
    return _twice(1.0 / _frequencies(size).clamp_min(1.0 / size) ** decay)


def coarse_edge(progress: float) -> float:
    """Where the gate's edge is, in cycles/pixel: at 0.02 where `progress` is 0 and at 0.5, the highest, from 1 on.

    Coarse things are settled by the network and the input; the fine ones then find their places in them, where together
    each start would settle on fine patterns of its own (`python benchmarks/trust.py levers` shows what it is worth).
    """
    edge: float = COARSEST * (FINEST / COARSEST) ** min(1.0, progress)
    return edge


def gate_at(f: Tensor, edge: float | Tensor) -> Tensor:
    """What share of its step each frequency takes, of the shape of `f`: 1 below the edge, soft above it."""
    gate: Tensor = 1 / (1 + (f / edge).square().square())
    return gate


def colour_basis(grey: bool = False) -> Tensor:
    """From decorrelated to RGB, (3, 3), columns at most of norm 1; `grey`: from the first, brightness, alone."""
    return _COLOUR[:, :1].mean() * torch.tensor([[1.0, 0.0, 0.0]] * 3) if grey else _COLOUR


Veil = tuple[Tensor, Tensor]  # weights of the colours (N, 3, 3) and of the places (N, 1, size, size), see sight.py


def pictures(spectra: Tensor, scale: Tensor, size: int, colour: Tensor, veil: Veil | None = None) -> Tensor:
    """Spectra (N, 3, size, size // 2 + 1, 2) → pictures (N, 3, size, size) in (0, 1), grey where the veil is 0.

    `scale` is `frequency_scale`, `colour` is `colour_basis`, both on the spectra's device: a copy in here would make
    every step wait for a GPU.
    """
    plain = inverse(torch.view_as_complex(spectra * scale), size) * _CONTRAST
    n, _, height, width = plain.shape
    basis = colour if veil is None else veil[0] @ colour
    colours = (basis @ plain.reshape(n, 3, height * width)).reshape(n, 3, height, width)
    if veil is not None:
        colours = colours * veil[1]
    shown: Tensor = colours.sigmoid()
    return shown
