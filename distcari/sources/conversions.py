"""Weights under an architecture's own keys, where libraries renamed their layers after the files were published."""

import re
import sys

from torch import nn

from distcari.config.experiment import ModelSource
from distcari.errors import InputError
from distcari.sources.checkpoints import State, align, check_fits

# torchvision's published DenseNets still have `norm.1` for what is now `norm1` (torchvision.models.densenet).
_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def convert(state: State, model: nn.Module, source: ModelSource) -> State:
    """The weights as the architecture names them; as they are where they fit, or where nothing is known about them."""
    expected = model.state_dict()
    state = align(state, expected)
    if set(state) == set(expected):
        return state
    if source.torchvision is not None:
        return {_DENSE_LAYER.sub(r"\1\2", name): value for name, value in state.items()}
    if source.timm is not None:
        return _by_timm(state, model)
    return state


def _by_timm(state: State, model: nn.Module) -> State:
    """What timm's own filter for this family makes of the weights, if that fits; it also resizes what must be."""
    family = sys.modules[type(model).__module__]
    convert_keys = getattr(family, "checkpoint_filter_fn", None)
    if convert_keys is None:
        return state
    try:
        converted: State = dict(convert_keys(dict(state), model))
        check_fits(converted, model.state_dict(), "", "")
    except (InputError, RuntimeError, KeyError, ValueError, NotImplementedError):
        return state
    return converted
