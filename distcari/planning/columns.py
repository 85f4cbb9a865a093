"""Columns of the grid that several architectures share: an alias, or a depth, looked up in each model."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np

from distcari.config.layer_entries import blocks_of, depth_of, is_depth, labels_of, path_for
from distcari.errors import InputError
from distcari.planning.probe import UnfitLayer, fit
from distcari.render import LayerInfo, find_layers
from distcari.render.layers import nearest_layers


def named_layer(infos: Sequence[LayerInfo], path: str, model: str, here: str, see: str) -> LayerInfo:
    """A model's layer by its path, or by `depth:SHARE`. Raises InputError for one that it lacks or that is unfit."""
    if is_depth(path):
        return at_depth(infos, path, model, here)[0]
    wanted = path.replace(".", "_")
    matches = [info for info in find_layers(infos, path) if info.name == wanted]
    if not matches:
        near = ", ".join(nearest_layers(infos, path))
        raise InputError(here, f"model {model} has no layer {path!r}", f"Nearest: {near}. All layers: {see}")
    if len(matches) > 1:
        paths = " and ".join(repr(info.path) for info in matches)
        remedy = "Rename one of the modules; in labels dots are underscores."
        raise InputError(here, f"model {model} has two layers for the label {wanted!r}: {paths}", remedy)
    found = matches[0]
    if isinstance(found, UnfitLayer):
        raise InputError(here, f"layer {path!r} of model {model} {found.reason}", found.remedy)
    return found


def at_depth(infos: Sequence[LayerInfo], entry: str, model: str, here: str) -> list[LayerInfo]:
    """The blocks nearest to the depths that an entry asks for, one for each of its labels, in order of execution.

    Depth is the share of the model's floating-point operations before a block's output. `depth:blocks:N` asks for the
    middles of N equal shares of it, of which no two get one block (least summed distance; scipy's assignment). Models
    without blocks have their convolutions, linear layers and stages instead. Raises InputError where they are too few.
    """
    there = _blocks(infos)
    number = blocks_of(entry)
    wanted = [depth_of(entry) or 0.0] if number is None else [(i + 0.5) / number for i in range(number)]
    unfit = [info for info in infos if isinstance(info, UnfitLayer)]
    if not there and unfit:
        told = f"none of the layers of model {model} can be rendered: layer {unfit[0].path!r} {unfit[0].reason}"
        raise InputError(here, told, unfit[0].remedy)
    if len(there) < len(wanted):
        kind = "blocks" if there and there[0].kind == "block" else "layers"
        raise InputError(
            here, f"model {model} has {len(there)} {kind}, not {len(wanted)}", f"Ask for at most {len(there)}."
        )
    from scipy.optimize import linear_sum_assignment

    apart = np.abs(np.subtract.outer(wanted, [info.depth for info in there]))
    return [there[at] for at in sorted(linear_sum_assignment(apart)[1])]


def by_depth(infos: Sequence[LayerInfo], entry: str, model: str, here: str) -> dict[str, LayerInfo]:
    """The layers of an entry such as `depth:blocks:4`, by label."""
    return dict(zip(labels_of(entry), at_depth(infos, entry, model, here), strict=True))


def by_alias(
    infos: Mapping[str, Sequence[LayerInfo]], paths: dict[str, str], here: str, see: str
) -> dict[str, LayerInfo]:
    """The layer of each model under an alias; models that none of its patterns matches have none.

    Raises InputError for a pattern that matches no model.
    """
    for pattern in paths:
        if not any(pattern == model or fnmatchcase(model, pattern) for model in infos):
            near = get_close_matches(pattern, infos, n=4, cutoff=0.3) or list(infos)[:8]
            raise InputError(here, f"{pattern!r} matches no model", f"Nearest: {', '.join(near)}.")
    chosen = {model: path for model in infos if (path := path_for(paths, model)) is not None}
    return {model: named_layer(infos[model], path, model, here, see) for model, path in chosen.items()}


def _blocks(infos: Sequence[LayerInfo]) -> list[LayerInfo]:
    there = fit(infos)
    blocks = [info for info in there if info.kind == "block"]
    return blocks or [info for info in there if info.kind in ("conv", "linear", "stage")]
