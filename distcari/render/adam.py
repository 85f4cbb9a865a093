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
        self._mean, self._square = torch.zeros_like(parameter), torch.zeros_like(parameter)

    def minimise(self, loss: Tensor, rate: float) -> None:
        """One step down the gradient of a scalar, at a learning rate."""
        (gradient,) = torch.autograd.grad(loss, self.parameter)
        self.step(gradient, rate)

    @torch.no_grad()
    def step(self, gradient: Tensor, rate: float, gate: Tensor | None = None) -> None:
        """One step down the gradient, at a learning rate; each coefficient's step times its gate, if there is one."""
        self._steps += 1
        b1, b2 = self._beta1, self._beta2
        unbiased1, unbiased2 = 1 - b1**self._steps, 1 - b2**self._steps
        self._mean.lerp_(gradient, 1 - b1)
        self._square.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        ahead = torch.lerp(gradient, self._mean, b1)
        spread = self._square.sqrt().mul_(unbiased2**-0.5).add_(1e-8)
        if self._damping:
            spread.add_(self._whole(unbiased2), alpha=self._damping)
        if gate is not None:
            ahead.mul_(gate)
        self.parameter.addcdiv_(ahead, spread, value=-rate / unbiased1)

    def asleep(self) -> Tensor:
        """Which cells no gradient has ever reached: (N,) bool, on the parameter's device."""
        asleep: Tensor = self._square.flatten(1).amax(1) == 0
        return asleep

    def _whole(self, unbiased2: float) -> Tensor:
        """Each cell's rms gradient over all its coefficients, (N, 1, …)."""
        if self._square.device.type != "cpu":  # one launch for all cells
            mean = self._square.flatten(1).mean(1)
        else:  # cell by cell: bits that no company changes
            mean = torch.stack([cell.mean() for cell in self._square])
        rms: Tensor = mean.sqrt() * unbiased2**-0.5
        return rms.view(-1, *[1] * (self.parameter.ndim - 1))
