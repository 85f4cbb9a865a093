"""Convolutions of a frozen network on a CPU, whose only gradient is that of their input.

torch's own backward pass repacks the weights at every call, keeps the inputs, and takes 17 ms where 0.2 would do for a
strided depthwise convolution in bfloat16. Here each gradient is itself a forward convolution, with weights turned round
and packed once: the same sums in another order. Measured in docs/performance.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from distcari.render.clipping import clipped, clips

_Pair = tuple[int, int]
_Map = Callable[[Tensor], Tensor]
_FEW = 16  # channels that fill one vector


class FrozenConvolutions(TorchFunctionMode):
    """Context in which a model's two-dimensional convolutions run as `Frozen`; weights are packed at first sight.

    Keep one for each model: it remembers the packed weights, which must not change. `weights` (None: all) are those
    that last; what a model computes anew at each pass, such as standardised weights, is left to torch, or it would be
    kept for ever.
    """

    def __init__(self, weights: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self._lasting = None if weights is None else {w.untyped_storage().data_ptr() for w in weights}
        self._known: dict[Any, tuple[Tensor, Frozen | None]] = {}  # the weight too: its address is its name

    def also(self, model: nn.Module) -> None:
        """Count a model's weights and buffers among those that last."""
        if self._lasting is not None:
            tensors = (*model.parameters(), *model.buffers())
            self._lasting |= {t.untyped_storage().data_ptr() for t in tensors}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run the operation, convolutions and ReLU6 our way."""
        if func is F.hardtanh and clips(*args, **(kwargs or {})):
            return clipped(args[0])
        if func is not F.conv2d:
            return func(*args, **(kwargs or {}))
        x, weight, bias, stride, padding, dilation, groups = _arguments(*args, **(kwargs or {}))
        if _hangs(x, weight, groups):
            wide = None if bias is None else bias.float()
            return F.conv2d(x.float(), weight.float(), wide, stride, padding, dilation, groups).to(x.dtype)
        if self._lasting is not None and weight.untyped_storage().data_ptr() not in self._lasting:
            return func(*args, **(kwargs or {}))
        known_bias = None if bias is None else bias.data_ptr()
        name = (weight.data_ptr(), weight.shape, weight.stride(), known_bias, x.shape, x.dtype, stride, padding, groups)
        if name not in self._known:
            plain = isinstance(padding, str) or dilation != (1, 1) or weight.requires_grad or x.ndim != 4
            frozen = None if plain or not packs(x.dtype) else Frozen(x, weight, bias, stride, padding, groups)
            self._known[name] = weight, frozen
        frozen = self._known[name][1]
        return func(*args, **(kwargs or {})) if frozen is None else _Apply.apply(x, frozen)


def packing_works() -> bool:
    """Whether this torch has oneDNN and the operators that pack weights for it."""
    names = ("_reorder_convolution_weight", "_convolution_pointwise")
    return torch._C._has_mkldnn and all(hasattr(torch.ops.mkldnn, name) for name in names)


def packs(dtype: torch.dtype) -> bool:
    """Whether this processor takes packed weights of that type: for bfloat16 it needs AVX512 or AVX-NE-CONVERT."""
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


def _hangs(x: Tensor, weight: Tensor, groups: int) -> bool:
    """Whether oneDNN would take minutes in bfloat16 for milliseconds in float32.

    Depthwise, at most 16 channels, a side of 15 or more; measured with torch 2.15 (14, or 24 channels: as usual).
    """
    wide = max(weight.shape[2:]) >= 15 if weight.ndim == 4 else False
    return x.dtype == torch.bfloat16 and wide and 1 < groups == weight.shape[0] <= _FEW


def _arguments(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Tensor, Tensor, Tensor | None, _Pair, Any, _Pair, int]:
    return (
        input,
        weight,
        bias,
        _pair(stride),
        padding if isinstance(padding, str) else _pair(padding),
        _pair(dilation),
        groups,
    )


def _pair(value: Any) -> _Pair:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[-1]))


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, frozen: "Frozen") -> Tensor:
        ctx.frozen = frozen
        return frozen.output(x.contiguous(memory_format=torch.channels_last))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.frozen.gradient(gradient.contiguous(memory_format=torch.channels_last)), None


class Frozen:
    """One convolution with constant weights (K, C / groups, a, b), for inputs of the shape of `x` (N, C, h, w).

    `output` maps an input to the output, `gradient` the output's gradient to the input's; both channels last.
    """

    def __init__(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, stride: _Pair, padding: _Pair, groups: int
    ) -> None:
        self.output = _packed(x.shape, weight, bias, stride, padding, groups)
        self._convolution = x.shape, weight, stride, padding, groups

    @cached_property
    def gradient(self) -> _Map:
        """Made when first asked for: pictures are measured without."""
        shape, weight, stride, padding, groups = self._convolution
        kernel = (weight.shape[2], weight.shape[3])
        inner = (kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1])
        depthwise = groups == weight.shape[0] == shape[1] > 1
        if stride == (1, 1) and min(inner) >= 0:
            return _packed(_after(shape, weight, padding), _turned(weight, groups), None, (1, 1), inner, groups)
        if kernel == (1, 1) and padding == (0, 0):
            return _sparse(shape, weight, stride, groups)
        if depthwise and min(inner) >= 0:
            return _spread(shape, weight, stride, padding, inner, groups)
        if shape[1] * stride[0] * stride[1] <= _FEW and stride[0] == stride[1] and groups == 1:
            return _phases(shape, weight, stride[0], padding)
        return _torchs(shape, weight, stride, padding, groups)


def _after(shape: Sequence[int], weight: Tensor, padding: _Pair, stride: _Pair = (1, 1)) -> list[int]:
    """Shape of the output for an input of that shape."""
    sides = [(n + 2 * p - k) // s + 1 for n, p, k, s in zip(shape[2:], padding, weight.shape[2:], stride, strict=True)]
    return [shape[0], weight.shape[0], *sides]


def _turned(weight: Tensor, groups: int) -> Tensor:
    """The weights of the convolution that gives the gradient: inputs for outputs in each group, turned by 180°."""
    k, c, a, b = weight.shape
    swapped = weight.reshape(groups, k // groups, c, a, b).transpose(1, 2).reshape(groups * c, k // groups, a, b)
    return swapped.flip(2, 3).contiguous(memory_format=torch.channels_last)


def _packed(
    shape: Sequence[int], weight: Tensor, bias: Tensor | None, stride: _Pair, padding: _Pair, groups: int
) -> _Map:
    """A convolution with its weights in oneDNN's own layout for this shape, by the operators of torch's compiler."""
    ops = torch.ops.mkldnn
    packed = ops._reorder_convolution_weight(weight, padding, stride, (1, 1), groups, list(shape))
    return lambda x: ops._convolution_pointwise(x, packed, bias, padding, stride, (1, 1), groups, "none", [], "")


def _sparse(shape: Sequence[int], weight: Tensor, stride: _Pair, groups: int) -> _Map:
    """Of a strided 1 × 1 convolution: its gradient, with zeros at the places that the stride passed over."""
    back = _packed(_after(shape, weight, (0, 0), stride), _turned(weight, groups), None, (1, 1), (0, 0), groups)
    return lambda g: _apart(back(g), shape[2:], stride)


def _spread(shape: Sequence[int], weight: Tensor, stride: _Pair, padding: _Pair, inner: _Pair, groups: int) -> _Map:
    """Of a strided depthwise convolution: the gradient set apart with zeros, then as without a stride."""
    full = _after(shape, weight, padding)
    back = _packed(full, _turned(weight, groups), None, (1, 1), inner, groups)
    return lambda g: back(_apart(g, full[2:], stride))


def _apart(g: Tensor, sides: Sequence[int], stride: _Pair) -> Tensor:
    """(N, C, h, w) at every stride-th place of zeros (N, C, *sides), channels last."""
    apart = g.new_zeros(len(g), *sides, g.shape[1]).permute(0, 3, 1, 2)
    apart[:, :, :: stride[0], :: stride[1]] = g
    return apart


def _phases(shape: Sequence[int], weight: Tensor, stride: int, padding: _Pair) -> _Map:
    """Of a strided convolution of few inputs (a stem): one of stride 1 with s² outputs for each input, shuffled.

    Shi et al. 2016, sub-pixel convolution: each of the s² phases of the input sees its own taps of the kernel.
    """
    k, c, a, b = weight.shape
    taps = max(-(-a // stride), -(-b // stride))
    whole = F.pad(weight, [0, taps * stride - b, 0, taps * stride - a])
    phases = whole.reshape(k, c, taps, stride, taps, stride).permute(1, 3, 5, 0, 2, 4)
    turned = phases.reshape(c * stride**2, k, taps, taps).flip(2, 3).contiguous(memory_format=torch.channels_last)
    back = _packed(_after(shape, weight, padding, (stride, stride)), turned, None, (1, 1), (taps - 1, taps - 1), 1)
    (height, width), (top, left) = shape[2:], padding

    def gradient(g: Tensor) -> Tensor:
        found = F.pixel_shuffle(back(g), stride)[:, :, top : top + height, left : left + width]
        return F.pad(found, [0, width - found.shape[3], 0, height - found.shape[2]])

    return gradient


def _torchs(shape: Sequence[int], weight: Tensor, stride: _Pair, padding: _Pair, groups: int) -> _Map:
    """torch's own gradient, which reads only the input's shape."""

    def gradient(g: Tensor) -> Tensor:
        found: Tensor = torch.ops.aten.convolution_backward(
            g,
            g.new_empty(1).expand(*shape),
            weight,
            None,
            stride,
            padding,
            (1, 1),
            False,
            (0, 0),
            groups,
            (True, False, False),
        )[0]
        return found

    return gradient
