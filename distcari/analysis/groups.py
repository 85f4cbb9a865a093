"""What is compared: two networks by their seeds, or two groups of networks by their trainings.

Two networks always differ, if only by chance in training. What seeds can show is that *these two networks* make other
pictures than a new start of the optimisation alone would. A claim about what networks were trained on needs several
trainings of each: then a training is the unit, its seeds are averaged, and the trainings are dealt anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import pandas as pd

from distcari.analysis.study import Study
from distcari.config.tags import number
from distcari.errors import InputError

Unit = Literal["seed", "training"]
Given = str | Sequence[str]


@dataclass(frozen=True)
class Group:
    """A name for people, and the models in it."""

    name: str
    models: tuple[str, ...]


def group(study: Study, given: Given, name: str | None = None) -> Group:
    """One model, or several as a group. Raises InputError for a model that there is not."""
    models = [given] if isinstance(given, str) else list(given)
    if not models:
        raise InputError(f"group {name or given!r}", "has no models", "Name at least one.")
    known = tuple(dict.fromkeys(str(study.label("model", model)) for model in models))
    return Group(name or (known[0] if len(known) == 1 else _common(known)), known)


def by_tags(study: Study, conditions: Sequence[str]) -> list[str]:
    """The models that have all these tags, each given as `name=value`; the value of a text may be a pattern.

    Raises InputError for a tag that there is not, and where no model has them all.
    """
    tags = study.tags
    kept = pd.Series(True, tags.index)
    for condition in conditions:
        name, _, value = condition.partition("=")
        if name not in tags:
            there = ", ".join(tags.columns) or "none; see distcari tag --help"
            raise InputError(f"{condition!r}", f"{study.experiment} has no tag {name!r}", f"There are: {there}.")
        column, wanted = tags[name], number(value)
        if pd.api.types.is_numeric_dtype(column):
            hit = column == wanted
        else:
            hit = pd.Series([isinstance(tag, str) and fnmatchcase(tag, value) for tag in column], tags.index)
        if not hit.any():
            known = ", ".join(map(str, column.dropna().unique()[:12]))
            raise InputError(f"{condition!r}", "no model has it", f"Values of {name}: {known}.")
        kept &= hit
    if not kept.any():
        raise InputError(" and ".join(map(repr, conditions)), "no model has them all", "Take one away.")
    return [str(model) for model in tags.index[kept]]


def all_groups(study: Study, given: Mapping[str, Given] | None) -> list[Group]:
    """The groups given, or each model by itself. Raises InputError if two share a model, or if there is but one."""
    groups = (
        [group(study, models, name) for name, models in given.items()]
        if given is not None
        else [group(study, model) for model in study.models]
    )
    if len(groups) < 2:
        raise InputError(
            f"experiment {study.experiment}",
            f"has {len(groups)} group to compare",
            "A comparison needs two models or more.",
        )
    distinct(groups)
    return groups


def pair(study: Study, a: Given, b: Given) -> tuple[Group, Group]:
    """A and B, with names that tell them apart. Raises InputError for unknown models, or a shared one."""
    one, two = group(study, a), group(study, b)
    distinct([one, two])
    if one.name == two.name:
        one, two = (Group(f"{side.models[0]} … {side.models[-1]}", side.models) for side in (one, two))
    return one, two


def distinct(groups: Sequence[Group]) -> None:
    """Raise InputError if two groups share a model."""
    seen: dict[str, Group] = {}
    for one in groups:
        for model in one.models:
            if model in seen:
                raise InputError(
                    f"groups {seen[model].name} and {one.name}",
                    f"share the model {model}",
                    "A model can be in one group only.",
                )
            seen[model] = one


def unit_of(*groups: Group) -> Unit:
    """Trainings if any group has several models, else seeds."""
    return "training" if any(len(one.models) > 1 for one in groups) else "seed"


def _common(names: Sequence[str]) -> str:
    """A name for a group: what its models' names begin with, else the first and how many more."""
    first, last = min(names), max(names)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    begin = first[:same].rstrip("_- .0123456789")
    return f"{begin} ({len(names)} networks)" if begin else f"{names[0]} and {len(names) - 1} more"
