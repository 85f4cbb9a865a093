"""Compare two models, or two groups of trainings: which figures differ, by how much, how surely, and what shows it."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.between import between_within
from distcari.analysis.calibration import in_best_form, say_forms
from distcari.analysis.caveats import limits, unmoved, unresponsive
from distcari.analysis.chosen import known_figures, named_figures
from distcari.analysis.correction import Method, with_correction
from distcari.analysis.examples import show_best
from distcari.analysis.groups import Given, Group, Unit, pair, unit_of
from distcari.analysis.intervals import Block, difference_interval, spread
from distcari.analysis.permutation import Shuffle, blockwise, mean_difference
from distcari.analysis.result import MEANINGS, Comparison
from distcari.analysis.separation import lonely, say_lonely, separate
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.store import Store

if TYPE_CHECKING:
    from distcari.render import Network


def compare(
    store: Store | str | Study,
    a: Given,
    b: Given,
    *,
    experiment: str | None = None,
    layers: Sequence[str] | None = None,
    figures: Sequence[str] | None = None,
    over: Sequence[str] = ("image",),
    alpha: float = 0.05,
    correction: Method = "bh",
    shuffle: Shuffle = "block",
    metrics: Sequence[str] = ("colour", "spectrum"),
    through: "str | Network | None" = None,
    progress: Callable[[float], None] = lambda done: None,
    warn: bool = True,
) -> Comparison:
    """A against B: two models (the seed is the unit), or two lists of trainings (the training is the unit).

    `figures`: columns of the index; default all of colour, texture and strength: gain and cosine calibrated where
    every cell of a place (a layer) has them so, else robust. `over`: axes that the main frame averages over, e.g.
    `("image", "layer")` for fewer comparisons. p are two-sided permutation p, corrected within each frame; intervals
    are 95 % bootstrap intervals; see `columns` in each frame's attrs. With one seed (or too few trainings) p and
    intervals are NaN and `notes` say so. `progress` is told the share done, 0 to 1, as the frames grow; with `warn`,
    that nothing can be significant is a Python warning too. Raises InputError for unknown names, and where the two
    have no image and layer in common.
    """
    study = open_study(store, experiment)
    one, two = pair(study, a, b)
    unit = unit_of(one, two)
    names = named_figures(figures)
    rows = study.at_layers(study.of([*one.models, *two.models]), layers)
    shared = _shared(study, rows, one, two)
    known, notes = known_figures(shared, names)
    how: Shuffle = shuffle if unit == "seed" else "block"
    by = [axis for axis in study.blocks if axis not in over]
    sizes = [max(1, len(shared[axes].drop_duplicates()) if axes else 1) for axes in (by, study.blocks)]

    def told(before: int) -> Callable[[int], None]:
        return lambda places: progress((before + places) / sum(sizes))

    chosen = {at: known if figures else in_best_form(part, known) for at, part in _parts(study, shared, by)}
    slim = shared[[*study.axes, *sorted({name for names in chosen.values() for name in names})]]
    pooled = _frame(study, slim, by, chosen, by, (one, two), unit, how, told(0))
    single = _frame(study, slim, study.blocks, chosen, by, (one, two), unit, how, told(sizes[0]))
    for frame in (pooled, single):
        with_correction(frame, correction, alpha)
        frame.attrs = {"unit": unit, "correction": correction, "alpha": alpha, "columns": MEANINGS}
    seen = unmoved(shared, (one, two)) + unresponsive(shared, (one, two)) + say_forms(chosen)
    notes = limits(pooled, unit, alpha, how, correction) + seen + notes
    distances = _distances(study, one, two, metrics, layers, alpha, correction, how, through, unit)
    separated, alone = _separated(study, (one, two), unit, shared, figures, over, alpha, correction)
    pictures = show_best(study, pooled, shared, one, two)
    for note in notes:
        if warn and "can be significant" in note:
            warnings.warn(note, stacklevel=2)
    return Comparison(one, two, unit, alpha, pooled, single, distances, separated, pictures, notes + alone)


def _shared(study: Study, rows: pd.DataFrame, a: Group, b: Group) -> pd.DataFrame:
    """The rows of blocks in which every model has a cell."""
    shared = study.in_common(rows, len(a.models) + len(b.models))
    if shared.empty:
        raise InputError(
            f"{a.name} and {b.name}",
            "have no finished image and layer in common",
            "Submit their config again, or compare others.",
        )
    return shared


def _frame(
    study: Study,
    rows: pd.DataFrame,
    by: Sequence[str],
    figures: Mapping[tuple[Any, ...], list[str]],
    figures_by: Sequence[str],
    groups: tuple[Group, Group],
    unit: Unit,
    shuffle: Shuffle,
    tick: Callable[[int], None],
) -> pd.DataFrame:
    """A row for each label on `by` and figure; `tick` is told how many places are done.

    `figures` has those of each place, by its labels on the axes `figures_by`, some of `by`.
    """
    made = []
    for done, (at, part) in enumerate(_parts(study, rows, by)):
        tick(done)
        names = figures[tuple(part[axis].iloc[0] for axis in figures_by)]
        blocks = list(_blocks(study, part, names, groups, unit))
        found = _tested(blocks, shuffle)
        averaged = len(part.drop_duplicates(study.blocks))
        for i, name in enumerate(names):
            values = {column: column_values[i] for column, column_values in found.items()}
            made.append(
                {
                    **dict(zip(by, at, strict=True)),
                    "figure": name,
                    **values,
                    "blocks": averaged,
                    "units_a": max(len(block[0]) for block in blocks),
                    "units_b": max(len(block[1]) for block in blocks),
                }
            )
    return pd.DataFrame(made)


def _parts(study: Study, rows: pd.DataFrame, by: Sequence[str]) -> Iterable[tuple[tuple[Any, ...], pd.DataFrame]]:
    return study.by_block(rows, by) if by else [((), rows)]


def _blocks(
    study: Study, rows: pd.DataFrame, names: list[str], groups: tuple[Group, Group], unit: Unit
) -> Iterator[Block]:
    """The values of A's and B's units in each block; trainings are one block: their means over seeds and blocks."""
    if unit == "seed":
        for _, part in study.by_block(rows):
            by_seed = part.sort_values("seed", kind="stable")
            values, models = by_seed[names].to_numpy(float), by_seed["model"].to_numpy()
            yield values[models == groups[0].models[0]], values[models == groups[1].models[0]]
        return
    means = rows.groupby([*study.blocks, "model"], observed=True)[names].mean().groupby("model", observed=True).mean()
    a, b = (means.loc[list(one.models)].to_numpy(float) for one in groups)
    yield a, b


def _tested(blocks: Sequence[Block], shuffle: Shuffle) -> dict[str, NDArray[Any]]:
    a, b = (np.mean([block[side].mean(axis=0) for block in blocks], axis=0) for side in (0, 1))
    same = [len(x) == len(y) for x, y in blocks]
    how: Shuffle = shuffle if all(same) else "block"
    tested = blockwise([mean_difference(x, y, how) for x, y in blocks], same, two_sided=True)
    low, high = difference_interval(blocks)
    deviation = spread(blocks)
    lone = all(len(x) == len(y) == 1 for x, y in blocks)
    with np.errstate(divide="ignore", invalid="ignore"):
        effects = [np.where(deviation > 0, values / deviation, np.nan) for values in (a - b, low, high)]
    return {
        "a_mean": a,
        "b_mean": b,
        "difference": a - b,
        "low": low,
        "high": high,
        "effect": effects[0],
        "effect_low": effects[1],
        "effect_high": effects[2],
        "p": np.full(len(a), np.nan) if lone else tested.p,
        "smallest_p": np.full(len(a), 1.0 if lone else tested.smallest),
    }


def _separated(
    study: Study,
    groups: tuple[Group, Group],
    unit: Unit,
    rows: pd.DataFrame,
    figures: Sequence[str] | None,
    over: Sequence[str],
    alpha: float,
    correction: Method,
) -> tuple[pd.DataFrame, list[str]]:
    """Where trainings are told apart by their figures; empty for two networks, and, with a note, for a group of one."""
    if unit == "seed" or lonely(groups):
        return pd.DataFrame(), say_lonely(groups) if unit == "training" else []
    return separate(study, groups, rows, figures, over, alpha, correction), []


def _distances(
    study: Study,
    a: Group,
    b: Group,
    metrics: Sequence[str],
    layers: Sequence[str] | None,
    alpha: float,
    correction: Method,
    shuffle: Shuffle,
    through: "str | Network | None",
    unit: Unit,
) -> pd.DataFrame:
    """Between- and within-distances of the two, for each metric; empty where nothing within them can be compared."""
    rows = study.of([*a.models, *b.models])
    enough = rows["seed"].nunique() > 1 if unit == "seed" else min(len(a.models), len(b.models)) > 1
    if not enough:
        return pd.DataFrame()
    made = [
        between_within(
            study,
            metric,
            groups={a.name: list(a.models), b.name: list(b.models)},
            layers=layers,
            alpha=alpha,
            correction="none",
            shuffle=shuffle,
            through=through,
        ).assign(metric=metric)
        for metric in metrics
    ]
    if not made:
        return pd.DataFrame()
    frame = pd.concat(made, ignore_index=True).drop(columns=["a", "b"])
    frame = with_correction(frame.drop(columns=["p_corrected", "significant"]), correction, alpha)
    return frame[["metric", *[column for column in frame.columns if column != "metric"]]]
