"""The index's columns as people read them: which are figures, their units and meanings, how a value is written."""

import numpy as np

from distcari.store.schema import COLUMNS, SETTINGS, Group

NUMBERS = tuple(name for name, column in COLUMNS.items() if column.is_number and name != "seed")
# What rows and columns can be sorted by, and what of it only the cells of differences have.
FIGURES = tuple(name for name in NUMBERS if name != "attempt" and (name == "steps" or name not in SETTINGS))
OF_DIFFERENCES = tuple(name for name in FIGURES if COLUMNS[name].group == "difference")


def of_groups(*groups: Group) -> tuple[str, ...]:
    """The columns of these groups (`store.schema.Column`), in the schema's order."""
    return tuple(name for name, column in COLUMNS.items() if column.group in groups)


def title(name: str) -> str:
    """A column's name for people: underscores are spaces."""
    return name.replace("_", " ")


def unit(name: str) -> str:
    """A column's unit or range."""
    return COLUMNS[name].unit if name in COLUMNS else ""


def meaning(name: str) -> str:
    """What a column says, and its source."""
    return COLUMNS[name].meaning if name in COLUMNS else ""


def number(value: object) -> str:
    """A figure as shown: three significant digits; a dash for none."""
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, int | float) or not np.isfinite(value):
        return "—"
    if isinstance(value, int):
        return f"{value:,}"
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".removesuffix(".")).replace("-", "−")


def signed(value: float) -> str:
    """A difference with its sign: +0.12, −3, 0; a dash for none."""
    text = number(value)
    return f"+{text}" if value > 0 and text != "0" else text
