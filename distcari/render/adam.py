"""The optimisers, over one tensor: `Nadam`, the engine's own, and `Adam`, lucent's.

torch.optim.Adam does the same with the same bits, but its class imports torch's compiler at the first step: seconds at
the start of every worker. Nothing here waits for a GPU.
"""

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma and Ba 2015) by torch's own function; `parameter` is a leaf that takes gradients."""

    def __init__(self, parameter: Tensor) -> None:
        self.parameter = parameter
        self._moments = [torch.zeros_like(parameter)], [torch.zeros_like(parameter)]
        self._steps = [torch.tensor(0.0)]

    def minimise(self, loss: Tensor, rate: float) -> None:
        """One step down the gradient of a scalar, at a learning rate."""
        (gradient,) = torch.autograd.grad(loss, self.parameter)
        with torch.no_grad():
            adam(
                [self.parameter],
                [gradient],
                *self._moments,
                [],
                self._steps,
                foreach=False,
                capturable=False,
                differentiable=False,
                fused=False,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )


class Nadam:
    """Adam with Nesterov's momentum (Dozat 2016) and short memories, for runs of some dozens of steps; damped.

    Reaches in 64 steps what Adam's usual 0.9, 0.999 reach in 128 (benchmarks/levers.py).

    `damping` e: Adam divides each coefficient's step by its own rms gradient, so what the network hardly responds to
    (by rounding alone) would move as far as what matters. Here the divisor is sqrt(v) + e · rms(v of the whole cell):
    what hardly matters hardly moves. 0 is plain Nadam. The first dim of `parameter` are cells.
    """

    def __init__(self, parameter: Tensor, beta1: float = 0.7, beta2: float = 0.99, damping: float = 0.0) -> None:
        self.parameter, self._beta1, self._beta2, self._steps = parameter, beta1, beta2, 0
        self._damping = damping
        self.moments = torch.zeros_like(parameter), torch.zeros_like(parameter)  # of the gradient: mean, mean square

    def minimise(self, loss: Tensor, rate: float) -> None:
        """One step down the gradient of a scalar, at a learning rate."""
        (gradient,) = torch.autograd.grad(loss, self.parameter)
        self._steps += 1
        self.apply(gradient, *self.numbers(self._steps, rate))

    def numbers(self, step: int, rate: float) -> tuple[float, float]:
        """Of a step, from 1: what the parameter moves by (negative), and what corrects the root of the mean square."""
        return -rate / (1 - self._beta1**step), (1 - self._beta2**step) ** -0.5

    @torch.no_grad()
    def apply(
        self, gradient: Tensor, down: float | Tensor, correction: float | Tensor, gate: Tensor | None = None
    ) -> None:
        """One step with its `numbers`; each coefficient's step times its gate, if there is one."""
        b1, b2 = self._beta1, self._beta2
        average, square = self.moments
        average.lerp_(gradient, 1 - b1)
        square.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        ahead = torch.lerp(gradient, average, b1)
        spread = square.sqrt().mul_(correction).add_(1e-8)
        if self._damping:
            spread.add_(self._whole(correction), alpha=self._damping)
        if gate is not None:
            ahead.mul_(gate)
        if isinstance(down, Tensor):
            self.parameter.addcmul_(ahead.div_(spread), down)
        else:
            self.parameter.addcdiv_(ahead, spread, value=down)

    @torch.no_grad()
    def forget(self, kept: float | Tensor) -> None:
        """Weight decay apart from the gradient (AdamW: Loshchilov and Hutter 2019): keep this share of it."""
        self.parameter.mul_(kept)

    def asleep(self) -> Tensor:
        """Which cells no gradient has ever reached: (N,) bool, on the parameter's device."""
        asleep: Tensor = self.moments[1].flatten(1).amax(1) == 0
        return asleep

    def _whole(self, correction: float | Tensor) -> Tensor:
        """Each cell's rms gradient over all its coefficients, (N, 1, …)."""
        if self.moments[1].device.type != "cpu":  # one launch for all cells
            mean = self.moments[1].flatten(1).mean(1)
        else:  # cell by cell: bits that no company changes
            mean = torch.stack([cell.mean() for cell in self.moments[1]])
        rms: Tensor = mean.sqrt() * correction
        return rms.view(-1, *[1] * (self.parameter.ndim - 1))
