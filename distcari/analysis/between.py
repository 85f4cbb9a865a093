"""Are two models' pictures further apart than one model's own, started anew? By layer, with p and interval."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.caveats import say_smallest
from distcari.analysis.correction import Method, with_correction
from distcari.analysis.distances import BlockDistances, as_metric, block_distances
from distcari.analysis.groups import Given, Group, Unit, all_groups, unit_of
from distcari.analysis.intervals import difference_interval
from distcari.analysis.metrics import Metric
from distcari.analysis.permutation import Shuffle, blockwise, excess_distance
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.store import Store

if TYPE_CHECKING:
    from distcari.render import Network

Floats = NDArray[np.float64]
Part = tuple[Floats, NDArray[np.bool_], int]  # distances of A's and B's units, comparable pairs, how many are A's


def between_within(
    store: Store | str | Study,
    metric: str | Metric = "colour",
    *,
    experiment: str | None = None,
    groups: Mapping[str, Given] | None = None,
    layers: Sequence[str] | None = None,
    alpha: float = 0.05,
    correction: Method = "bh",
    shuffle: Shuffle = "block",
    through: "str | Network | None" = None,
) -> pd.DataFrame:
    """Between- against within-distance of every pair of models (or of groups of trainings) at every layer.

    One row for each layer (and swept setting) and pair a, b. `between` and `within`: mean distances in the metric's
    unit, of pictures of the same image and of different seeds; `within` is the mean of both models' own. `excess`:
    between less within, `low`, `high` its 95 % bootstrap interval, `ratio` between over within. `p`: one-sided
    permutation p of the excess, dealt within image; `p_corrected` for all rows of the frame; `smallest_p` what these
    numbers could give at best. With `groups` of several models, `{"one_camera": ["a_0", "a_1"], …}`, the unit is the
    training: within is between trainings of one group. `attrs["notes"]` says what cannot be concluded.
    Raises InputError where there is nothing within a model to compare with: one seed, or groups of one.
    """
    study = open_study(store, experiment)
    chosen = all_groups(study, groups)
    unit = unit_of(*chosen)
    wanted = None if layers is None else [study.label("layer", layer) for layer in layers]
    rows = study.of([model for one in chosen for model in one.models])
    _check_seeds(study, rows, unit, chosen)
    made: list[dict[str, Any]] = []
    by = [axis for axis in study.blocks if axis != "image"]
    shuffle = shuffle if unit == "seed" else "block"
    for at, part in study.by_block(rows, by):
        named = dict(zip(by, at, strict=True))
        if wanted is not None and named["layer"] not in wanted:
            continue
        measured = list(block_distances(study, part, as_metric(study, str(named["layer"]), metric, through)))
        for a, b in combinations(chosen, 2):
            if parts := list(_parts(measured, a, b, unit)):
                made.append({**named, "a": a.name, "b": b.name, **_tested(parts, shuffle)})
    if not made:
        raise InputError(
            f"experiment {study.experiment}",
            "has no image at which two of them have what it takes",
            "Compute the same images, layers and at least two seeds for both.",
        )
    frame = with_correction(pd.DataFrame(made), correction, alpha)
    best = min(made, key=lambda row: row["smallest_p"])
    told = say_smallest(unit, best["smallest_p"], alpha, best["blocks"], shuffle, two_sided=False)
    name = metric if isinstance(metric, str) else metric.name
    frame.attrs = {
        "metric": name,
        "unit": unit,
        "correction": correction,
        "alpha": alpha,
        "notes": [told] if told else [],
    }
    return frame


def _check_seeds(study: Study, rows: pd.DataFrame, unit: Unit, groups: Sequence[Group]) -> None:
    if unit == "seed" and rows["seed"].nunique() < 2:
        raise InputError(
            f"experiment {study.experiment}",
            "has one seed, so nothing says how far a model's pictures lie apart by chance alone",
            "Add seeds to the config (seeds: [0, 1, 2]) and submit it again; only the new cells are "
            "computed. distance_matrix and compare do with one seed.",
        )
    if unit == "training" and (alone := [one.name for one in groups if len(one.models) < 2]):
        raise InputError(
            f"group {alone[0]}",
            "has one training, so nothing says how far trainings lie apart by chance",
            "Give each group at least two.",
        )


def _parts(measured: Sequence[BlockDistances], a: Group, b: Group, unit: Unit) -> Iterator[Part]:
    """What can be dealt: the block's pictures by seed; or once, over all blocks, the trainings."""
    if unit == "seed":
        for block in measured:
            at_a, at_b = np.flatnonzero(block.models == a.models[0]), np.flatnonzero(block.models == b.models[0])
            if min(len(at_a), len(at_b)) >= 2:
                both = np.concatenate([at_a, at_b])
                yield block.distance[np.ix_(both, both)], block.comparable[np.ix_(both, both)], len(at_a)
        return
    models = [*a.models, *b.models]
    total, number = defaultdict[tuple[int, int], float](float), defaultdict[tuple[int, int], int](int)
    for block in measured:
        if set(models) <= set(block.models):
            for i, j in combinations(range(len(models)), 2):
                ij = np.ix_(block.models == models[i], block.models == models[j])
                ok = block.comparable[ij] if block.comparable[ij].any() else np.ones_like(block.comparable[ij])
                total[i, j] += float(block.distance[ij][ok].mean())
                number[i, j] += 1
    if number:
        distance = np.zeros((len(models), len(models)))
        for (i, j), value in total.items():
            distance[i, j] = distance[j, i] = value / number[i, j]
        yield distance, ~np.eye(len(models), dtype=bool), len(a.models)


