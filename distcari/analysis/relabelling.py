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
SLACK = 1e-9  # of two likenesses or scores equal but for rounding neither is the greater
Floats = NDArray[np.float64]


class Relabelling:
    """Blocks of pictures (an image at a layer from a seed), by the row of the frame that they count for."""

    def __init__(self, member: Mapping[str, str]) -> None:
        self._member = dict(member)
        self._blocks: dict[Any, dict[tuple[str, ...], list[Floats]]] = {}

    def add(self, row: Any, models: Sequence[str], seen: Floats) -> None:
        """What the judge saw in one block: a vector for each training, (trainings, values)."""
        gram = seen @ seen.T
        self._blocks.setdefault(row, {}).setdefault(tuple(models), []).append(gram)

    def p(self, row: Any) -> float:
        """The share of deals with at least the row's score; 1 / (deals + 1) at the least."""
        names, draw = sorted(self._member), np.random.default_rng(0)
        given = np.array([self._member[name] for name in names])
        stacks = [
            (np.array([names.index(model) for model in models]), np.stack(grams))
            for models, grams in self._blocks[row].items()
        ]
        scores = [_score(stacks, given)] + [_score(stacks, draw.permutation(given)) for _ in range(DEALS)]
        return float(np.mean(np.array(scores) >= scores[0] - SLACK))


def _score(stacks: Sequence[tuple[NDArray[np.int64], Floats]], group: NDArray[np.str_]) -> float:
    """Mean share of right choices over trainings and blocks, in 0 … 1, for trainings whose groups these are."""
    right, blocks = 0.0, 0
    for at, grams in stacks:
        right += float(np.nansum(_right(grams, group[at])))
        blocks += len(grams)
    return right / blocks


def _right(grams: Floats, group: NDArray[np.str_]) -> Floats:
    """Of each block, from the inner products of its trainings (blocks, n, n): the mean share of right choices."""
    n = len(group)
    mates = (group[:, None] == group) & ~np.eye(n, dtype=bool)
    size = mates.sum(axis=1)
    rest = np.divide(mates, size[:, None], where=size[:, None] > 0, out=np.zeros((n, n)))
    towards = grams @ rest.T  # of training i's picture along the mean of j's mates
    length = np.sqrt(np.clip(np.einsum("ja,bac,jc->bj", rest, grams, rest, optimize=True), 1e-30, None))
    own = np.sqrt(np.clip(np.einsum("bii->bi", grams), 1e-30, None))
    likeness = towards / length[:, None, :] / own[:, :, None]
    nearer = np.einsum("bii->bi", likeness)[:, :, None] - likeness
    wins = (nearer > SLACK) + 0.5 * (np.abs(nearer) <= SLACK)
    rival = (group[:, None] != group) & (size > 0)[:, None] & (size > 0)[None, :]
    return np.asarray(((wins * rival).sum(axis=2) / np.maximum(rival.sum(axis=1), 1)).mean(axis=1))
