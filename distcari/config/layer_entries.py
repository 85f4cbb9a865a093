"""Entries of `layers` that are no path of a module: a depth, or one name for other layers in other models.

Networks of different architecture share no path; such an entry makes one column of their layers.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag

from distcari.grid import check_label

_DEPTH, _BLOCKS = re.compile(r"depth:([0-9.]+)"), re.compile(r"depth:blocks:([0-9]+)")
MOST_BLOCKS = 1000


def depth_of(entry: str) -> float | None:
    """The depth (0 … 1) that an entry such as `depth:0.25` asks for; None of another entry."""
    found = _DEPTH.fullmatch(entry)
    return float(found[1]) if found else None


def blocks_of(entry: str) -> int | None:
    """How many blocks an entry such as `depth:blocks:4` asks for; None of another entry."""
    found = _BLOCKS.fullmatch(entry)
    return int(found[1]) if found else None


def is_depth(entry: str) -> bool:
    """Whether an entry asks for layers by depth."""
    return entry.startswith("depth:")


def is_pattern(text: str) -> bool:
    """Whether a config's layer may stand for several, or for none of a model's."""
    return text == "blocks" or any(mark in text for mark in "*?[")


def labels_of(entry: "str | Mapping[str, object]") -> list[str]:
    """The labels of an entry that is no pattern: its aliases; `depth_0_25` of `depth:0.25`; N of `depth:blocks:N`."""
    if not isinstance(entry, str):
        return list(entry)
    if (blocks := blocks_of(entry)) is not None:
        return [f"block_{i}_of_{blocks}" for i in range(1, blocks + 1)]
    depth = depth_of(entry)
    return [(entry if depth is None else f"depth_{depth:g}").replace(".", "_")]


def path_for(paths: dict[str, str], model: str) -> str | None:
    """The layer of a model under an alias: by its name, else by the last pattern that matches; None without."""
    matching = [path for pattern, path in paths.items() if fnmatchcase(model, pattern)]
    return paths.get(model, matching[-1] if matching else None)


def _sound(entry: str) -> str:
    if not is_depth(entry):
        return entry
    try:
        depth, blocks = depth_of(entry), blocks_of(entry)
    except ValueError:  # two points, or thousands of digits
        depth = blocks = None
    if not (depth is not None and 0 <= depth <= 1) and not (blocks is not None and 1 <= blocks <= MOST_BLOCKS):
        raise ValueError(f"{entry[:40]!r} must be depth:SHARE, from 0 to 1, or depth:blocks:NUMBER, from 1")
    return entry


def _one_layer(path: str) -> str:
    if is_pattern(path) or blocks_of(path) is not None:
        raise ValueError(f"{path!r} may stand for several layers; an alias is one layer of each model")
    return path


def _alias(name: str) -> str:
    if is_pattern(name) or is_depth(name):
        raise ValueError(f"an alias cannot be called {name!r}, which has a meaning of its own in `layers`")
    return name.replace(".", "_")


def _for_all(paths: Any) -> Any:
    return {"*": paths} if isinstance(paths, str) else paths


def _some(entry: dict[str, Any]) -> dict[str, Any]:
    if not entry or not all(entry.values()):
        raise ValueError("names no layer; give {alias: {model: layer}}")
    return entry


Name = Annotated[str, AfterValidator(check_label), AfterValidator(_sound)]
_Paths = Annotated[dict[str, Annotated[Name, AfterValidator(_one_layer)]], BeforeValidator(_for_all)]
Aliases = Annotated[
    dict[Annotated[str, AfterValidator(check_label), AfterValidator(_alias)], _Paths], AfterValidator(_some)
]
LayerEntry = Annotated[
    Annotated[Name, Tag("layer")] | Annotated[Aliases, Tag("alias")],
    Discriminator(lambda entry: "alias" if isinstance(entry, dict) else "layer"),
]
