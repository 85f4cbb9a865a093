"""Batch norms taken into the convolutions before them, and paddings; every layer is checked against the plain model's.

Done on the CPU in float32: a GPU's convolutions may run in TF32, whose rounding alone is above the tolerance.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from distcari.render.padding import fold_paddings
from distcari.render.passes import out_of_memory, watch
from distcari.render.prints import Prints, agree, prints, sample

FOLD_TOLERANCE = 1e-3  # of each layer's norm; measured: 5e-6 … 1e-4 at the last


@dataclass(frozen=True)
class Folded:
    """A model's fast form, and what that costs.

    `changed` has the path of every layer whose own output is another now, with the path of the module that must be as
    it was where that layer is asked for.
    """

    model: nn.Module
    changed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """A convolution, the batch norm that takes its very output, and the other layers that hand that output on."""

    conv: str
    norm: str
    aliases: frozenset[str]

    @property
    def changed(self) -> tuple[str, ...]:
        """Layers that give the norm's output once the two are one."""
        return self.conv, *self.aliases


def fold(model: nn.Module, x: Tensor) -> Folded:
    """Norms and paddings folded, as far as every layer stays what it was on the noise `x` (1, C, y, x).

    `model` is frozen, evaluated, on the CPU in float32, and stays as it is. Pairs whose folding would change another
    layer are found by halving and left alone.
    """
    with torch.no_grad():
        pairs, before = _pairs(model, x)
        good = _good(model, pairs, x, before)
        folded = _fused(model, good)
        if len(good) < len(pairs) and good and not _agrees(folded, good, x, before):
            folded, good = model, []  # each half held, the whole does not
        changed = {path: pair.conv for pair in good for path in pair.changed}
        padded, paddings = fold_paddings(folded, x, before, changed)
    return Folded(padded, changed | {path: path for path in paddings})


def _good(model: nn.Module, pairs: Sequence[Pair], x: Tensor, before: Prints) -> list[Pair]:
    """The pairs that can be folded; one bad one among n costs about 2 log2 n passes."""
    if not pairs or _agrees(_fused(model, pairs), pairs, x, before):
        return list(pairs)
    if len(pairs) == 1:
        return []
    half = len(pairs) // 2
    return _good(model, pairs[:half], x, before) + _good(model, pairs[half:], x, before)


def _agrees(folded: nn.Module, pairs: Sequence[Pair], x: Tensor, before: Prints) -> bool:
    try:
        after = prints(folded, x)
    except Exception as error:  # it looks into its norms or its weights
        if out_of_memory(error):
            raise
        return False
    return agree(before, after, FOLD_TOLERANCE, {path for pair in pairs for path in pair.changed})


def _fused(model: nn.Module, pairs: Sequence[Pair]) -> nn.Module:
    """A copy with these pairs made one; other weights are shared."""
    if not pairs:
        return model
    shared: dict[int, Any] = {id(t): t for t in [*model.parameters(), *model.buffers()]}
    folded = copy.deepcopy(model, shared)
    fuse: Any = fuse_conv_bn_weights
    for pair in pairs:
        conv, norm = folded.get_submodule(pair.conv), folded.get_submodule(pair.norm)
        conv.weight, conv.bias = fuse(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        parent, _, name = pair.norm.rpartition(".")
        setattr(folded.get_submodule(parent), name, _rest(norm))
    return folded.requires_grad_(False).to(memory_format=torch.channels_last)


def _rest(norm: nn.Module) -> nn.Module:
    """What a norm still does once it is folded: nothing, or timm's dropout and activation, under their old names."""
    rest = nn.Sequential()
    for name, child in norm.named_children():
        rest.add_module(name, child)
    return rest if len(rest) else nn.Identity()


def _foldable(norm: nn.Module) -> bool:
    """A batch norm with statistics of its own: torch's, or timm's, which drops and activates too."""
    names = [name for name, _ in norm.named_children()]
    kind = type(norm) is nn.BatchNorm2d or (type(norm).__name__ == "BatchNormAct2d" and names == ["drop", "act"])
    return (
        kind
        and isinstance(norm, nn.BatchNorm2d)
        and norm.running_mean is not None
        and norm.running_var is not None
        and not norm.training
    )


def _pairs(model: nn.Module, x: Tensor) -> tuple[list[Pair], Prints]:
    """Pairs that could be folded, each part called once, and prints of all layers; one pass."""
    made: dict[int, tuple[str, Tensor, int]] = {}  # by the output's id; the version tells whether it was written over
    calls: dict[str, int] = {}
    takes: list[tuple[str, str]] = []
    handed: dict[str, str] = {}  # a layer's last output is this convolution's
    found: Prints = {}

    def conv_of(value: object) -> str | None:
        if not isinstance(value, Tensor) or id(value) not in made:
            return None
        path, _, version = made[id(value)]
        return path if version == value._version else None

    def look(path: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        calls[path] = calls.get(path, 0) + 1
        found[path] = sample(output)
        handed.pop(path, None)
        if isinstance(module, nn.Conv2d) and isinstance(output, Tensor) and "weight" in module._parameters:
            made[id(output)] = path, output, output._version
        elif _foldable(module) and inputs and (conv := conv_of(inputs[0])) is not None:
            takes.append((conv, path))
        elif (conv := conv_of(output)) is not None:
            handed[path] = conv

    watch(model, x, look)
    norms = dict(takes)
    return [
        Pair(conv, norm, frozenset(path for path, behind in handed.items() if behind == conv))
        for conv, norm in norms.items()
        if calls[conv] == calls[norm] == 1 and sum(c == conv for c, _ in takes) == 1
    ], found
