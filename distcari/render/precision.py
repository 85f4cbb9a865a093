"""What a layer is computed in: whether the device multiplies in it, whether the layer's values survive it, and whether
it is not slower than what it replaces.

| `precision` | on a CPU | on NVIDIA's GPUs | on others |
| --- | --- | --- | --- |
| `float32` | float32 | float32: TF32 is turned off | float32 |
| `tf32` | refused | 10 bits of mantissa in products and convolutions, from Ampere on, else refused | refused |
| `bfloat16` | by itself with AVX512-BF16 or AMX, else imitated | by itself from Ampere on | as torch does |
| `float16` | as torch does, slowly | by itself | as torch does |
| `auto` | bfloat16 where the CPU multiplies in it | bfloat16 from Ampere on | bfloat16 on XPU and ROCm that have it |

else float32. Whatever the network computes in, what comes out of it, objective, spectrum and optimiser are float32, and
weights are folded in float32.

`decide` answers for a whole experiment: call it once, in the driver, and send the answer along. A worker that asked
again under load, or with less free memory, could answer otherwise than the next, and the same key must give the same
picture.
"""

import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from distcari.errors import InputError
from distcari.render.devices import multiplies_bfloat16, multiplies_tf32
from distcari.render.passes import noise, out_of_memory

Forward = Callable[[Tensor], Tensor]

HALF_TOLERANCE = 0.1  # of a layer's norm, on noise; measured: 0.005 … 0.03
DEAREST = 4.0  # times float32's processor seconds; measured: 0.5 … 1.1, and 100 and more where oneDNN has no kernel


class Computes(Protocol):
    """A network, as far as it matters here: render/network.py's."""

    input_size: int

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def forward(self, layer: str, precision: str, normalize: bool = True) -> Forward:
        """What gives a layer's activations of pictures (n, 3, y, x)."""


def decide(network: Computes, layer: str, wanted: str) -> str:
    """What a layer is computed in if `wanted` is asked for: that, or `float32`; of `auto`, `bfloat16` or `float32`.

    It has to reproduce the layer on noise within 10 % of its norm, float16 also the direction of the gradient there; a
    model that cannot run in it is computed in float32. Under `auto` on a CPU it also may not take 4 times as long
    (processor seconds of a pass there and back, so that a loaded machine answers as an idle one). Raises InputError for
    tf32 on a device without, what the model raises in float32, and torch.OutOfMemoryError: that memory ran out says
    nothing of the model.
    """
    if wanted == "tf32" and not multiplies_tf32(network.device):
        raise InputError(
            "precision",
            f"is tf32, which {network.device} does not have",
            "Take auto, float32 or bfloat16; NVIDIA's GPUs have tf32 from Ampere on.",
        )
    if wanted == "float32" or (wanted == "auto" and not multiplies_bfloat16(network.device)):
        return "float32"
    chosen = "bfloat16" if wanted == "auto" else wanted
    x = noise(network.input_size, device=network.device)
    exact, rounded = (network.forward(layer, precision, normalize=False) for precision in ("float32", chosen))
    with torch.inference_mode(False):
        with torch.no_grad():
            expected = exact(x)
            try:
                got = rounded(x)
            except Exception as error:  # a model that mixes types by itself, or asserts its own
                if out_of_memory(error):
                    raise
                return "float32"
        if not (got - expected).norm() <= HALF_TOLERANCE * expected.norm():
            return "float32"
        if chosen == "float16" and not _same_way(exact, rounded, x, expected):
            return "float32"
        if wanted == "auto" and network.device.type == "cpu" and _dear(exact, rounded, x):
            return "float32"
    return chosen


def _same_way(exact: Forward, rounded: Forward, x: Tensor, direction: Tensor) -> bool:
    """Whether the gradient of a step in that direction of the layer survives: finite, and within 10 % of the norm."""
    expected, got = (_gradient(forward, x, direction) for forward in (exact, rounded))
    return bool((got - expected).norm() <= HALF_TOLERANCE * expected.norm())


def _gradient(forward: Forward, x: Tensor, direction: Tensor | None = None) -> Tensor:
    """Of the output's sum, or of its product with a direction."""
    x = x.clone().requires_grad_(True)
    with torch.enable_grad():
        out = forward(x)
        aim = (out if direction is None else out * direction).sum()
    return torch.autograd.grad(aim, x)[0] if aim.requires_grad else torch.zeros_like(x)


def _dear(exact: Forward, rounded: Forward, x: Tensor) -> bool:
    """Whether bfloat16 takes too long; looked at a second time before it is believed."""
    return all(_seconds(rounded, x) > DEAREST * _seconds(exact, x) for _ in range(2))


def _seconds(forward: Forward, x: Tensor) -> float:
    """Processor seconds of this thread's process for a pass there and back."""
    start = time.process_time()
    _gradient(forward, x)
    return time.process_time() - start
