"""A copy of a caller's model to render with: evaluated, frozen, in float32, on one device; the caller's own stays as it
was. Weights are shared where device and type already fit, so a copy costs little memory.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from distcari.errors import InputError


def bare(model: nn.Module) -> nn.Module:
    """The model inside what torch.compile, DataParallel and DistributedDataParallel make of one."""
    while True:
        inner = getattr(model, "_orig_mod", None)  # torch.compile's; its class would import the compiler
        if inner is None and isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if inner is None:
            return model
        model = inner


def replica(model: nn.Module, device: str | torch.device | None = None) -> nn.Module:
    """A frozen float32 copy in evaluation mode, on `device` (None: where its weights are), channels last.

    While the copy is used the caller must not train on: it may share the weights. Models in bfloat16, half or double
    precision are widened or narrowed to float32. Raises InputError, with the reason, for what cannot be copied or is no
    plain module (TorchScript, lazy modules that have not run yet, weights on the meta device).
    """
    model = bare(model)
    name = f"model {type(model).__name__}"
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError(name, "TorchScript hides its layers", "Give the nn.Module that it was made of.")
    tensors = [*model.parameters(), *model.buffers()]
    if any(nn.parameter.is_lazy(t) for t in tensors):
        raise InputError(name, "lazy modules have no weights yet", "Run it once on a batch before.")
    if any(t.is_meta for t in tensors):
        raise InputError(name, "its weights are on the meta device, without values", "Load the weights first.")
    odd = any(p.is_floating_point() and p.dtype != torch.float32 for p in model.parameters())
    with torch.inference_mode(False), torch.no_grad():
        memo: dict[int, Any] = {id(t): _plain(t, device, odd) for t in tensors}
        for p in model.parameters():
            memo[id(p)] = nn.Parameter(memo[id(p)], requires_grad=False)
        for module in model.modules():  # activations that a model remembers, which deepcopy refuses
            for value in vars(module).values():
                if isinstance(value, Tensor) and not value.is_leaf:
                    memo[id(value)] = value.detach()
        try:
            copied = copy.deepcopy(model, memo)
        except Exception as error:
            line = " ".join(str(error).split())[:200]
            raise InputError(
                name,
                f"cannot be copied: {type(error).__name__}: {line}",
                "Let copy.deepcopy work on it: keep open files, locks and the like elsewhere.",
            ) from None
        _unwrap_inside(copied)
        return copied.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def _plain(tensor: Tensor, device: str | torch.device | None, odd: bool) -> Tensor:
    plain = tensor.detach().to(device) if device is not None else tensor.detach()
    if odd and plain.is_floating_point():
        plain = plain.float()
    return plain.clone() if plain.is_inference() else plain  # made under inference_mode: autograd refuses to save it


def _unwrap_inside(model: nn.Module) -> None:
    for module in list(model.modules()):
        module._compiled_call_impl = None  # of model.compile(): hooks would break its graph at every layer
        for name, child in module.named_children():
            if bare(child) is not child:
                setattr(module, name, bare(child))
