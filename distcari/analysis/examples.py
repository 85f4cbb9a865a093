"""Which pictures show a difference best: the image where it is largest, and in it the pictures of both sides."""

import pandas as pd

from distcari.analysis.groups import Group
from distcari.analysis.study import Study
from distcari.figures import FIGURES

MOST, EACH = 8, 3  # differences that are shown; pictures of each side


def show_best(study: Study, figures: pd.DataFrame, rows: pd.DataFrame, a: Group, b: Group) -> pd.DataFrame:
    """Cells that show the surest differences: a row for each, with its side, labels, key and the figure's value.

    Significant differences first, then the largest effects; of each place the figure that tells most. The image is the
    one where the difference is largest, so the pictures are the best case: the interval says what is usual. Of several
    trainings or seeds the first few are shown, not picked ones.
    """
    size = (
        figures["effect"].abs().fillna(0)
        if figures["effect"].notna().any()
        else (figures["difference"].abs() / figures[["a_mean", "b_mean"]].abs().max(axis=1).clip(lower=1e-9))
    )
    ranked = figures.assign(_size=size).sort_values(["significant", "_size"], ascending=False, kind="stable")
    seen = ranked[ranked["figure"].isin(list(FIGURES))]  # those that the eye can judge, if there is one
    ranked = seen if len(seen) else ranked
    by = [axis for axis in study.blocks if axis in figures]
    ranked = (ranked.drop_duplicates(by) if by else ranked).head(MOST)
    made = []
    for rank, row in enumerate(ranked.to_dict("records")):
        here = rows
        for axis in by:
            here = here[here[axis] == row[axis]]
        sides = {side: here[here["model"].isin(one.models)] for side, one in (("a", a), ("b", b))}
        free = [axis for axis in study.blocks if axis not in by]
        means = [side.groupby(free, observed=True)[row["figure"]].mean() for side in sides.values()]
        apart = (means[0] - means[1]) * (1 if row["difference"] >= 0 else -1)
        best = apart.idxmax()
        best_at = dict(zip(free, best if isinstance(best, tuple) else (best,), strict=True))
        for name, side in sides.items():
            for axis, label in best_at.items():
                side = side[side[axis] == label]
            for cell in _first(study, side).to_dict("records"):
                made.append(
                    {
                        "rank": rank,
                        "figure": row["figure"],
                        "side": name,
                        **{axis: cell[axis] for axis in study.axes},
                        "value": cell[row["figure"]],
                        "significant": row["significant"],
                        "key": cell["key"],
                    }
                )
    return pd.DataFrame(made)


def _first(study: Study, side: pd.DataFrame) -> pd.DataFrame:
    """A few cells: of different models if there are several, else of different seeds."""
    ordered = side.sort_values(["seed", "model"], kind="stable")
    several = ordered.drop_duplicates("model")
    return (several if len(several) > 1 else ordered).head(EACH)
