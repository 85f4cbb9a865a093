"""Does a figure rise or fall with a tag? Rank correlation and slope over models, tested by permuting trainings.

With other tags held: the models are permuted only among those that are alike in them, and their effects are taken out
by an additive model (ordinary least squares with a constant for each combination of the held tags).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.association import rho_interval, slope_interval, tested, within
from distcari.analysis.calibration import say_forms
from distcari.analysis.correction import Method, with_correction
from distcari.analysis.examples_along import show_along
from distcari.analysis.study import Study, open_study
from distcari.analysis.tagged import Floats, Values, ordered_tag, shared_rows, tag, values_of
from distcari.analysis.trend_result import MEANINGS, Trend
from distcari.errors import InputError
from distcari.store import Store


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
    rows, left_out = shared_rows(study, models, layers)
    places, notes = values_of(study, models, rows, figures, over)
    at, groups = x[models].to_numpy(float), strata[models]
    codes = groups.cat.codes.to_numpy()
    made = [row for place in places for row in _rows(place, at, codes, bool(held))]
    frame = with_correction(pd.DataFrame(made), correction, alpha)
    frame.attrs = {"unit": "training", "correction": correction, "alpha": alpha, "columns": MEANINGS}
    points = pd.concat([_points(place, tag, at, groups) for place in places], ignore_index=True)
    pictures = show_along(study, frame, rows, dict(zip(models, at, strict=True)), groups)
    notes = left_out + say_forms({tuple(place.at.values()): place.names for place in places}) + notes
    limits = _limits(frame, tag, held, codes, alpha)
    return Trend(tag, tuple(held), alpha, frame, points, pictures, limits + notes)


def _points(place: Values, name: str, x: Floats, held: "pd.Series[Any]") -> pd.DataFrame:
    """The models' values at a place, with their tag and the combination of held tags."""
    values = dict(zip(place.names, place.values.T, strict=True))
    return pd.DataFrame({**place.at, "model": place.models, name: x, "held": held.astype(str).to_numpy(), **values})


def _strata(study: Study, held: Sequence[str], name: str) -> "pd.Series[Any]":
    """For each model that has all held tags, which combination of them it has, as text."""
    if name in held:
        raise InputError(f"tag {name!r}", "is held and asked for", "Leave it out of one of the two.")
    table = pd.DataFrame({one: tag(study, one) for one in held}, index=study.tags.index).dropna()
    combined = table.astype(str).agg(", ".join, axis=1) if held else pd.Series("", index=table.index)
    return combined.astype("category")


def _rows(place: Values, x: Floats, strata: NDArray[Any], held: bool) -> list[dict[str, Any]]:
    from scipy import stats

    inside = within(np.column_stack([x, place.values]), strata) if held else np.column_stack([x, place.values])
    ranks = np.asarray(stats.rankdata(inside, axis=0))
    rho, p, least = tested(ranks[:, 0], ranks[:, 1:], strata)
    means = pd.DataFrame(place.values).groupby(x).mean()
    found = []
    for i, name in enumerate(place.names):
        slope, low, high = slope_interval(x, place.values[:, i], strata, held)
        rho_low, rho_high = rho_interval(ranks[:, 0], ranks[:, i + 1], len(x) - len(set(strata)) + 1)
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
