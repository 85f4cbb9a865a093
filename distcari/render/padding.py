"""Zero padding that a convolution can do by itself."""

import copy
from collections import Counter
from collections.abc import Collection
from typing import Any

from torch import Tensor, nn

from distcari.render.passes import out_of_memory
from distcari.render.prints import Prints, agree, prints

TOLERANCE = 1e-3  # of each layer's norm, against the model that came; measured: the same bits


def fold_paddings(
    model: nn.Module, noise: Tensor, before: Prints, changed: Collection[str] = ()
) -> tuple[nn.Module, frozenset[str]]:
    """A copy that shares all weights and pads inside its convolutions, and the paths of the layers that padded before.

    Networks after TensorFlow's (EfficientNet) give each convolution a submodule that pads for it: 5 to 11 % of a step.
    Only padding that is the same on opposite sides is folded, and the copy is used only if every layer's output on
    noise (1, C, y, x) is that of the prints `before`, but for layers that had `changed` already; else the model itself
    comes back.
    """
    uses = Counter(id(child) for module in model.modules() for child in module.children())
    found = {
        f"{path}.{name}" if path else name: child.padding
        for path, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and set(module.padding) == {0}
        for name, child in module.named_children()
        if isinstance(child, nn.ZeroPad2d) and _even(child) and uses[id(child)] == 1
    }
    if not found:
        return model, frozenset()
    shared: dict[int, Any] = {id(t): t for t in [*model.parameters(), *model.buffers()]}
    folded = copy.deepcopy(model, shared)
    for path, (left, _, top, _) in found.items():
        parent, _, name = path.rpartition(".")
        convolution: Any = folded.get_submodule(parent)
        convolution.padding = (top, left)
        setattr(convolution, name, nn.Identity())
    try:
        after = prints(folded, noise)
    except Exception as error:  # it looks into its padding, or does more with it than call it once
        if out_of_memory(error):
            raise
        return model, frozenset()
    same = agree(before, after, TOLERANCE, {*changed, *found})
    return (folded, frozenset(found)) if same else (model, frozenset())


def _even(padding: nn.ZeroPad2d) -> bool:
    left, right, top, bottom = padding.padding
    return left == right >= 0 and top == bottom >= 0
