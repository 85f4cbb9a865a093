"""The questions that Findings asks: A against B, each a model or `tag=value`; or a trend over a tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.families import filters
from distcari.dashboard.data.state import State

Kind = Literal["pair", "trend"]
REST = "*"  # as B: all models that are not A
MOST_HELD = 3


@dataclass(frozen=True)
class Question:
    """What is asked of one experiment: `a` against `b` (kind "pair"), or the tag `over` with `held` ones taken out."""

    experiment: str
    kind: Kind
    a: str = ""
    b: str = ""
    over: str = ""
    held: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The question in words."""
        if self.kind == "pair":
            return f"{self.a} against {'all others' if self.b == REST else self.b}"
        return f"Trend over {self.over}" + (f", {' and '.join(self.held)} held" if self.held else "")


def question(catalog: Catalog, state: State) -> Question:
    """What the URL asks; where it is silent, or names what there is not, the first that makes sense."""
    experiment = next(iter(catalog.chosen(state)), "")
    steps, known = ordered_tags(catalog, experiment), sides(catalog, experiment)
    figures = tuple(name for name in state.own("figures").split(",") if name in catalog.figures([experiment]))
    a, b = state.own("a"), state.own("b")
    asked = state.own("kind") or ("pair" if a in known else "trend")
    if asked == "trend" and steps:
        over = state.own("over") if state.own("over") in steps else steps[0]
        tags = catalog.tags([experiment])
        held = tuple(tag for tag in state.own("held").split(",") if tag in tags and tag != over)[:MOST_HELD]
        return Question(experiment, "trend", over=over, held=held, figures=figures)
    first, second = _default(catalog, experiment)
    a = a if a in known else first
    b = b if (b in known or b == REST) and b != a else next((name for name in (second, first, REST) if name != a), REST)
    return Question(experiment, "pair", a, b, figures=figures)


def ordered_tags(catalog: Catalog, experiment: str) -> list[str]:
    """The tags over which a trend can be asked for: numbers and ordered text with two values or more."""
    kinds = catalog.tags([experiment])
    return [tag for tag, kind in kinds.items() if kind != "text" and len(_values(catalog, experiment, tag)) > 1]


def sides(catalog: Catalog, experiment: str) -> list[str]:
    """What can be A or B: the groups by tag, then the models."""
    return [*filters(catalog, [experiment]), *catalog.labels([experiment], "model")]


def members(catalog: Catalog, asked: Question) -> tuple[list[str], list[str]]:
    """The models of A and of B."""
    a = _members(catalog, asked.experiment, asked.a)
    if asked.b != REST:
        return a, _members(catalog, asked.experiment, asked.b)
    return a, [model for model in catalog.labels([asked.experiment], "model") if model not in a]


def _members(catalog: Catalog, experiment: str, side: str) -> list[str]:
    tag, _, value = side.partition("=")
    if side not in catalog.labels([experiment], "model") and tag in catalog.tags([experiment]):
        return catalog.tagged([experiment], tag).get(value, [])
    return [side]


def _default(catalog: Catalog, experiment: str) -> tuple[str, str]:
    """The first two groups of several models each, if a tag makes them; else the first two models."""
    for tag in catalog.tags([experiment]):
        values = _values(catalog, experiment, tag)
        several = [value for value, models in values.items() if len(models) > 1]
        if len(several) > 1:
            return f"{tag}={several[0]}", f"{tag}={several[1]}"
    models: Sequence[str] = catalog.labels([experiment], "model")
    return (models[0], models[1]) if len(models) > 1 else (next(iter(models), ""), REST)


def _values(catalog: Catalog, experiment: str, tag: str) -> Mapping[str, list[str]]:
    return {value: models for value, models in catalog.tagged([experiment], tag).items() if value != "—"}
