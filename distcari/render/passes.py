"""Forward passes that are looked into: up to one layer's output, or past all of them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Look = Callable[[str, nn.Module, tuple[Any, ...], Any], None]  # path, module, its inputs, its output


class _Stopped(Exception):
    """Raised in a hook to end the forward pass at the last layer that is wanted."""


def run_to(model: nn.Module, target: nn.Module, calls: int, x: Tensor) -> Tensor:
    """The output of a submodule at its n-th call; nothing behind it is computed."""
    return run_through(model, [(target, calls)], x)[0]


def run_through(model: nn.Module, targets: Sequence[tuple[nn.Module, int]], x: Tensor) -> list[Tensor]:
    """The outputs of several submodules, each at its n-th call, of one pass; nothing behind the last is computed."""
    found: dict[int, Tensor] = {}

    def keep(at: int, calls: int) -> Callable[..., None]:
        count = 0

        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            nonlocal count
            count += 1
            if count != calls:
                return
            if len(found) == len(targets) - 1:
                found[at] = output
                raise _Stopped
            found[at] = output.clone()  # an activation behind may change it in place

        return hook

    hooks = [module.register_forward_hook(keep(at, calls)) for at, (module, calls) in enumerate(targets)]
    try:
        model(x)
    except _Stopped:
        return [found[at] for at in range(len(targets))]
    finally:
        for hook in hooks:
            hook.remove()
    raise RuntimeError("the layer was not reached; does the model's path depend on its input?")


def watch(model: nn.Module, x: Tensor, look: Look) -> Any:
    """Run the whole model; `look` sees every submodule's call as it ends, before anything can change its output."""

    def seeing(path: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            look(path, module, inputs, output)

        return hook

    hooks = [module.register_forward_hook(seeing(path)) for path, module in model.named_modules() if path]
    try:
        return model(x)
    finally:
        for hook in hooks:
            hook.remove()


def noise(size: int, channels: int = 3, device: str | torch.device = "cpu") -> Tensor:
    """The fixed picture (1, channels, size, size) of standard normal noise that networks are tried on."""
    made = torch.randn(1, channels, size, size, generator=torch.Generator().manual_seed(0))
    return made.to(device).contiguous(memory_format=torch.channels_last)


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on a GPU or on the CPU: no fact about the model, and never to be taken for one."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
