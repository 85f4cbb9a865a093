"""Which layer tells groups of trainings apart best, by the figures of the index alone?

One training of each group is left out, and each of these is put to the group whose others' mean figures are nearest, in
units of the spread within groups (diagonal linear discriminant analysis; Dudoit, Fridlyand & Speed 2002). How many are
put right by chance is seen by dealing the trainings anew. From few trainings a spread within groups may come out at
nearly 0, so the spread over all of them is mixed into it with the weight of one training.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import factorial, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.correction import Method, with_correction
from distcari.analysis.groups import Given, Group, all_groups
from distcari.analysis.permutation import count_deals, deals
from distcari.analysis.study import Study, open_study
from distcari.analysis.tagged import Values, shared_rows, values_of
from distcari.errors import InputError
from distcari.store import Store

Floats = NDArray[np.float64]
_ALONE = ("has one training only", "To be put to its group by the others, a group needs two trainings or more.")
DRAWS = 1_999  # deals, where there are more
PARTNERS = 6  # at most so many of another group are left out with a training, in turn
MEANINGS = {
    "right": "trainings that are put to their own group by the others' figures",
    "trainings": "of how many",
    "share": "right of trainings",
    "low": "lower end of the share's 95 % interval over trainings (Wilson)",
    "high": "its upper end",
    "chance": "how many are put right when the trainings are dealt anew, on average",
    "p": "share of deals that put at least as many right",
    "p_corrected": "p corrected for all rows of this frame",
    "significant": "p_corrected is at most alpha",
    "smallest_p": "the least p that so many trainings can give",
    "figures": "how many figures decide",
}


def separation(
    store: Store | str | Study,
    groups: Mapping[str, Given],
    *,
    experiment: str | None = None,
    layers: Sequence[str] | None = None,
    figures: Sequence[str] | None = None,
    over: Sequence[str] = ("image",),
    alpha: float = 0.05,
    correction: Method = "bh",
) -> pd.DataFrame:
    """How many trainings are put to their own group by the others' figures: a row for each place, a layer as a rule.

    `groups`: two or more of two or more trainings each, `{"one": ["one_0", "one_1"], …}`. `figures`, `over`, `alpha`,
    `correction` as for `compare`. Columns are explained in `attrs["columns"]`. Raises InputError for a group of one
    training, unknown names, and where the trainings share no image and layer.
    """
    study = open_study(store, experiment)
    chosen = all_groups(study, groups)
    if lone := lonely(chosen):
        raise InputError(f"group {lone[0]}", *_ALONE)
    rows, _ = shared_rows(study, [model for one in chosen for model in one.models], layers)
    return separate(study, chosen, rows, figures, over, alpha, correction)


def lonely(groups: Sequence[Group]) -> list[str]:
    """The groups of one training: left out, nothing of them is left to be put to."""
    return [one.name for one in groups if len(one.models) < 2]


def say_lonely(groups: Sequence[Group]) -> list[str]:
    """A note on groups of one training."""
    return [f"Which layer tells the groups apart best is not said: {name} {_ALONE[0]}." for name in lonely(groups)]


def separate(
    study: Study,
    groups: Sequence[Group],
    rows: pd.DataFrame,
    figures: Sequence[str] | None,
    over: Sequence[str],
    alpha: float,
    correction: Method,
) -> pd.DataFrame:
    """As `separation`, over `rows`, in which all these trainings have their cells."""
    places, _ = values_of(study, [model for one in groups for model in one.models], rows, figures, over)
    sizes = [len(one.models) for one in groups]
    dealt = _deals(sizes)
    frame = with_correction(pd.DataFrame([_row(place, dealt, _smallest(sizes)) for place in places]), correction, alpha)
    frame.attrs = {"groups": [one.name for one in groups], "columns": MEANINGS}
    return frame


def put_right(values: Floats, groups: NDArray[np.int_]) -> NDArray[np.int_]:
    """How many trainings are put to their own group, for each deal.

    `values`: (trainings, F); `groups`: (deals, trainings), each training's group, 0 … K - 1, as many of each in every
    deal and two at least.
    """
    spread = values.std(axis=0, ddof=1)
    varied = spread > 1e-12 * np.abs(values).max(axis=0, initial=1e-300)
    x = (values[:, varied] - values[:, varied].mean(axis=0)) / spread[varied]
    sizes = np.bincount(groups[0])
    members = np.split(groups.argsort(axis=1, kind="stable"), np.cumsum(sizes)[:-1], axis=1)
    sums = [x[of].sum(axis=1) for of in members]
    squares = sum((x**2)[of].sum(axis=1) for of in members)
    freedom = len(x) - 2 * len(sizes)
    nearer = [np.zeros(of.shape) for of in members]
    for turn in range(max(sizes)):
        for shift in range(min(PARTNERS, min(sizes))):
            at = [(turn + group * shift) % size for group, size in enumerate(sizes)]
            out = [x[of[:, i]] for of, i in zip(members, at, strict=True)]
            means = [(s - o) / (n - 1) for s, o, n in zip(sums, out, sizes, strict=True)]
            within = squares - sum(o**2 + (n - 1) * m**2 for o, m, n in zip(out, means, sizes, strict=True))
            variance = (within + 1) / (freedom + 1)
            for group, one in enumerate(out):
                apart = np.array([((one - mean) ** 2 / variance).sum(axis=1) for mean in means])
                own = apart[group].copy()
                apart[group] = np.inf
                nearer[group][:, at[group]] += apart.min(axis=0) - own
    return np.asarray(sum((margin > 0).sum(axis=1) for margin in nearer))


def _row(place: Values, dealt: NDArray[np.int_], least: float) -> dict[str, object]:
    from scipy import stats

    right = put_right(place.values, dealt)
    seen, trainings = int(right[0]), len(place.models)
    interval = stats.binomtest(seen, trainings).proportion_ci(0.95, method="wilson")
    return {
        **place.at,
        "right": seen,
        "trainings": trainings,
        "share": seen / trainings,
        "low": float(interval.low),
        "high": float(interval.high),
        "chance": float(right.mean()),
        "p": float((right >= seen).mean()),
        "smallest_p": least,
        "figures": len(place.names),
    }


def _deals(sizes: Sequence[int]) -> NDArray[np.int_]:
    """Each training's group (deals, trainings), as seen first; of two groups all deals, if there are few."""
    if len(sizes) == 2 and count_deals(sizes[0], sizes[1]) <= DRAWS + 1:
        return np.where(deals(sizes[0], sizes[1]), 0, 1)
    seen = np.repeat(np.arange(len(sizes)), sizes)
    return np.concatenate([seen[None], np.random.default_rng(0).permuted(np.tile(seen, (DRAWS, 1)), axis=1)])


def _smallest(sizes: Sequence[int]) -> float:
    """The least p: deals that only exchange the names of groups of one size put equally many right."""
    alike = prod(factorial(count) for count in Counter(sizes).values())
    return max(1 / (DRAWS + 1), alike * prod(map(factorial, sizes)) / factorial(sum(sizes)))
