"""Which pictures show a trend: at the image where it is steepest, one for each value of the tag, in its order."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from distcari.analysis.study import Study
from distcari.figures import FIGURES

MOST, UNSURE = 6, 2  # trends that are shown; where none is significant
STEPS = 8  # values of the tag, if it has more: evenly over them, with both ends


def show_along(
    study: Study, figures: pd.DataFrame, rows: pd.DataFrame, tagged: Mapping[str, float], held: "pd.Series[Any]"
) -> pd.DataFrame:
    """Cells that show the surest trends: a row for each with its labels, `tag` (the tag's value), the figure's `value`.

    Of each place one figure, the eye's rather than gain or cosine. The image is the one where the figure changes most,
    so the pictures are the best case. Of several models with one value the first is shown, at the first seed; with held
    tags only models of one combination, the one with the most values of the tag.
    """
    by = [axis for axis in study.blocks if axis in figures]
    free = [axis for axis in study.blocks if axis not in by]
    models = _alike(tagged, held)
    made = []
    for rank, row in enumerate(_surest(figures, by).to_dict("records")):
        here = rows[rows["model"].isin(list(models))]
        for axis in by:
            here = here[here[axis] == row[axis]]
        here = _steepest(here, free, str(row["figure"]), models, sign=1 if row["rho"] >= 0 else -1)
        first = here.sort_values("seed", kind="stable").drop_duplicates("model").set_index("model", drop=False)
        for model in _steps(models):
            cell = first.loc[model]
            made.append(
                {
                    "rank": rank,
                    "figure": row["figure"],
                    "tag": models[model],
                    **{axis: cell[axis] for axis in study.axes},
                    "value": cell[row["figure"]],
                    "significant": row["significant"],
                    "key": cell["key"],
                }
            )
    return pd.DataFrame(made)


def _surest(figures: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The rows to show: a figure of each place, only significant ones if there are any."""
    known = figures[figures["rho"].notna()]
    order = known.assign(_eye=known["figure"].isin(list(FIGURES)), _size=known["rho"].abs())
    order = order.sort_values(
        ["significant", "_eye", "p", "_size"], ascending=[False, False, True, False], kind="stable"
    )
    order = order.drop_duplicates(by) if by else order.head(1)
    return order[order["significant"]].head(MOST) if order["significant"].any() else order.head(UNSURE)


def _alike(tagged: Mapping[str, float], held: "pd.Series[Any]") -> dict[str, float]:
    """Each model's value, of the combination of held tags that has most of them."""
    values = pd.Series(tagged)
    alike = held[values.index]
    most = values.groupby(alike, observed=True).nunique().idxmax()
    return {str(model): float(values[model]) for model in values.index[alike == most]}


def _steepest(rows: pd.DataFrame, free: list[str], figure: str, models: Mapping[str, float], sign: int) -> pd.DataFrame:
    """The rows at the label of the free axes where the figure's change over the tag's order is largest."""
    if not free:
        return rows
    means = rows.groupby([*free, "model"], observed=True)[figure].mean().unstack("model")[list(models)]
    order = pd.Series(models).rank(method="dense").to_numpy()
    best = ((means.to_numpy(float) @ (order - order.mean())) * sign).argmax()
    label = means.index[best]
    for axis, value in zip(free, label if isinstance(label, tuple) else (label,), strict=True):
        rows = rows[rows[axis] == value]
    return rows


def _steps(models: Mapping[str, float]) -> list[str]:
    """A model for each value of the tag, in its order; of many values some, evenly."""
    ordered = list(pd.Series(models).drop_duplicates().sort_values().index)
    return [ordered[i] for i in np.unique(np.linspace(0, len(ordered) - 1, STEPS).astype(int))]