def _tested(parts: Sequence[Part], shuffle: Shuffle) -> dict[str, Any]:
    same = [2 * n_a == len(distance) for distance, _, n_a in parts]
    how: Shuffle = shuffle if all(same) else "block"
    tested = blockwise([excess_distance(d, n_a, ok, how) for d, ok, n_a in parts], same, two_sided=False)
    within = float(np.mean([(_mean(d[:n, :n], ok[:n, :n]) + _mean(d[n:, n:], ok[n:, n:])) / 2 for d, ok, n in parts]))
    excess = float(tested.statistic[0])
    low, high = _interval(parts, excess)
    return {
        "between": excess + within,
        "within": within,
        "excess": excess,
        "low": low,
        "high": high,
        "ratio": (excess + within) / within if within > 0 else np.nan,
        "p": float(tested.p[0]),
        "smallest_p": tested.smallest,
        "blocks": len(parts),
        "units_a": max(n for _, _, n in parts),
        "units_b": max(len(d) - n for d, _, n in parts),
    }


def _interval(parts: Sequence[Part], excess: float) -> tuple[float, float]:
    """Bootstrap of the excess over units, by each unit's own share in it (its influence, to first order).

    A unit of A moves the excess by its mean distance to B less that to A's others; summed over both groups these means
    are twice the excess, and vary as the excess does.
    """
    own = []
    for distance, ok, n in parts:
        a_to_b, b_to_a = _means(distance[:n, n:], ok[:n, n:]), _means(distance[n:, :n], ok[n:, :n])
        a_to_a, b_to_b = _means(distance[:n, :n], ok[:n, :n]), _means(distance[n:, n:], ok[n:, n:])
        own.append(((a_to_b - a_to_a)[:, None], -(b_to_a - b_to_b)[:, None]))
    low, high = difference_interval(own)
    return float(low[0]) - excess, float(high[0]) - excess


def _means(distance: Floats, ok: NDArray[np.bool_]) -> Floats:
    """Mean distance of each row over its comparable pairs; a picture is not compared with itself."""
    return np.asarray(np.where(ok, distance, 0).sum(axis=1) / np.maximum(ok.sum(axis=1), 1))


def _mean(distance: Floats, ok: NDArray[np.bool_]) -> float:
    return float(distance[ok].mean()) if ok.any() else np.nan
