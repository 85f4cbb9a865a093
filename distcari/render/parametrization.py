"""The picture as a Fourier spectrum with decorrelated colours: Lucid's parametrisation (Olah et al., 2017; lucid
`optvis.param.fft_image`, `color.to_valid_rgb`). Adam then moves all frequencies alike, and pictures come out smooth.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_START = 0.01  # standard deviation of the first spectrum: nearly grey
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


def frequency_scale(size: int, decay: float = DECAY) -> Tensor:
    """1 / max(f, 1 / size)^decay for every frequency f in cycles/pixel: (size, size // 2 + 1, 1)."""
    f = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None, :])
    scale: Tensor = 1.0 / f.clamp_min(1.0 / size) ** decay
    return scale[..., None]


Veil = tuple[Tensor, Tensor]  # weights of the colours (N, 3, 3) and of the places (N, 1, size, size), see sight.py


def pictures(spectra: Tensor, scale: Tensor, size: int, veil: Veil | None = None) -> Tensor:
    """Spectra (N, 3, size, size // 2 + 1, 2) → pictures (N, 3, size, size) in (0, 1), grey where the veil is 0."""
    waves = torch.view_as_complex(spectra * scale)
    plain = torch.fft.irfft2(waves, s=(size, size), norm="ortho") * _CONTRAST
    n, _, height, width = plain.shape
    basis = _COLOUR.to(plain)
    if veil is not None:
        basis = veil[0] @ basis
    colours = (basis @ plain.reshape(n, 3, height * width)).reshape(n, 3, height, width)
    if veil is not None:
        colours = colours * veil[1]
    shown: Tensor = colours.sigmoid()
    return shown
