"""Gradients in float16: scaled on their way through the network, since most are too small for its range.

Mixed precision's loss scaling (Micikevicius et al. 2018), but for each picture by a power of two of its own, which
rounds nothing: the largest gradient that arrives at the layer becomes 1 to 2, and behind the network it is undone.
Nothing waits for the device.
"""

from typing import Any

import torch
from torch import Tensor


class Scaling:
    """The scales of one pass, (N,): set where the gradient enters the network, used where it leaves."""

    def __init__(self) -> None:
        self.scale: Tensor | None = None

    def enters(self, output: Tensor) -> Tensor:
        """A layer's output (N, …) of type float32, whose gradient is scaled."""
        found: Tensor = _Enters.apply(output, self)
        return found

    def leaves(self, x: Tensor) -> Tensor:
        """The network's input (N, …) of type float32, whose gradient is the right one again."""
        found: Tensor = _Leaves.apply(x, self)
        return found


class _Enters(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, output: Tensor, scaling: Scaling) -> Tensor:
        ctx.scaling = scaling
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        largest = gradient.flatten(1).abs().amax(1)
        scale = torch.where(largest > 0, torch.exp2(-torch.floor(torch.log2(largest))), 0.0)
        held = ctx.scaling.scale  # several layers' outputs: each picture has but one that matters
        ctx.scaling.scale = scale if held is None else torch.maximum(held, scale)
        return gradient * _along(scale, gradient), None


class _Leaves(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scaling: Scaling) -> Tensor:
        ctx.scaling = scaling
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        scale, ctx.scaling.scale = ctx.scaling.scale, None
        if scale is None:
            return gradient, None
        return gradient / _along(torch.where(scale > 0, scale, 1.0), gradient), None


def _along(scale: Tensor, gradient: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (gradient.ndim - 1))
