"""What a trend over a tag is: frames, and words for the terminal and for a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from distcari import markup
from distcari.analysis.result import places
from distcari.store.schema import COLUMNS

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
    """What was found: `figures`, a row for each place and figure; `notes`, what may be concluded.

    `points`: a row for each place and model with the tag's value (an ordered text as its place in the order, from 0),
    the combination of `held` tags as text, and every figure, for plots. `pictures`: the cells that show the surest
    trends, from the tag's lowest value to its highest. `trend_report.html` makes a page of it.
    """

    tag: str
    held: tuple[str, ...]
    alpha: float
    figures: pd.DataFrame
    points: pd.DataFrame
    pictures: pd.DataFrame
    notes: list[str]

    def __str__(self) -> str:
        """The significant trends by place, and the notes."""
        lines = [f"{self.title}: {self.figures['models'].iloc[0]} models"]
        where = places(self.figures)
        for at, part in self.figures.groupby(where, sort=False) if where else [((), self.figures)]:
            lines += ["", headline(dict(zip(where, at, strict=True)), part)]
            lines += [f"  {sentence(row, self.tag)}" for row in surest(part).to_dict("records")]
        return "\n".join([*lines, "", *self.notes])

    @property
    def title(self) -> str:
        """What was asked."""
        held = f", {' and '.join(self.held)} held" if self.held else ""
        return f"Trends over {self.tag}{held}"

    def _repr_html_(self) -> str:
        where = places(self.figures)
        ordered = self.figures.sort_values(["significant", "p_corrected"], ascending=[False, True], kind="stable")
        lines = [
            [*(str(row[axis]) for axis in where), str(row["figure"]), sentence(row, self.tag)]
            for row in ordered.head(30).to_dict("records")
        ]
        sure = int(ordered["significant"].sum())
        return markup.page(
            markup.heading(self.title, f"{sure} of {len(ordered)} significant"),
            markup.table([*where, "figure", "trend"], lines),
            *(markup.paragraph(note, "notes") for note in self.notes),
        )


def surest(part: pd.DataFrame) -> pd.DataFrame:
    """The significant rows, the surest first."""
    return part[part["significant"]].sort_values("p_corrected", kind="stable")


def headline(here: Mapping[Any, Any], part: pd.DataFrame) -> str:
    """How many of a place's figures have a trend."""
    sure = int(part["significant"].sum())
    place = ", ".join(f"{axis} {label}" for axis, label in here.items()) or "all layers"
    return f"{place}: {sure or 'none'} of {len(part)} figures {'has' if sure == 1 else 'have'} a trend"


def sentence(row: Any, name: str) -> str:
    """One trend in words."""
    figure = str(row["figure"])
    unit = COLUMNS[figure].unit
    way = "rises" if row["rho"] > 0 else "falls"
    ends = f" ({_signed(row['low'])} … {_signed(row['high'])})" if np.isfinite(row["low"]) else ""
    floor = f", seeds ± {row['seed_sd']:.2g}" if np.isfinite(row["seed_sd"]) else ""
    chance = "no p" if np.isnan(row["p"]) else f"p {row['p']:.2g}, corrected {row['p_corrected']:.2g}"
    return (
        f"{figure} {way} with {name}: rank correlation {_signed(row['rho'], '.2f')}, "
        f"slope {_signed(row['slope'])}{ends}, range {row['range']:.3g}{f' [{unit}]' if unit else ''}{floor}, {chance}"
    )


def _signed(value: float, form: str = ".3g") -> str:
    """With its sign, a minus and not a hyphen."""
    return f"{value:+{form}}".replace("-", "−")
