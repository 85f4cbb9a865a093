"""Linear filters along a picture's sides as products with matrices that are zero far from their diagonal.

A product runs at the processor's peak, so a few of the blocks that are not zero cost less than any filtering.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
_BLOCKS = 4  # more have less of the zeros, and products too small for the peak


class Block(NamedTuple):
    """Some rows of a matrix, where they are not zero."""

    rows: slice
    columns: slice
    values: Plane  # (…, rows, columns)


class Banded(NamedTuple):
    """One matrix of `rows` rows, or several of the same shape."""

    rows: int
    blocks: list[Block]


def banded(matrix: Plane) -> Banded:
    """Blocks of a matrix (to, from), or of several (n, to, from) that are zero at nearly the same places."""
    to, of = matrix.shape[-2:]
    blocks = []
    for part in np.array_split(np.arange(to), min(_BLOCKS, to)):
        rows = slice(part[0], part[-1] + 1)
        used = np.flatnonzero(matrix[..., rows, :].reshape(-1, of).any(axis=0))
        columns = slice(used[0], used[-1] + 1) if used.size else slice(0, 0)
        blocks.append(Block(rows, columns, np.ascontiguousarray(matrix[..., rows, columns])))
    return Banded(to, blocks)


def along_first(matrices: Banded, values: Plane) -> Plane:
    """(…, to, from) times values (from, …): (…, to, …)."""
    flat = values.reshape(len(values), -1)
    filtered = np.empty((*matrices.blocks[0].values.shape[:-2], matrices.rows, flat.shape[1]), np.float32)
    for block in matrices.blocks:
        np.matmul(block.values, flat[block.columns], out=filtered[..., block.rows, :])
    return filtered.reshape(*filtered.shape[:-1], *values.shape[1:])


def along_last(values: Plane, matrix: Banded) -> Plane:
    """Values (…, from) times the transposed matrix (to, from): (…, to)."""
    flat = values.reshape(-1, values.shape[-1])
    filtered = np.empty((len(flat), matrix.rows), np.float32)
    for block in matrix.blocks:
        np.matmul(flat[:, block.columns], block.values.T, out=filtered[:, block.rows])
    return filtered.reshape(*values.shape[:-1], matrix.rows)
