"""Which figures are compared: those that are named, or all; without those that some cells lack."""

from collections.abc import Sequence
from difflib import get_close_matches

import pandas as pd

from distcari.errors import InputError
from distcari.figures import FIGURES
from distcari.store.schema import COLUMNS

STRENGTH = ("robust_gain", "robust_cosine")
EVERY = (*FIGURES, *STRENGTH)  # the figures that are compared unless some are named


def named_figures(given: Sequence[str] | None) -> list[str]:
    """The columns to compare: those given, or all of colour, texture and strength. Raises InputError for others."""
    numbers = [name for name, column in COLUMNS.items() if str(column.kind) == "double"]
    for name in given or ():
        if name not in numbers:
            near = get_close_matches(name, numbers, n=4, cutoff=0.3) or list(EVERY)
            raise InputError(
                f"figure {name!r}", "is not a column of numbers in the index", f"Nearest: {', '.join(near)}."
            )
    return list(given) if given else list(EVERY)


def known_figures(rows: pd.DataFrame, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The figures that every row has, and a note on the others."""
    lacking = [name for name in names if rows[name].isna().any()]
    if not lacking:
        return list(names), []
    known = [name for name in names if name not in lacking]
    if not known:
        raise InputError(", ".join(lacking), "is missing in some of the cells", "Compute those anew (--overwrite).")
    return known, [f"Left out, because cells computed by an older version or adopted lack it: {', '.join(lacking)}."]
