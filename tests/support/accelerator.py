"""An accelerator without one: torch's meta device runs every operation's shapes and takes the branches of a GPU, while
a watch over all operations finds whatever would wait for a GPU, or copy to or from it, in the middle of the loop.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = ("aten._local_scalar_dense", "aten.item", "aten.nonzero", "aten.equal", "aten.is_nonzero", "aten.masked_select")


class Enough(Exception):
    """Ends a run once its loop has been watched."""


class Watch(TorchDispatchMode):
    """Lists, while `looking`, the operations that wait for the device, copy across, or compute beside it.

    Values do not exist on the meta device: whoever asks for one gets True, 1 or a quarter. Single numbers on the CPU
    wait for nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.looking, self.found, self.operations = False, [], 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name, given = str(operation), {t.device.type for t in _tensors((args, kwargs)) if t.ndim or not _on_cpu(t)}
        self.operations += self.looking
        if self.looking and name.startswith(WAITS) and given - {"cpu"}:
            self.found.append(f"{name} waits")
        if operation is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return {torch.bool: True, torch.int64: 1}.get(args[0].dtype, 0.25)
        result = operation(*args, **(kwargs or {}))
        made = {t.device.type for t in _tensors(result)}
        if self.looking and given and len(given | made) > 1:
            self.found.append(f"{name}: tensors on {', '.join(sorted(given | made))}")
        return result


def _tensors(values: object) -> list[Tensor]:
    return [t for t in tree_leaves(values) if isinstance(t, Tensor)]


def _on_cpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def watched(work: Callable[[Callable[[int], None]], object], steps: int, but: Callable[[int], bool]) -> Watch:
    """Run `work(on_step)` for so many steps, looking from the first to the last; `but`: steps that are not looked at.

    The loop's beginning up to the end of the first step is not looked at: tensors are sent there.
    """
    watch = Watch()

    def on_step(step: int) -> None:
        watch.looking = not but(step)
        if step == steps:
            watch.looking = False
            raise Enough

    with watch:
        try:
            work(on_step)
        except Enough:
            return watch
    raise AssertionError("the loop did not come to its last step")


def planted() -> Iterator[Callable[[Tensor], object]]:
    """Ways of waiting for a device that a watch must find."""
    yield lambda x: x.sum().item()
    yield lambda x: float(x.mean())
    yield lambda x: x.cpu()
    yield lambda x: x + torch.ones(3).to(x.device)
    yield lambda x: x * torch.ones(3)
