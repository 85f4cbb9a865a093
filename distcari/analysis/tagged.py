"""Models with their tags, as statistics take them: one value for each model and figure, and one for its tag.

A model is a training, and the unit: its seeds and images are averaged before anything is tested.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.analysis.calibration import in_best_form
from distcari.analysis.chosen import known_figures, named_figures
from distcari.analysis.study import Study
from distcari.errors import InputError

Floats = NDArray[np.float64]
_HELP = "Tag the models: distcari tag --help"


@dataclass(frozen=True)
class Values:
    """At one place (a layer, say): the models, their values (models, F) of figures, the noise of seeds in each (F,).

    `seed_sd` is the standard deviation that a model's value would have, were its pictures started from other seeds; NaN
    with one seed.
    """

    at: dict[str, Any]
    models: list[str]
    names: list[str]
    values: Floats
    seed_sd: Floats
    blocks: int


def tag(study: Study, name: str) -> "pd.Series[Any]":
    """A tag of the models, those without it left out. Raises InputError for one that there is not."""
    tags = study.tags
    if name not in tags:
        there = f"There are: {', '.join(tags.columns)}." if len(tags.columns) else _HELP
        raise InputError(f"tag {name!r}", f"{study.experiment} has no such tag", there)
    return tags[name].dropna()


def ordered_tag(study: Study, name: str) -> "pd.Series[Any]":
    """A tag as numbers: its own, or the place in its order from 0. Raises InputError for one that has no order."""
    found = tag(study, name)
    if isinstance(found.dtype, pd.CategoricalDtype):
        found = found.cat.codes
    if not pd.api.types.is_numeric_dtype(found):
        raise InputError(
            f"tag {name!r}",
            "is text without an order",
            f"Give it one: distcari tag STORE --order {name}={','.join(map(str, found.unique()[:4]))}; or compare: "
            f"distcari compare STORE {name}={found.iloc[0]} …",
        )
    if found.nunique() < 2:
        raise InputError(f"tag {name!r}", f"is {found.iloc[0]} for every model", "A trend needs two values or more.")
    return found.astype(float)


def groups_by(study: Study, name: str) -> dict[str, list[str]]:
    """The models by a tag's values, in its order."""
    found = tag(study, name)
    return {str(value): list(map(str, part.index)) for value, part in found.groupby(found, sort=True, observed=True)}


def shared_rows(
    study: Study, models: Sequence[str], layers: Sequence[str] | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """The cells of blocks (images at layers) in which all these models have one; a note on what that leaves out.

    Raises InputError where there is no such block.
    """
    rows = study.at_layers(study.of(models), layers)
    shared = study.in_common(rows, len(models))
    if shared.empty:
        raise InputError(
            f"the {len(models)} models",
            "have no finished image and layer in common",
            "Submit their config again, or choose models of one architecture.",
        )
    lost = len(rows.drop_duplicates(study.blocks)) - len(shared.drop_duplicates(study.blocks))
    note = f"{lost} images at layers are left out, because some of the models have no finished cell there."
    return shared, [note] if lost else []


def values_of(
    study: Study, models: Sequence[str], rows: pd.DataFrame, figures: Sequence[str] | None, over: Sequence[str]
) -> tuple[list[Values], list[str]]:
    """Each place's values over `rows`, in which all these models have their cells; a note on figures left out.

    `figures`: default all of colour, texture and strength, gain and cosine in their best form at each place.
    """
    names, notes = known_figures(rows, named_figures(figures))
    by = [axis for axis in study.blocks if axis not in over]
    made = []
    for at, part in study.by_block(rows, by) if by else [((), rows)]:
        here = names if figures else in_best_form(part, names)
        made.append(_values(study, dict(zip(by, at, strict=True)), part, list(models), here))
    return made, notes


def _values(study: Study, at: dict[str, Any], rows: pd.DataFrame, models: list[str], names: list[str]) -> Values:
    blocks = rows.groupby([*study.blocks, "model"], observed=True)[names].mean().groupby("model", observed=True).mean()
    by_seed = rows.groupby(["model", "seed"], observed=True)[names].mean()
    seeds = by_seed.groupby("model", observed=True)
    noise = seeds.std() / np.sqrt(seeds.count())
    return Values(
        at,
        models,
        names,
        blocks.loc[models].to_numpy(float),
        np.sqrt((np.asarray(noise, float) ** 2).mean(axis=0)),
        len(rows.drop_duplicates(study.blocks)),
    )
