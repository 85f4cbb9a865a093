"""From half a spectrum to the picture, the same on every device.

A real picture's spectrum is Hermitian: its first column, and the last of an even size, are their own mirror images. An
optimised spectrum does not keep to that, and what an inverse real transform does then is left open by cuFFT and rocFFT
(pytorch #154496, rocFFT #287, neuraloperator #702). Here it is settled: the part that no real picture has is dropped.
"""

from typing import Any

import torch
from torch import Tensor


def inverse(waves: Tensor, size: int) -> Tensor:
    """Complex (…, size, size // 2 + 1) → real (…, size, size), orthonormal; on a CPU the bits of torch.fft.irfft2."""
    found: Tensor = _Inverse.apply(waves, size)
    return found


class _Inverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, waves: Tensor, size: int) -> Tensor:
        rows = torch.fft.ifft(waves, dim=-2, norm="ortho")
        rows.imag[..., :: size // 2 if size % 2 == 0 else size].zero_()
        found: Tensor = torch.fft.irfft(rows, n=size, dim=-1, norm="ortho")
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        half = torch.fft.rfft2(gradient, norm="ortho")
        half[..., 1 : 1 + gradient.shape[-1] - half.shape[-1]].mul_(2)  # columns that stand for their mirror image too
        return half, None
