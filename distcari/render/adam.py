"""Adam over one tensor (Kingma and Ba 2015), by torch's own function.

torch.optim.Adam does the same with the same bits, but its class imports torch's compiler at the first step: seconds at
the start of every worker.
"""

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """The state of an optimisation of `parameter`, a leaf that takes gradients."""

    def __init__(self, parameter: Tensor) -> None:
        self.parameter = parameter
        self._moments = [torch.zeros_like(parameter)], [torch.zeros_like(parameter)]
        self._steps = [torch.tensor(0.0)]

    def minimise(self, loss: Tensor, rate: float) -> None:
        """One step down the gradient of a scalar, at a learning rate."""
        (gradient,) = torch.autograd.grad(loss, self.parameter)
        with torch.no_grad():
            adam([self.parameter], [gradient], *self._moments, [], self._steps, foreach=False, capturable=False,
                 differentiable=False, fused=False, amsgrad=False, beta1=0.9, beta2=0.999, lr=rate, weight_decay=0.0,
                 eps=1e-8, maximize=False)
