"""Names a model's layers, with shape, kind and depth, and finds them again by either naming or by pattern."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from distcari.errors import InputError
from distcari.render.flops import FlopCounter
from distcari.render.passes import out_of_memory, watch
from distcari.render.replica import replica

# What the parameter is called: by torchvision; timm and Hugging Face; CLIP of OpenAI, open_clip and Hugging Face.
_CLASS_TOKENS = {"class_token", "cls_token", "class_embedding"}
_KINDS = (
    ("conv", ("conv",)),
    ("norm", ("norm",)),
    ("linear", ("linear",)),
    ("attention", ("attention", "attn")),
    ("pool", ("pool",)),
    ("activation", ("relu", "gelu", "silu", "swish", "sigmoid", "tanh", "hardswish", "elu")),
)


@dataclass(frozen=True)
class LayerInfo:
    """One layer of a model.

    `name` is the label in the store (dots become underscores), `path` the module path, `kind` conv, norm, activation,
    linear, attention, pool, block, stage or other, `shape` the output's without the batch, `depth` the share (0 … 1) of
    the model's floating-point operations that lies before its output, `calls` at which call of a forward pass its
    output is taken (the last that gives a tensor), `prefix_tokens` how many class and register tokens stand before the
    patches of an output (tokens, channels), `class_token` whether the first of these is a class token.
    """

    name: str
    path: str
    kind: str
    shape: tuple[int, ...]
    depth: float
    calls: int = 1
    prefix_tokens: int = 0
    class_token: bool = False


@dataclass(frozen=True)
class Description:
    """A model's layers in order of execution, why others cannot be rendered (by name), and its input channels."""

    layers: list[LayerInfo]
    unusable: dict[str, str]
    channels: int


def describe_layers(model: nn.Module, input_size: int = 224) -> list[LayerInfo]:
    """All layers that can be rendered, in order of execution; see `describe`. The model stays as it is."""
    return describe(replica(model), input_size).layers


def describe(model: nn.Module, input_size: int) -> Description:
    """The layers whose last tensor has 2 to 4 dims and follows the picture by gradient; one forward pass of one image.

    `model` is a replica: frozen and evaluated. It is run on a picture (1, 3, input_size, input_size) and, if it takes
    none, on one of a single channel. Raises InputError where it takes neither, or no layer is left.
    """
    name = f"model {type(model).__name__}"
    failed: dict[int, Exception] = {}
    for channels in (3, 1):
        try:
            found = _described(model, input_size, channels)
        except Exception as error:
            if out_of_memory(error):
                raise
            failed[channels] = error
            continue
        if not found.layers:
            reasons = "; ".join(f"{layer}: {why}" for layer, why in list(found.unusable.items())[:3])
            raise InputError(
                name,
                "none of its layers can be rendered" + (f" ({reasons})" if reasons else ""),
                "A layer is a submodule whose output is one floating-point tensor of 2 to 4 dims.",
            )
        return found
    takes = next((m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d)), 3)
    if takes not in failed:
        raise InputError(
            name,
            f"takes pictures of {takes} channels",
            "Pictures are RGB, or grey for models of one channel. Put a layer before the model that makes "
            f"its {takes} channels of an RGB picture.",
        )
    line = f"{type(failed[takes]).__name__}: {' '.join(str(failed[takes]).split())[:200]}"
    raise InputError(
        name,
        f"does not run on a picture {takes} × {input_size} × {input_size}: {line}",
        "Give the input_size that it takes, and a model whose forward takes one tensor (N, C, y, x).",
    )


def _described(model: nn.Module, input_size: int, channels: int) -> Description:
    seen: dict[str, tuple[tuple[int, ...], int, int]] = {}
    unusable: dict[str, str] = {}
    calls: dict[str, int] = {}
    counter = FlopCounter()

    def look(path: str, _module: nn.Module, _inputs: object, output: Any) -> None:
        calls[path] = calls.get(path, 0) + 1
        if not isinstance(output, Tensor):
            unusable.setdefault(path, f"gives a {type(output).__name__}, not one tensor")
            return
        seen.pop(path, None)
        unusable[path] = _unfit(output)
        if not unusable[path]:
            seen[path] = tuple(output.shape[1:]), counter.total, calls[path]

    device = next((t.device for t in [*model.parameters(), *model.buffers()]), torch.device("cpu"))
    with torch.inference_mode(False), torch.enable_grad():
        leaf = torch.zeros(1, channels, input_size, input_size, device=device, requires_grad=True)
        nothing = torch.empty(0)
        # The graph alone is wanted; what it would keep for a backward pass is dropped.
        with torch.autograd.graph.saved_tensors_hooks(lambda _: nothing, lambda _: nothing), counter:
            watch(model, leaf.clone(), look)
    total, modules = max(1, counter.total), dict(model.named_modules())
    prefix, has_class = _prefix_tokens(model), bool(_CLASS_TOKENS & _parameter_names(model))
    layers = []
    for path, (shape, flops, at) in seen.items():
        before = _before_patches(shape, prefix)
        info = LayerInfo(_label(path), path, _kind(path, modules), shape, flops / total, at, before)
        layers.append(replace(info, class_token=has_class and before > 0))
    return Description(layers, {_label(p): why for p, why in unusable.items() if p not in seen}, channels)


def _label(path: str) -> str:
    return path.replace(".", "_")


def _unfit(output: Tensor) -> str:
    """Why an output cannot be the aim of a picture; "" if it can."""
    if not output.is_floating_point():
        return f"gives {str(output.dtype).removeprefix('torch.')} values, which have no gradient"
    if output.ndim and not output.numel():
        return f"gives nothing: its shape is {tuple(output.shape[1:])}"
    if not 2 <= output.ndim <= 4 or len(output) == 0 or output.numel() == 0:
        return f"gives a tensor of shape {tuple(output.shape)}, not of 2 to 4 dims with the batch first"
    if not output.requires_grad:
        return "has no gradient that leads to the picture: it is constant, or computed without a gradient"
    return ""


def _prefix_tokens(model: nn.Module) -> int:
    """Class and register tokens before the patches, as a model itself or its parameters' names say; 0 without."""
    told = getattr(model, "num_prefix_tokens", None)
    if isinstance(told, int):
        return told
    config = getattr(model, "config", None)
    registers = getattr(config, "num_register_tokens", 0)
    one_each = len((_CLASS_TOKENS | {"distillation_token"}) & _parameter_names(model))
    return one_each + (registers if one_each and isinstance(registers, int) else 0)


def _parameter_names(model: nn.Module) -> set[str]:
    return {name.rpartition(".")[2] for name, _ in model.named_parameters()}


def _before_patches(shape: tuple[int, ...], prefix: int) -> int:
    """The prefix, if the output is (tokens, channels) with a square of patches behind so many; else 0."""
    patches = shape[0] - prefix if len(shape) == 2 else 0
    return prefix if patches > 0 and math.isqrt(patches) ** 2 == patches else 0


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
