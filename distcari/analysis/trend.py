"""Does a figure rise or fall with a tag? Rank correlation and slope over models, tested by permuting trainings.

With other tags held: the models are permuted only among those that are alike in them, and their effects are taken out
by an additive model (ordinary least squares with a constant for each combination of the held tags).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial, prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari import markup
from distcari.analysis.correction import Method, with_correction
from distcari.analysis.study import Study, open_study
from distcari.analysis.tagged import Floats, Values, ordered_tag, tag, values_of
from distcari.errors import InputError
from distcari.store import Store
from distcari.store.schema import COLUMNS

DRAWS = 9_999
EXACT = 5_040  # permutations up to which all are tried
LEAST = 4  # models for an interval
MEANINGS = {
    "rho": "Spearman's rank correlation of figure and tag over models; with held tags, of what those leave",
    "rho_low": "lower end of its 95 % interval (Fisher's z of the ranks)",
    "rho_high": "its upper end",
    "slope": "figure's unit for one unit (or step) of the tag: Theil-Sen; with held tags, least squares",
    "low": "lower end of the slope's 95 % interval",
    "high": "its upper end",
    "p": "two-sided permutation p of rho: the trainings dealt anew over the tag's values",
    "p_corrected": "p corrected for all rows of this frame",
    "significant": "p_corrected is at most alpha",
    "smallest_p": "the least p that so many models can give",
    "range": "largest less smallest mean of a tag's value, in the figure's unit",
    "seed_sd": "noise of seeds: standard deviation of a model's value under other seeds, figure's unit",
    "models": "models that have the tag",
    "blocks": "images (and settings) averaged over",
}


@dataclass(frozen=True)
class Trend:
    """What was found: `figures`, a row for each place and figure; `notes`, what may be concluded; `points`, the values.

    `points` has a row for each place and model: the tag's value and every figure, for plots.
    """

    tag: str
    held: tuple[str, ...]
    alpha: float
    figures: pd.DataFrame
    points: pd.DataFrame
    notes: list[str]

    def __str__(self) -> str:
        """The significant trends by place, and the notes."""
        held = f", {' and '.join(self.held)} held" if self.held else ""
        lines = [f"Trends over {self.tag}{held}: {self.figures['models'].iloc[0]} models"]
        where = _places(self.figures)
        for at, part in self.figures.groupby(where, sort=False) if where else [((), self.figures)]:
            place = ", ".join(f"{a} {b}" for a, b in zip(where, at, strict=True)) or "all layers"
            sure = part[part["significant"]].sort_values("p_corrected", kind="stable")
            lines += [
                "",
                f"{place}: {len(sure) or 'none'} of {len(part)} figures {'has' if len(sure) == 1 else 'have'} a trend",
            ]
            lines += [f"  {sentence(row, self.tag)}" for row in sure.to_dict("records")]
        return "\n".join([*lines, "", *self.notes])

    def _repr_html_(self) -> str:
        where = _places(self.figures)
        ordered = self.figures.sort_values(["significant", "p_corrected"], ascending=[False, True], kind="stable")
        lines = [
            [*(str(row[axis]) for axis in where), str(row["figure"]), sentence(row, self.tag)]
            for row in ordered.head(30).to_dict("records")
        ]
        sure = int(ordered["significant"].sum())
        return markup.page(
            markup.heading(f"Trends over {self.tag}", f"{sure} of {len(ordered)} significant"),
            markup.table([*where, "figure", "trend"], lines),
            *(markup.paragraph(note, "notes") for note in self.notes),
        )


def trend(
    store: Store | str | Study,
    tag: str,
    *,
    held: Sequence[str] = (),
    experiment: str | None = None,
    layers: Sequence[str] | None = None,
    figures: Sequence[str] | None = None,
    over: Sequence[str] = ("image",),
    alpha: float = 0.05,
    correction: Method = "bh",
) -> Trend:
    """How figures change with a tag that is a number or ordered, over the models that have it.

    `held`: other tags whose effects are taken out. `over`: axes that are averaged over. Raises InputError for unknown
    tags, for text without an order, and where the models share no image and layer.
    """
    study = open_study(store, experiment)
    x, strata = ordered_tag(study, tag), _strata(study, held, tag)
    models = [model for model in x.index if model in strata.index]
    if len(models) < 3:
        raise InputError(f"tag {tag!r}", f"is known of {len(models)} models", "A trend needs three models or more.")
    places, names, notes = values_of(study, models, layers, figures, over)
    at, groups = x[models].to_numpy(float), strata[models].to_numpy()
    rows = [row for place in places for row in _rows(place, names, at, groups, bool(held))]
    frame = with_correction(pd.DataFrame(rows), correction, alpha)
    frame.attrs = {"unit": "training", "correction": correction, "alpha": alpha, "columns": MEANINGS}
    points = pd.concat(
        [pd.DataFrame({**p.at, "model": models, tag: at, **dict(zip(names, p.values.T, strict=True))}) for p in places],
        ignore_index=True,
    )
    return Trend(tag, tuple(held), alpha, frame, points, _limits(frame, tag, held, groups, alpha) + notes)


def sentence(row: Any, name: str) -> str:
    """One trend in words."""
    figure = str(row["figure"])
    unit = COLUMNS[figure].unit
    way = "rises" if row["rho"] > 0 else "falls"
    ends = f" ({row['low']:+.3g} … {row['high']:+.3g})" if np.isfinite(row["low"]) else ""
    floor = f", seeds ± {row['seed_sd']:.2g}" if np.isfinite(row["seed_sd"]) else ""
    chance = "no p" if np.isnan(row["p"]) else f"p {row['p']:.2g}, corrected {row['p_corrected']:.2g}"
    return (
        f"{figure} {way} with {name}: rank correlation {row['rho']:+.2f}, {row['slope']:+.3g}{ends}"
        f"{f' [{unit}]' if unit else ''} for each, range {row['range']:.3g}{floor}, {chance}"
    )


def _places(frame: pd.DataFrame) -> list[str]:
    return list(frame.columns[: list(frame.columns).index("figure")])


def _strata(study: Study, held: Sequence[str], name: str) -> "pd.Series[Any]":
    """For each model that has all held tags, which combination of them it has."""
    if name in held:
        raise InputError(f"tag {name!r}", "is held and asked for", "Leave it out of one of the two.")
    table = pd.DataFrame({one: tag(study, one) for one in held}, index=study.tags.index).dropna()
    if not held:
        return pd.Series(0, index=table.index)
    return table.groupby(list(held), observed=True, sort=False).ngroup()


def _rows(place: Values, names: list[str], x: Floats, strata: NDArray[Any], held: bool) -> list[dict[str, Any]]:
    from scipy import stats

    inside = _within(np.column_stack([x, place.values]), strata) if held else np.column_stack([x, place.values])
    ranks = np.asarray(stats.rankdata(inside, axis=0))
    rho, p, least = _tested(ranks[:, 0], ranks[:, 1:], strata)
    means = pd.DataFrame(place.values).groupby(x).mean()
    found = []
    for i, name in enumerate(names):
        slope, low, high = _slope(x, place.values[:, i], strata, held)
        rho_low, rho_high = _rho_interval(ranks[:, 0], ranks[:, i + 1], len(x) - len(set(strata)) + 1)
        found.append(
            {
                **place.at,
                "figure": name,
                "rho": rho[i],
                "rho_low": rho_low,
                "rho_high": rho_high,
                "slope": slope,
                "low": low,
                "high": high,
                "p": p[i],
                "smallest_p": least,
                "range": float(means[i].max() - means[i].min()),
                "seed_sd": place.seed_sd[i],
                "models": len(x),
                "blocks": place.blocks,
            }
        )
    return found


def _within(values: Floats, strata: NDArray[Any]) -> Floats:
    """Values less the means of their strata."""
    frame = pd.DataFrame(values)
    return np.asarray(frame - frame.groupby(strata).transform("mean"), float)


def _tested(x: Floats, y: Floats, strata: NDArray[Any]) -> tuple[Floats, Floats, float]:
    """Correlations of ranks (F,), their two-sided p over permutations of x within strata, and the least p possible."""
    u, v = _standardised(x[:, None])[:, 0], _standardised(y)
    sizes = np.unique(strata, return_counts=True)[1]
    total = prod(factorial(int(n)) for n in sizes)
    order = _permutations(strata, total)
    rho = u[order] @ v
    slack = 1e-9
    p = (np.abs(rho) >= np.abs(rho[0]) - slack).mean(axis=0)
    alike = u[order] @ u  # a figure that follows the tag exactly
    least = float((np.abs(alike) >= np.abs(alike[0]) - slack).mean())
    blank = ~np.isfinite(rho[0]) | (least > 0.999)
    return np.where(blank, np.nan, rho[0]), np.where(blank, np.nan, p), least


def _permutations(strata: NDArray[Any], total: int) -> NDArray[np.int_]:
    """Orders of the models, each within its stratum; the one seen first; all of them if there are few."""
    from itertools import permutations

    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    seen = np.arange(len(strata))
    if total <= EXACT:
        made = np.tile(seen, (total, 1))
        for row, dealt in zip(made, product(*(permutations(part) for part in members)), strict=True):
            for part, deal in zip(members, dealt, strict=True):
                row[part] = deal
        return made
    draw = np.random.default_rng(0)
    made = np.tile(seen, (DRAWS + 1, 1))
    for part in members:
        made[1:, part] = draw.permuted(made[1:, part], axis=1)
    return made


def _standardised(values: Floats) -> Floats:
    centred = values - values.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(size > 1e-12, centred / size, np.nan))


def _slope(x: Floats, y: Floats, strata: NDArray[Any], held: bool) -> tuple[float, float, float]:
    """Slope and its 95 % interval; NaN ends with too few models."""
    from scipy import stats

    if not held:
        if len(x) < LEAST:
            return float(stats.theilslopes(y, x).slope), np.nan, np.nan
        found = stats.theilslopes(y, x, 0.95)
        return float(found.slope), float(found.low_slope), float(found.high_slope)
    import statsmodels.api as sm

    fitted = sm.OLS(y, np.column_stack([x, pd.get_dummies(strata).to_numpy(float)])).fit()
    low, high = fitted.conf_int()[0] if fitted.df_resid >= 2 else (np.nan, np.nan)
    return float(fitted.params[0]), float(low), float(high)


def _rho_interval(x: Floats, y: Floats, effective: int) -> tuple[float, float]:
    from scipy import stats

    if effective < LEAST or not np.ptp(x) or not np.ptp(y):
        return np.nan, np.nan
    ends = stats.pearsonr(x, y).confidence_interval(0.95)
    return float(ends.low), float(ends.high)


def _limits(frame: pd.DataFrame, name: str, held: Sequence[str], strata: NDArray[Any], alpha: float) -> list[str]:
    """What may be concluded, and what not."""
    notes = []
    least, count = float(frame["smallest_p"].iloc[0]), len(frame)
    if least > alpha:
        among = f" within equal {' and '.join(held)}" if held else ""
        notes.append(
            f"No trend can be significant: {frame['models'].iloc[0]} models{among} give no p below {least:.2g}. "
            "More models are needed."
        )
    elif least * count > alpha * max(1, int((frame["p"] <= least + 1e-12).sum())):
        notes.append(
            f"With {count} comparisons a p of {least:.2g}, the least that so many models can give, survives correction "
            "only in company; ask for fewer figures or layers."
        )
    if held and len(set(strata)) == len(strata):
        notes.append(f"Every model has its own combination of {', '.join(held)}: nothing is left to permute.")
    if frame["seed_sd"].isna().all():
        notes.append("One seed only: how much of a model's value is noise of its start is unknown.")
    else:
        small = frame[frame["significant"] & (frame["range"] < 2 * frame["seed_sd"])]
        if len(small):
            notes.append(
                f"{len(small)} significant trends span less than twice the noise of seeds: real over many models, "
                "but not to be seen in one picture."
            )
    notes.append(
        f"A trend over {name} says that figures go with it in these models; that {name} is the cause follows only if "
        "the models differ in nothing else."
    )
    return notes
