"""How often a judge would score as well if the groups' names meant nothing: p of `match_groups`.

If trainings of all groups are drawn alike, any way to give their names out was as likely as the one seen. So the
names are dealt anew, one deal for all pictures of a training, and p is the share of deals that score at least as much,
the one seen among them (Phipson & Smyth 2010). A bootstrap interval takes trainings for independent, which the choices
are not, for they share their means; this needs no such thing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEALS = 999
_SLACK, _ALIKE = 1e-9, 1e-12  # of two scores, and of two likenesses, equal but for rounding neither is the greater
_TINY = np.finfo(float).tiny
Floats = NDArray[np.float64]


class Relabelling:
    """Blocks of pictures (an image at a layer from a seed), by the row of the frame that they count for."""

    def __init__(self, member: Mapping[str, str]) -> None:
        self._member = dict(member)
        self._blocks: dict[Any, dict[tuple[str, ...], list[Floats]]] = {}

    def add(self, row: Any, models: Sequence[str], grams: Floats) -> None:
        """Inner products of what the judge saw of each training, block by block: (blocks, trainings, trainings)."""
        self._blocks.setdefault(row, {}).setdefault(tuple(models), []).append(grams)

    def p(self, row: Any) -> float:
        """The share of deals with at least the row's score; 1 / (deals + 1) at the least."""
        names, draw = sorted(self._member), np.random.default_rng(0)
        given = np.array([self._member[name] for name in names])
        stacks = [
            (np.array([names.index(model) for model in models]), np.concatenate(grams))
            for models, grams in self._blocks[row].items()
        ]
        scores = [_score(stacks, given)] + [_score(stacks, draw.permutation(given)) for _ in range(DEALS)]
        return float(np.mean(np.array(scores) >= scores[0] - _SLACK))


def _score(stacks: Sequence[tuple[NDArray[np.int64], Floats]], group: NDArray[np.str_]) -> float:
    """Mean share of right choices over trainings and blocks, in 0 … 1, for trainings whose groups these are."""
    shares = []
    for at, grams in stacks:
        right = right_choices(grams, group[at])
        known = np.isfinite(right[0])  # the same in all blocks of the same trainings
        if known.any():
            shares.append(right[:, known].mean(axis=1))
    return float(np.concatenate(shares).mean()) if shares else 0.0


def right_choices(grams: Floats, group: NDArray[np.str_]) -> Floats:
    """Of blocks, from the inner products of their trainings (blocks, n, n): the share of each one's choices that are
    right, (blocks, n) in 0 … 1, between its own group's others and another group less one; NaN without any choice."""
    mates = (group[:, None] == group) & ~np.eye(len(group), dtype=bool)
    size = mates.sum(axis=1)
    rest = mates / np.maximum(size, 1)[:, None]  # of each training, the mean of its group's others
    length = np.sqrt(np.einsum("ja,bac,jc->bj", rest, grams, rest, optimize=True).clip(_TINY))
    likeness = (grams @ rest.T) / length[:, None, :] / np.sqrt(_diagonal(grams).clip(_TINY))[:, :, None]
    nearer = _diagonal(likeness)[:, :, None] - likeness  # own mates against another group that lacks one of its own
    wins = (nearer > _ALIKE) + 0.5 * (np.abs(nearer) <= _ALIKE)
    rival = (group[:, None] != group) & (size > 0)[:, None] & (size > 0)
    choices = rival.sum(axis=1)
    return np.asarray((wins * rival).sum(axis=2) / np.where(choices > 0, choices, np.nan))


def _diagonal(squares: Floats) -> Floats:
    return np.asarray(np.einsum("bii->bi", squares))
