"""Names a model's layers, with shape, kind and depth, and finds them again by either naming or by pattern."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn

from distcari.render.flops import FlopCounter

_KINDS = (
    ("conv", ("conv",)), ("norm", ("norm",)), ("linear", ("linear",)), ("attention", ("attention", "attn")),
    ("pool", ("pool",)), ("activation", ("relu", "gelu", "silu", "swish", "sigmoid", "tanh", "hardswish", "elu")),
)


@dataclass(frozen=True)
class LayerInfo:
    """One layer of a model.

    `name` is the label in the store (dots become underscores), `path` the module path, `kind` conv, norm, activation,
    linear, attention, pool, block, stage or other, `shape` the output's without the batch, `depth` the share (0 … 1) of
    the model's floating-point operations that lies before its output, `calls` how often a forward pass calls it (its
    output is that of the last call).
    """

    name: str
    path: str
    kind: str
    shape: tuple[int, ...]
    depth: float
    calls: int = 1


def describe_layers(model: nn.Module, input_size: int = 224) -> list[LayerInfo]:
    """All layers that give one tensor of 2 to 4 dims, in order of execution; one forward pass of one image."""
    seen: dict[str, tuple[tuple[int, ...], int, int]] = {}
    counter = FlopCounter()

    def record(path: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            calls = seen.pop(path)[2] if path in seen else 0
            if isinstance(output, Tensor) and 2 <= output.ndim <= 4:
                seen[path] = (tuple(output.shape[1:]), counter.total, calls + 1)

        return hook

    training = model.training
    hooks = [m.register_forward_hook(record(path)) for path, m in model.named_modules() if path]
    tensor = next(model.parameters(), torch.zeros(()))
    try:
        model.eval()
        with torch.no_grad(), counter:
            model(torch.zeros(1, 3, input_size, input_size, device=tensor.device, dtype=tensor.dtype))
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    total = max(1, counter.total)
    modules = dict(model.named_modules())
    return [
        LayerInfo(path.replace(".", "_"), path, _kind(path, modules), shape, flops / total, calls)
        for path, (shape, flops, calls) in seen.items()
    ]


def _kind(path: str, modules: dict[str, nn.Module]) -> str:
    module, name = modules[path], type(modules[path]).__name__.lower()
    if not any(True for _ in module.children()):
        return next((kind for kind, words in _KINDS if any(word in name for word in words)), "other")
    if _is_block(path, modules):
        return "block"
    inside = [p for p in modules if p.startswith(path + ".") and "." not in p[len(path) + 1 :]]
    if isinstance(module, nn.Sequential) and any(_is_block(p, modules) for p in inside):
        return "stage"
    return next((kind for kind, words in _KINDS if any(word in name for word in words)), "other")


def _is_block(path: str, modules: dict[str, nn.Module]) -> bool:
    """A compound module that is called a block, or repeats in a list of its like."""
    module, name = modules[path], type(modules[path]).__name__.lower()
    if not any(True for _ in module.children()):
        return False
    if any(word in name for word in ("block", "bottleneck", "residual", "encoderlayer")):
        return True
    parent = modules[path.rpartition(".")[0]]
    siblings = [type(m) for m in parent.children()]
    return isinstance(parent, nn.ModuleList) and siblings.count(type(module)) == len(siblings) > 1


def find_layers(infos: Sequence[LayerInfo], pattern: str) -> list[LayerInfo]:
    """The layers of that name (dots or underscores), of `blocks`, or that match `layer4_*`; [] if there is none."""
    if pattern == "blocks":
        return [info for info in infos if info.kind == "block"]
    wanted = pattern.replace(".", "_")
    return [info for info in infos if info.name == wanted] or [i for i in infos if fnmatchcase(i.name, wanted)]


def nearest_layers(infos: Sequence[LayerInfo], name: str, n: int = 5) -> list[str]:
    """The names most like it, for an error message."""
    names = [info.name for info in infos]
    return get_close_matches(name.replace(".", "_"), names, n=n, cutoff=0.3) or names[:n]
