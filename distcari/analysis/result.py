"""What a comparison found, as frames and in words for the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from distcari import markup
from distcari.analysis.groups import Group, Unit
from distcari.store.schema import COLUMNS

Row = Mapping[Any, Any]

MEANINGS = {
    "a_mean": "mean of A's units",
    "b_mean": "mean of B's units",
    "difference": "A less B, in the figure's unit",
    "low": "lower end of the difference's 95 % bootstrap interval",
    "high": "its upper end",
    "effect": "difference in standard deviations of units within group and image (Cohen's d)",
    "effect_low": "low in the same unit",
    "effect_high": "high in the same unit",
    "p": "two-sided permutation p",
    "p_corrected": "p corrected for all rows of this frame",
    "significant": "p_corrected is at most alpha",
    "smallest_p": "the least p that so many units can give",
    "blocks": "images (and settings) averaged over",
    "units_a": "A's seeds, or trainings",
    "units_b": "B's",
}


MOST_SHOWN = 30  # rows in a notebook's output
MOST_ALIKE = 4  # layers that tell groups apart equally well, by name


@dataclass(frozen=True)
class Comparison:
    """What was found, as pandas frames; `str()` is the report as text, and `report.html` makes a page of it.

    `figures`: a row for each layer (and swept setting) and figure, over all images that both groups have.
    `images`: the same for each image alone. `distances`: between- and within-distances by layer and metric, without
    rows where there was one seed. `separation`: how many trainings are put to their own side by all figures of a layer
    (see `distcari.analysis.separation`), without rows unless both sides have two trainings. `pictures`: the cells that
    show the differences best. `notes`: what can be concluded and what not, a sentence each.
    """

    a: Group
    b: Group
    unit: Unit
    alpha: float
    figures: pd.DataFrame
    images: pd.DataFrame
    distances: pd.DataFrame
    separation: pd.DataFrame
    pictures: pd.DataFrame
    notes: list[str]

    def __str__(self) -> str:
        """The report as text."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """The differences by place and figure, the surest first, and the notes, for a notebook."""
        where = places(self.figures)
        ordered = self.figures.sort_values(["significant", "p_corrected"], ascending=[False, True], kind="stable")
        lines = [
            [
                *(str(row[axis]) for axis in where),
                f"{row['figure']}{' *' if row['significant'] else ''}",
                float(row["a_mean"]),
                float(row["b_mean"]),
                interval(row),
                COLUMNS[str(row["figure"])].unit,
                chance(row),
            ]
            for row in ordered.head(MOST_SHOWN).to_dict("records")
        ]
        more = len(ordered) - len(lines)
        sure = int(ordered["significant"].sum())
        return markup.page(
            markup.heading(f"{self.a.name} against {self.b.name}", f"{sure} of {len(ordered)} differences significant"),
            markup.table([*where, "figure", "A", "B", "A − B (95 % interval)", "unit", "chance"], lines),
            markup.paragraph(f"… and {more} rows more: the frame is `.figures`", "quiet") if more else "",
            *(markup.paragraph(note, "notes") for note in self.notes),
        )


def as_text(found: Comparison) -> str:
    """The differences by layer with their surest image, the distances, the best pictures, and the notes."""
    lines = [f"A = {found.a.name}, B = {found.b.name}; difference = A − B"]
    by = places(found.figures)
    for at, part in found.figures.groupby(by, sort=False) if by else [((), found.figures)]:
        here = dict(zip(by, at if isinstance(at, tuple) else (at,), strict=True))
        lines += ["", headline(here, part)]
        for row in part[part["significant"]].sort_values("p_corrected").to_dict("records"):
            lines.append("  " + sentence(row))
            if where := _images(found.images, here, row):
                lines.append("    " + where)
    if len(found.distances):
        lines += ["", "Distance between A and B against within each:"]
        for row in found.distances.to_dict("records"):
            mark = "*" if row["significant"] else " "
            place = ", ".join(str(row[axis]) for axis in places(found.distances) if axis != "metric")
            lines.append(
                f"{mark} {row['metric']:9s} {place}: between {row['between']:.3g}, within {row['within']:.3g}"
                f" (× {row['ratio']:.2f}), {chance(row)}"
            )
    if len(found.separation):
        lines += ["", say_best(found.separation)]
    if len(found.pictures):
        lines += [
            "",
            "Pictures that show it best: "
            + ", ".join(
                f"{row['model']} / {row['image']} / {row['layer']} / {row['seed']}"
                for row in found.pictures[found.pictures["rank"] == 0].to_dict("records")
            ),
        ]
    return "\n".join([*lines, "", *found.notes])


def say_best(frame: pd.DataFrame) -> str:
    """In words: the layer at which most trainings are put right, those that are as good, and how much is chance."""
    best = frame.sort_values(["p", "share"], ascending=[True, False], kind="stable").iloc[0]
    alike = frame[(frame["p"] == best["p"]) & (frame["right"] == best["right"])][places(frame)]
    named = [", ".join(map(str, labels)) for labels in alike.itertuples(index=False)]
    where = " and ".join(named) if len(named) <= MOST_ALIKE else f"{named[0]} and {len(named) - 1} others alike"
    begin = (
        "Which layer tells the groups apart best"
        if best["significant"]
        else "No layer tells the groups apart for sure; best"
    )
    return (
        f"{begin}: {where or 'all layers and images together'}, "
        f"{best['right']} of {best['trainings']} trainings rightly "
        f"(chance {best['chance']:.2g}, p {best['p']:.2g}, corrected {best['p_corrected']:.2g})"
    )


def places(frame: pd.DataFrame) -> list[str]:
    """The columns of a frame that say where: those in front of the first figure or measure."""
    stop = next((i for i, name in enumerate(frame.columns) if name in ("figure", "between", "right", "a_mean")), 0)
    return list(frame.columns[:stop])


def headline(here: Row, part: pd.DataFrame) -> str:
    """How many of a place's figures differ."""
    sure = int(part["significant"].sum())
    place = ", ".join(f"{axis} {label}" for axis, label in here.items()) or "all layers and images"
    return f"{place}: {sure or 'none'} of {len(part)} figures {'differs' if sure == 1 else 'differ'} significantly"


def sentence(row: Row) -> str:
    """One figure's difference: by how much, how surely."""
    unit = COLUMNS[str(row["figure"])].unit
    effect = "" if isnan(row["effect"]) else f", {row['effect']:+.1f} SD"
    return (
        f"{row['figure']}: {row['a_mean']:.3g} against {row['b_mean']:.3g}, difference {interval(row)}"
        f"{f' [{unit}]' if unit else ''}{effect}, {chance(row)}"
    )


def interval(row: Row) -> str:
    """The difference and its interval, if there is one."""
    known = not isnan(row["low"])
    return f"{row['difference']:+.3g}" + (f" ({row['low']:+.3g} … {row['high']:+.3g})" if known else "")


def chance(row: Row) -> str:
    """p and corrected p."""
    return "no p" if isnan(row["p"]) else f"p {row['p']:.2g}, corrected {row['p_corrected']:.2g}"


def _images(images: pd.DataFrame, here: Row, row: Row) -> str:
    """The difference at each image."""
    part = images[images["figure"] == row["figure"]]
    for axis, label in here.items():
        part = part[part[axis] == label]
    if "layer" not in here or len(part) < 2:
        return ""
    told = [f"{one['image']} {one['difference']:+.3g}" for one in part.to_dict("records")]
    return "by image: " + ", ".join(told)
