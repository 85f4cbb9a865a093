"""Samples of every layer's output, small enough to keep, to see whether two forms of a model compute the same."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from distcari.render.passes import watch

Prints = dict[str, list[tuple[tuple[int, ...], Tensor]]]  # by path: shape and sample of each tensor of its last output

_MOST = 4096  # values kept of a tensor
_SLACK = 1e-6  # below it (root mean square) two outputs are alike: a dead activation's rounding


def prints(model: nn.Module, x: Tensor) -> Prints:
    """Of all submodules' last outputs, in one pass over `x` (1, C, y, x)."""
    found: Prints = {}

    def look(path: str, _module: nn.Module, _inputs: object, output: Any) -> None:
        found[path] = sample(output)

    watch(model, x, look)
    return found


def sample(output: Any) -> list[tuple[tuple[int, ...], Tensor]]:
    """Shape and up to some 4096 values, evenly spaced, of each floating-point tensor in an output, however nested."""
    if isinstance(output, Tensor):
        if not output.is_floating_point():
            return []
        flat = output.detach().reshape(-1)
        return [(tuple(output.shape), flat[:: max(1, len(flat) // _MOST)].float().clone())]
    if isinstance(output, Mapping):
        output = list(output.values())
    return [found for part in output for found in sample(part)] if isinstance(output, list | tuple) else []


def agree(before: Prints, after: Prints, tolerance: float, but: Collection[str] = ()) -> bool:
    """Whether every layer but some is within `tolerance` of its norm; layers that are gone do not count."""
    for path, expected in before.items():
        if path in but or path not in after:
            continue
        got = after[path]
        if [shape for shape, _ in expected] != [shape for shape, _ in got]:
            return False
        for (_, a), (_, b) in zip(expected, got, strict=True):
            if not (b - a).norm() <= tolerance * a.norm() + _SLACK * len(a) ** 0.5:
                return False
    return True
