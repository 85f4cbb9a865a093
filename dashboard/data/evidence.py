"""What stands behind one square of Findings: its units, its images one by one, and cells to look at.

Two images are shown: where the effect is largest, and the most ordinary one (nearest the median of all), for the best
case alone would persuade of anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from distcari.analysis.result import Comparison
from distcari.dashboard.data.findings import Answer
from distcari.dashboard.data.labels import text

EACH, ALONG = 3, 6  # pictures of each side; along a tag
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Evidence:
    """Of one place (`at`: axis -> label) and figure of an answer."""

    answer: Answer
    at: Mapping[str, str]
    figure: str

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The cells of this place, of the models that were compared."""
        rows = self.answer.study.rows
        for axis, label in self.at.items():
            rows = rows[[text(value) == label for value in rows[axis]]]
        return rows[rows["model"].isin(list(self.sides))]

    @cached_property
    def sides(self) -> dict[str, Any]:
        """Each model's side: "A" or "B"; or its value of the tag."""
        found = self.answer.found
        if isinstance(found, Comparison):
            return {model: name for name, one in (("A", found.a), ("B", found.b)) for model in one.models}
        points = found.points.drop_duplicates("model").sort_values(found.tag, kind="stable")
        return dict(zip(points["model"].astype(str), points[found.tag].astype(float), strict=True))

    @property
    def free(self) -> list[str]:
        """The axes that were averaged over: image, as a rule."""
        return [axis for axis in self.answer.study.blocks if axis not in self.at]

    @cached_property
    def units(self) -> pd.DataFrame:
        """Columns `unit` (a model, or with one model a side a seed), `side`, `value` (mean over images)."""
        alone = isinstance(self.answer.found, Comparison) and self.answer.found.unit == "seed"
        by = ["model", "seed"] if alone else ["model"]
        known = self._shared.groupby(by, observed=True)[self.figure].mean().reset_index()
        unit = [f"{m}, seed {text(s)}" for m, s in zip(known["model"], known["seed"], strict=True)] if alone else None
        return pd.DataFrame(
            {
                "unit": unit or [str(model) for model in known["model"]],
                "side": [self.sides[str(model)] for model in known["model"]],
                "value": known[self.figure].astype(float),
            }
        )

    @cached_property
    def images(self) -> pd.DataFrame:
        """Columns `place` (image, with settings averaged over), `value`, `low`, `high` (NaN: no interval).

        `value` is the difference A less B at that image alone, or the rank correlation with the tag there.
        """
        found = self.answer.found
        if isinstance(found, Comparison):
            frame = found.images[found.images["figure"] == self.figure]
            for axis, label in self.at.items():
                frame = frame[[text(value) == label for value in frame[axis]]]
            made = {"place": self._named(frame), "value": frame["difference"], "low": frame["low"]}
            return pd.DataFrame({**made, "high": frame["high"]}).reset_index(drop=True)
        from scipy import stats

        made_rows = []
        for place, part in self._by_place:
            means = part.groupby("model", observed=True)[self.figure].mean()
            x, y = [self.sides[str(model)] for model in means.index], means.to_numpy(float)
            rho = float(stats.spearmanr(x, y).statistic) if len(x) > 2 and np.ptp(y) > 0 and np.ptp(x) > 0 else np.nan
            made_rows.append({"place": place, "value": rho, "low": np.nan, "high": np.nan})
        return pd.DataFrame(made_rows, columns=["place", "value", "low", "high"])

    @property
    def shown(self) -> list[tuple[str, str]]:
        """(what it is, place): where the effect is largest in its direction, and the most ordinary."""
        known = self.images.dropna(subset=["value"])
        if known.empty:
            return [("First", place) for place, _ in self._by_place[:1]]
        sign = 1 if known["value"].mean() >= 0 else -1
        best = str(known["place"].iloc[int(np.argmax(known["value"].to_numpy(float) * sign))])
        others = known[known["place"] != best]
        found = [("Where it shows most", best)]
        if len(others):
            nearest = int(np.argmin(np.abs(others["value"].to_numpy(float) - known["value"].median())))
            found.append(("Most ordinary", str(others["place"].iloc[nearest])))
        return found

    def cells(self, place: str) -> list[tuple[Any, list[Row]]]:
        """The pictures of a place: by side a few cells of its first models or seeds; along a tag its steps evenly."""
        part = next((part for name, part in self._by_place if name == place), self.rows.iloc[:0])
        ordered = part.sort_values("seed", kind="stable")
        if isinstance(self.answer.found, Comparison):
            return [(name, _few(ordered[ordered["model"].map(self.sides) == name])) for name in "AB"]
        first = ordered.drop_duplicates("model")
        models = [model for model in self.sides if model in set(first["model"].astype(str))]
        some = [models[i] for i in np.unique(np.linspace(0, len(models) - 1, ALONG).astype(int))] if models else []
        rows = {str(row["model"]): row for row in _records(first)}
        return [(self.sides[model], [rows[model]]) for model in some]

    @cached_property
    def _shared(self) -> pd.DataFrame:
        """The rows of images that every model has: those that the answer stands on."""
        if not self.free:
            return self.rows
        counts = self.rows.groupby(self.free, observed=True)["model"].transform("nunique")
        return self.rows[counts == len(self.sides)]

    @cached_property
    def _by_place(self) -> list[tuple[str, pd.DataFrame]]:
        if not self.free:
            return [("", self._shared)]
        found = self.answer.study.by_block(self._shared, self.free)
        return [(" · ".join(map(text, at)), part) for at, part in found]

    def _named(self, frame: pd.DataFrame) -> list[str]:
        return [" · ".join(map(text, at)) for at in frame[self.free].itertuples(index=False)]


def _few(rows: pd.DataFrame) -> list[Row]:
    several = rows.drop_duplicates("model")
    return _records((several if len(several) > 1 else rows).head(EACH))


def _records(rows: pd.DataFrame) -> list[Row]:
    return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
