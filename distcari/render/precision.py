"""What a layer is computed in, float32 or bfloat16: whether the device multiplies in bfloat16, whether the layer's
values survive it, and whether it is not slower than what it replaces.

`decide` answers for a whole experiment: call it once, in the driver, and send the answer along. A worker that asked
again under load, or with less free memory, could answer otherwise than the next, and the same key must give the same
picture.
"""

import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from distcari.render.devices import multiplies_bfloat16
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

    def forward(self, layer: str, half: bool, normalize: bool = True) -> Forward:
        """What gives a layer's activations of pictures (n, 3, y, x)."""


def decide(network: Computes, layer: str, wanted: str) -> str:
    """`float32` or `bfloat16` for a layer, if `wanted` is that or `auto`.

    bfloat16 has to reproduce the layer on noise within 10 % of its norm; a model that cannot run in it is computed in
    float32. Under `auto` on a CPU it also may not take 4 times as long (processor seconds of a pass there and back, so
    that a loaded machine answers as an idle one). Raises what the model raises in float32, and torch.OutOfMemoryError:
    that memory ran out says nothing of the model.
    """
    if wanted == "float32" or (wanted == "auto" and not multiplies_bfloat16(network.device)):
        return "float32"
    x = noise(network.input_size, device=network.device)
    exact, rounded = (network.forward(layer, half=half, normalize=False) for half in (False, True))
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
        if wanted == "auto" and network.device.type == "cpu" and _dear(exact, rounded, x):
            return "float32"
    return "bfloat16"


def _dear(exact: Forward, rounded: Forward, x: Tensor) -> bool:
    """Whether bfloat16 takes too long; looked at a second time before it is believed."""
    return all(_seconds(rounded, x) > DEAREST * _seconds(exact, x) for _ in range(2))


def _seconds(forward: Forward, x: Tensor) -> float:
    """Processor seconds of this thread's process for a pass there and back."""
    x = x.clone().requires_grad_(True)
    start = time.process_time()
    with torch.enable_grad():
        out = forward(x)
    if out.requires_grad:
        torch.autograd.grad(out.sum(), x)
    return time.process_time() - start
