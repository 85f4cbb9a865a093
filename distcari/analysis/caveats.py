"""What so many seeds or trainings allow to conclude, in sentences for people."""

from collections.abc import Sequence
from math import ceil

import pandas as pd

from distcari.analysis.correction import Method
from distcari.analysis.groups import Group, Unit
from distcari.analysis.permutation import Shuffle, units_needed
from distcari.yardsticks import COSINES, HARDLY, hardly_respond

_CLAIMS: dict[Unit, str] = {
    "seed": "Unit: the seed. A significant difference says that these two networks make other pictures of these images "
    "than a new start of the optimisation would. Two trainings of one and the same recipe do that as well: for a claim "
    "about what networks were trained on, compare groups of trainings.",
    "training": "Unit: the training; its seeds and images are averaged. A significant difference says that the two "
    "recipes differ by more than trainings of one recipe do, on these images.",
}
ONE_COLOUR = 0.95  # colour_uniformity: on average half a ΔE76 from the mean colour
_MORE = "Add seeds to the config (seeds: [0, 1, 2]) and submit it again; only the new cells are computed."


def say_smallest(unit: Unit, least: float, alpha: float, blocks: int, shuffle: Shuffle, two_sided: bool) -> str | None:
    """What to say where no p can reach alpha; None where it can."""
    if least <= alpha:
        return None
    needed = units_needed(alpha, blocks, two_sided=two_sided, shuffle=shuffle)
    remedy = f"{needed} seeds (`seeds:` in the config)" if unit == "seed" else f"{needed} trainings of each"
    return (
        f"No difference can be significant at {alpha:g} here: with so few {unit}s the smallest p is {least:.2g}. "
        f"It takes {remedy}."
    )


def limits(figures: pd.DataFrame, unit: Unit, alpha: float, shuffle: Shuffle, correction: Method) -> list[str]:
    """What a frame of compared figures allows to conclude, and what it does not."""
    least = float(figures["smallest_p"].min())
    if figures["units_a"].max() == figures["units_b"].max() == 1:
        remedy = _MORE if unit == "seed" else "Train each at least four times."
        return [
            f"One {unit} each: the differences are seen, but nothing says how much of them is chance. So there are "
            f"no p and no intervals, and no difference can be significant. {remedy}"
        ]
    blocks = int(figures["blocks"].max()) if unit == "seed" else 1
    if told := say_smallest(unit, least, alpha, blocks, shuffle, two_sided=True):
        return [_CLAIMS[unit], told]
    if correction == "none" or least * len(figures) <= alpha:
        return [_CLAIMS[unit]]
    together = ceil(least * len(figures) / alpha)
    return [
        _CLAIMS[unit],
        f"The smallest p here is {least:.2g}; corrected for {len(figures)} comparisons, one "
        f"difference alone cannot be significant at {alpha:g}, {together} together can. Name fewer figures or "
        "layers to ask less.",
    ]


def unmoved(rows: pd.DataFrame, groups: Sequence[Group]) -> list[str]:
    """A warning of pictures that are nearly one colour, where the optimisation most likely found no gradient."""
    found = []
    for one in groups:
        mine = rows[rows["model"].isin(one.models)]
        empty = mine[mine["colour_uniformity"] > ONE_COLOUR]
        if len(empty):
            models = ", ".join(dict.fromkeys(map(str, empty["model"])))
            found.append(
                f"{len(empty)} of {len(mine)} pictures of {one.name} are nearly one colour ({models}): the "
                "optimisation did not leave its grey start there, and their figures tell of that alone. Look "
                "at them before you conclude anything about colours or textures."
            )
    return found


def unresponsive(rows: pd.DataFrame, groups: Sequence[Group]) -> list[str]:
    """A warning of layers where a grey picture, or any photograph, reaches nearly the picture's cosine."""
    if not set(COSINES) <= set(rows):
        return []
    hardly = rows[hardly_respond(rows)]
    found = []
    for one in groups:
        mine = hardly[hardly["model"].isin(one.models)]
        for layer, cells in mine.groupby("layer", sort=False).size().items():
            found.append(f"{one.name} / {layer}, {cells} pictures: {HARDLY}. Gain and cosine say nothing there.")
    return found
