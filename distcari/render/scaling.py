"""Gradients in float16: scaled on their way through the network, since most are too small for its range.

Mixed precision's loss scaling (Micikevicius et al. 2018), but for each picture by a power of two of its own, which
rounds nothing: the largest gradient that arrives at the layer becomes 1 to 2, and behind the network it is undone.
Nothing waits for the device.
"""

from collections.abc import Callable

import torch
from torch import Tensor


class Scaling:
    """The scales of one pass, (N,): set where the gradient enters the network, used where it leaves."""

    def __init__(self) -> None:
        self._scale: Tensor | None = None

    def enters(self, output: Tensor) -> Tensor:
        """A layer's output (N, …) of type float32, whose gradient is scaled."""
        return _hooked(output, self._up)

    def leaves(self, x: Tensor) -> Tensor:
        """The network's input (N, …) of type float32, whose gradient is the right one again."""
        return _hooked(x, self._down)

    def _up(self, gradient: Tensor) -> Tensor:
        largest = gradient.flatten(1).abs().amax(1)
        scale = torch.where(largest > 0, torch.exp2(-torch.floor(torch.log2(largest))), 0.0)
        # several layers' outputs: each picture has but one that matters
        self._scale = scale if self._scale is None else torch.maximum(self._scale, scale)
        return gradient * _along(scale, gradient)

    def _down(self, gradient: Tensor) -> Tensor:
        scale, self._scale = self._scale, None
        return gradient if scale is None else gradient / _along(torch.where(scale > 0, scale, 1.0), gradient)


def _hooked(tensor: Tensor, hook: Callable[[Tensor], Tensor]) -> Tensor:
    """The tensor, with what its gradient goes through; a view, so that the caller's own keeps its gradient."""
    seen = tensor.view_as(tensor)
    if seen.requires_grad:
        seen.register_hook(hook)  # type: ignore[no-untyped-call]
    return seen


def _along(scale: Tensor, gradient: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (gradient.ndim - 1))
