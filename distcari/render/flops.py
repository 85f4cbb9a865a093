"""Floating point operations of a forward pass, counted as it goes: convolutions, matrix products, attention.

torch.utils.flop_counter counts the same (the tests hold the two against each other), but imports torch's compiler at
its first use: seconds at every start, and 160 MB.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode


class FlopCounter(TorchFunctionMode):
    """Context in which `total` grows with every product; two for each multiplication and addition."""

    total = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation and count it."""
        result = func(*args, **(kwargs or {}))
        if func in _COUNTS and isinstance(result, Tensor):
            self.total += 2 * _COUNTS[func](result, *args[:2], *[v for k, v in (kwargs or {}).items() if k == "weight"])
        return result


def _convolution(result: Tensor, x: Tensor, weight: Tensor) -> int:
    return result.numel() * weight[0].numel()


def _transposed(result: Tensor, x: Tensor, weight: Tensor) -> int:
    return x.numel() * weight[0].numel()


def _product(result: Tensor, x: Tensor, y: Tensor) -> int:
    return result.numel() * x.shape[-1]


def _addmm(result: Tensor, bias: Tensor, x: Tensor) -> int:
    return result.numel() * x.shape[-1]


def _attention(result: Tensor, query: Tensor, key: Tensor) -> int:
    scores = query.numel() // query.shape[-1] * key.shape[-2]
    return scores * (query.shape[-1] + result.shape[-1])


_COUNTS: dict[Any, Callable[..., int]] = {
    **dict.fromkeys((F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d), _convolution),
    **dict.fromkeys((F.conv_transpose2d, torch.conv_transpose2d), _transposed),
    **dict.fromkeys(
        (F.linear, torch.matmul, torch.mm, torch.bmm, Tensor.matmul, Tensor.__matmul__, Tensor.mm, Tensor.bmm), _product
    ),
    **dict.fromkeys((torch.addmm, torch.baddbmm), _addmm),
    F.scaled_dot_product_attention: _attention,
}
