"""Cells whose labels change while their pictures stay: copied to their new places, verified, their rows exchanged.

A layer that is given an alias is the same layer. What it has drawn keeps its key, and nothing is computed anew.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from distcari.grid import Label
from distcari.store.arrays import Arrays
from distcari.store.layout import Damaged
from distcari.store.store import Store

_TOGETHER = 1024  # rows that are out of the index while they are exchanged: a crash costs no more


def relabel(
    store: Store, arrays: Arrays, labels: Mapping[str, Sequence[Label]], more: Mapping[str, Mapping[str, Any]]
) -> int:
    """Give finished cells, by key, other labels; how many have them now. `more`: further values of their rows.

    For the lease's holder, once the arrays have the places. A cell whose pixels are damaged leaves the index, with a
    warning: it is to be computed again. A crash between two steps costs at most 1024 rows, whose cells are queued.
    """
    table = store.index.table()
    there = table.filter(pc.is_in(table["key"], pa.array(list(labels), pa.string())))
    rows = {row["key"]: row for row in there.to_pylist()}
    moved = 0
    for start in range(0, len(rows), _TOGETHER):
        keys = list(rows)[start : start + _TOGETHER]
        made = [_copied(arrays, rows[key], labels[key]) for key in keys]
        store.forget(keys)
        kept = [{**row, **more.get(row["key"], {})} for row in made if row is not None]
        if len(kept) < len(keys):
            warnings.warn(f"{len(keys) - len(kept)} cells are damaged in the store; they are queued", stacklevel=2)
        store.commit(kept)
        moved += len(kept)
    return moved


def _copied(arrays: Arrays, row: dict[str, Any], labels: Sequence[Label]) -> dict[str, Any] | None:
    """The row of a cell that is at its new place as well; None where its pixels are not what was written."""
    old, new = arrays.place([row[axis] for axis in arrays.axes]), arrays.place(labels)
    try:
        found = arrays.picture(old), arrays.read("gain_curve", old), arrays.read("match", old)
    except Damaged:
        return None
    if arrays.write(new, *found) != row["pixels_sha256"]:
        return None
    return row | dict(zip(arrays.axes, labels, strict=True))
