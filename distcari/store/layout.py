"""How an experiment's arrays are laid out: names, dims, types and chunks of each; what is damaged, and where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zarr

from distcari.errors import InputError, typed_line
from distcari.grid import BASE_AXES, Label
from distcari.settings import sweepable
from distcari.store.zarr_store import FOLDER

MATCH_SIZE = 56
PER_CELL = ("match", "gain_curve", "caricature")  # in the order of writing
Place = tuple[int, ...]
# Types of the axes' coordinates, and what stands in one that is not yet written; it is no label.
_KINDS: dict[type, tuple[str, Label]] = {
    str: ("string", ""),
    int: ("int64", -(2**63)),
    float: ("float64", float("-inf")),
}

_TYPES = {
    "caricature": ("float32", "float16", "uint8"),
    "gain_curve": ("float32",),
    "match": ("float32",),
    "input": ("uint8",),
}


class Damaged(InputError):
    """A document or a chunk of the arrays that is not as it was written; `file` is its path in the store."""

    def __init__(self, root: str, file: str, problem: str) -> None:
        super().__init__(
            f"store {root}/{file}",
            problem,
            "Put it back from a copy of the store. Or give `distcari verify STORE "
            "--requeue`: it puts it aside, and the next run computes again what depended on it.",
        )
        self.root, self.file = root, file

    def __reduce__(self) -> tuple[type["Damaged"], tuple[str, str, str]]:
        return type(self), (self.root, self.file, self.problem)


def damaged(store: Any, path: str, problem: Exception | str) -> Damaged:
    """The error for a document or a chunk of a zarr store, by its path there."""
    local = isinstance(store, zarr.storage.LocalStore)
    said = problem if isinstance(problem, str) else f"is damaged: {typed_line(problem)}"
    return Damaged(str(Path(store.root).parent) if local else "", f"{FOLDER}/{path}", said)


def dims_of(name: str, axes: Sequence[str]) -> tuple[str, ...]:
    """Names of an array's dims: the grid's axes, then those of a cell; of a coordinate its own."""
    of_cell = {"caricature": ("y", "x", "channel"), "gain_curve": ("step",), "match": ("v", "u")}
    if name in of_cell:
        return (*axes, *of_cell[name])
    return ("image", "y_input", "x_input", "channel") if name == "input" else (name,)


def coordinate_kind(axis: str) -> tuple[str, Label]:
    """The type of an axis's coordinate (text, but for seeds and swept settings that are numbers), and what stands in
    it where nothing is written yet."""
    return _KINDS[int if axis == "seed" else str if axis in BASE_AXES else sweepable().get(axis, str)]


def check_array(array: Any, name: str, axes: Sequence[str]) -> None:
    """Raise ValueError where an array's document does not say what one of this name says."""
    dims = dims_of(name, axes)
    if not isinstance(array, zarr.Array) or tuple(array.metadata.dimension_names or ()) != dims:
        raise ValueError(f"it is no array with the dims {', '.join(dims)}")
    outer = sum(dim in axes for dim in dims)
    if name in axes:
        kind = coordinate_kind(name)[0]
        if (array.dtype.kind in "biufc") if kind == "string" else str(array.dtype) != kind:
            raise ValueError(f"its type is {array.dtype}")
    elif set(array.chunks[:outer]) != {1} or (name != "gain_curve" and array.chunks[outer:] != array.shape[outer:]):
        raise ValueError(f"its chunks are {array.chunks}, not one for each cell")
    elif str(array.dtype) not in _TYPES[name]:
        raise ValueError(f"its type is {array.dtype}")
