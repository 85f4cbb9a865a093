"""Whether a network and its layers can be rendered at all: found out by one pass, before any work starts."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distcari.errors import InputError
from distcari.render import LayerInfo


@dataclass(frozen=True)
class UnfitLayer(LayerInfo):
    """A layer that cannot be rendered; `reason` is what it does instead, as the end of a sentence."""

    reason: str = ""
    remedy: str = "Name another layer."


def fit(infos: Sequence[LayerInfo]) -> list[LayerInfo]:
    """Those that can be rendered."""
    return [info for info in infos if not isinstance(info, UnfitLayer)]


def with_class_token(infos: Sequence[LayerInfo]) -> list[LayerInfo]:
    """The layers for `render.tokens: class`: as UnfitLayer also those without a class token."""
    return [info if info.class_token or isinstance(info, UnfitLayer) else _without(info) for info in infos]


def _without(info: LayerInfo) -> UnfitLayer:
    shape = " × ".join(map(str, info.shape))
    lacks = "has no class token" if len(info.shape) == 2 else f"has no tokens (it gives {shape}), so no class token"
    remedy = "Set render.tokens to patch or all, or name layers behind the class token of a transformer."
    return UnfitLayer(**vars(info), reason=f"{lacks}, which `render.tokens: class` asks for", remedy=remedy)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread, enough for a few passes of one picture: on a machine that others use too, several spend
    most of their time waiting for each other (planning the demo took 16 to 30 s instead of 3 at load 13)."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def check_network(model: nn.Module, name: str, where: str) -> None:
    """Raise InputError for a network whose kind cannot be rendered: no parameters, no values, mixing its batch."""
    parameters = list(model.parameters())
    if not parameters:
        raise InputError(where, f"model {name} has no parameters", "Let its weights be torch.nn.Parameter.")
    for parameter in parameters:
        if parameter.is_meta:
            raise InputError(
                where,
                f"model {name} has weights without values (on the meta device)",
                "Let the factory give them values, or give a `checkpoint`.",
            )
    for path, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_var is None:
            raise InputError(
                where,
                f"model {name} has a batch norm without running statistics ({path}): a picture would depend on "
                "others in its batch",
                "Use track_running_stats=True, or InstanceNorm2d or GroupNorm.",
            )


def probed(model: nn.Module, infos: Sequence[LayerInfo], size: int, channels: int = 3) -> list[LayerInfo]:
    """The layers, as UnfitLayer those whose output a picture cannot be optimised for. One pass of one noisy picture."""
    reasons: dict[str, str | None] = {}
    follow: dict[Any, bool] = {}
    modules = dict(model.named_modules())

    def record(path: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            reasons[path] = _flaw(output, noise, follow)

        return hook

    frozen = [parameter for parameter in model.parameters() if parameter.requires_grad]
    hooks = [modules[info.path].register_forward_hook(record(info.path)) for info in infos]
    noise = torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(0)) - 0.5
    try:
        for parameter in frozen:
            parameter.requires_grad_(False)
        with torch.enable_grad():
            model(noise.requires_grad_(True))
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
        for handle in hooks:
            handle.remove()
    return [_marked(info, reasons.get(info.path)) for info in infos]


def _flaw(output: object, picture: Tensor, follow: dict[Any, bool]) -> str | None:
    """Why the picture cannot be optimised for this output, None if it can."""
    if not isinstance(output, Tensor):
        return "gives no tensor"
    if not output.is_floating_point():
        return f"gives {str(output.dtype).removeprefix('torch.')}, which has no gradient"
    if not output.numel():
        return f"gives nothing: its shape is {tuple(output.shape[1:])}"
    if not _follows(output.grad_fn, picture, follow):
        return "does not follow the picture: it is constant, or computed without a gradient"
    if not torch.isfinite(output.detach()).all():
        return "gives values that are not finite"
    return None


def _follows(node: Any, picture: Tensor, known: dict[Any, bool]) -> bool:
    """Whether a node of the backward graph leads to the picture; `known` are those that were asked for before."""
    waiting, seen = [node], set()
    while waiting:
        here = waiting.pop()
        if here is None or here in seen or known.get(here) is False:
            continue
        if known.get(here) or getattr(here, "variable", None) is picture:
            known[node] = True
            return True
        seen.add(here)
        waiting += [before for before, _ in here.next_functions]
    known.update(dict.fromkeys(seen, False))
    return False


def _marked(info: LayerInfo, reason: str | None) -> LayerInfo:
    if reason is None:
        return info
    return UnfitLayer(**vars(info), reason=reason)
