"""Permutation tests with labels permuted within blocks only, and the smallest p that they can give at all.

A block is one image at one layer; in it each of two groups A and B has some units (seeds, or trainings). If A and B
make the same pictures but for chance, then any deal of a block's units to A and B was as likely as the one seen: so the
test deals them anew, in every block by itself, and counts how often the statistic is as extreme (Good 2005, restricted
permutation). All deals are tried if there are at most MOST of them, else DRAWS random ones, and then the one seen
counts as one of them (Phipson & Smyth 2010): p is never 0.

`shuffle="block"` deals all of a block's units. `shuffle="seed"` only exchanges A and B at equal seed, which stays exact
however alike two models' pictures of one seed are; where they are alike, "block" errs to the safe side (both measured
in tests/analysis/test_statistics.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from math import comb, prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Shuffle = Literal["block", "seed"]
Floats = NDArray[np.float64]
MOST, DRAWS = 50_000, 19_999
_SLACK = 1e-9  # of two deals equal but for rounding neither is the more extreme


@dataclass(frozen=True)
class Tested:
    """A statistic (F,), its p (F,), and the least p that so many units could have given."""

    statistic: Floats
    p: Floats
    smallest: float


@lru_cache(maxsize=8)  # the same for every block of as many units, and for 20 against 20 they take longest of all
def deals(n_a: int, n_b: int, shuffle: Shuffle = "block") -> NDArray[np.bool_]:
    """All deals of n_a + n_b units to A (True) and B, (deals, units), the one seen first; at most MOST, then random.

    It is kept and cannot be written to.
    """
    made = _deals(n_a, n_b, shuffle)
    made.flags.writeable = False
    return made


def _deals(n_a: int, n_b: int, shuffle: Shuffle) -> NDArray[np.bool_]:
    n = n_a + n_b
    seen = np.arange(n) < n_a
    if count_deals(n_a, n_b, shuffle) <= MOST:
        if shuffle == "seed":
            swaps = np.array(list(product([False, True], repeat=n_a)))
            return np.concatenate([~swaps, swaps], axis=1)
        at = np.array(list(combinations(range(n), n_a)))
        made = np.zeros((len(at), n), bool)
        made[np.arange(len(at))[:, None], at] = True
        return made
    rng = np.random.default_rng(0)
    if shuffle == "seed":
        swaps = rng.random((DRAWS, n_a)) < 0.5
        made = np.concatenate([~swaps, swaps], axis=1)
    else:
        made = rng.random((DRAWS, n)).argsort(axis=1) < n_a
    return np.concatenate([seen[None], made])


def count_deals(n_a: int, n_b: int, shuffle: Shuffle = "block") -> int:
    """How many deals there are. Raises ValueError where seeds cannot be exchanged for lack of partners."""
    if shuffle == "seed" and n_a != n_b:
        raise ValueError(f"to exchange units pairwise both groups must have as many; these have {n_a} and {n_b}")
    return int(2**n_a if shuffle == "seed" else comb(n_a + n_b, n_a))


def blockwise(blocks: Sequence[Floats], mirrored: Sequence[bool], *, two_sided: bool, seed: int = 0) -> Tested:
    """Test the mean over blocks of a statistic.

    Each block gives its statistic for each of its deals, (deals, F), the one seen first. `mirrored`: whether a block's
    groups are of one size, so that every deal has a mirror image, which is as extreme as itself.
    """
    seen = np.mean([block[0] for block in blocks], axis=0)
    total = prod(len(block) for block in blocks)
    if total <= MOST:
        made = blocks[0]
        for block in blocks[1:]:
            made = (made[:, None] + block[None]).reshape(-1, block.shape[1])
        made = made / len(blocks)
    else:
        rng = np.random.default_rng(seed)
        made = np.zeros((DRAWS, len(seen)))
        for block in blocks:
            made += block[rng.integers(len(block), size=DRAWS)] / len(blocks)
        made = np.concatenate([seen[None], made])
    size, limit = (np.abs(made), np.abs(seen)) if two_sided else (made, seen)
    slack = _SLACK * np.maximum(np.abs(made).max(axis=0), 1e-300)
    return Tested(seen, (size >= limit - slack).mean(axis=0), smallest(total, mirrored, two_sided))


def smallest(deals_in_all: int, mirrored: Sequence[bool], two_sided: bool) -> float:
    """The least p that so many deals can give; see `blockwise`."""
    if deals_in_all > MOST:
        return 1 / (DRAWS + 1)
    # Two-sided: the opposite of the extreme deal needs every block mirrored. One-sided: each block's mirror is equal.
    as_extreme = (2 if all(mirrored) else 1) if two_sided else 2 ** sum(mirrored)
    return min(1.0, as_extreme / deals_in_all)


def units_needed(alpha: float, blocks: int, *, two_sided: bool, shuffle: Shuffle = "block") -> int:
    """How many units (seeds, trainings) each group needs in each of so many blocks for p ≤ alpha to be possible."""
    return next(
        n
        for n in range(2, 100)
        if smallest(min(count_deals(n, n, shuffle) ** blocks, MOST + 1), [True] * blocks, two_sided) <= alpha
    )


def mean_difference(a: Floats, b: Floats, shuffle: Shuffle = "block") -> Floats:
    """One block's statistic for `blockwise`: mean of A's values (units, F) less B's, for each deal, (deals, F)."""
    values = np.concatenate([a, b])
    of_a = _weights(len(a), len(b), shuffle) @ values
    return np.asarray(of_a / len(a) - (values.sum(axis=0) - of_a) / len(b))


@lru_cache(maxsize=2)
def _weights(n_a: int, n_b: int, shuffle: Shuffle) -> Floats:
    return deals(n_a, n_b, shuffle).astype(float)


def excess_distance(distance: Floats, n_a: int, comparable: NDArray[np.bool_], shuffle: Shuffle = "block") -> Floats:
    """One block's statistic for `blockwise`: mean distance between A and B less that within them, (deals, 1).

    `distance` (units, units) is symmetric, A's units first; only `comparable` pairs count (those of different seeds).
    Within is the mean of A's and B's own means. Deals that leave a group without a comparable pair are left out.
    """
    to_a = deals(n_a, len(distance) - n_a, shuffle)
    ok = comparable & ~np.eye(len(distance), dtype=bool)
    counted = np.where(ok, distance, 0)

    def mean(first: Floats, second: Floats) -> Floats:
        number = np.einsum("di,ij,dj->d", first, ok.astype(float), second, optimize=True)
        total = np.einsum("di,ij,dj->d", first, counted, second, optimize=True)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)

    a, b = to_a.astype(float), (~to_a).astype(float)
    excess = mean(a, b) - (mean(a, a) + mean(b, b)) / 2
    return np.asarray(excess[~np.isnan(excess)][:, None])
