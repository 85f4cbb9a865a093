"""Findings' line of controls; each is a parameter of the URL."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash.development.base_component import Component

from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.questions import REST, ordered_tags, question, sides
from distcari.dashboard.data.state import State
from distcari.dashboard.page import components

KINDS = {"pair": "A against B", "trend": "trend over a tag"}


def tools(catalog: Catalog, state: State) -> list[Component]:
    """What is asked: the kind of question, its sides or its tag, and the figures asked for."""
    asked = question(catalog, state)
    steps, tags = ordered_tags(catalog, asked.experiment), catalog.tags([asked.experiment])
    kinds = [{"value": kind, "label": label} for kind, label in KINDS.items() if kind == "pair" or steps]
    line: list[Component] = [components.choice("findings.kind", "question", kinds, asked.kind)]
    if asked.kind == "pair":
        known = sides(catalog, asked.experiment)
        groups = [name for name in known if name not in catalog.labels([asked.experiment], "model")]
        models = [name for name in known if name not in groups]
        rest = {"group": "All", "items": [{"value": REST, "label": "all others"}]}
        line += [
            components.choice("findings.a", "A", _grouped(groups, models), asked.a),
            components.choice("findings.b", "B", [*_grouped(groups, models), rest], asked.b),
        ]
    else:
        line.append(components.choice("findings.over", "over", _items(steps), asked.over))
        others = [tag for tag in tags if tag != asked.over]
        if others:
            line.append(_several("findings.held", "held", [(tag, tag) for tag in others], asked.held, "nothing"))
    named = [(name, columns.title(name)) for name in catalog.figures([asked.experiment])]
    line.append(_several("findings.figures", "figures", named, asked.figures, "colour, texture and strength"))
    return line


def _items(names: Sequence[str]) -> list[dict[str, Any]]:
    return [{"value": name, "label": name} for name in names]


def _grouped(groups: Sequence[str], models: Sequence[str]) -> list[dict[str, Any]]:
    """Select's data in groups: those by tag, then the models."""
    made = [("Groups by tag", groups), ("Models", models)]
    return [{"group": title, "items": _items(names)} for title, names in made if names]


def _several(name: str, title: str, items: list[tuple[str, str]], value: Sequence[str], none: str) -> Component:
    """A select of several values, as one parameter with commas."""
    return dmc.MultiSelect(
        id=components.param(name),
        label=title,
        data=[{"value": value_, "label": label} for value_, label in items],
        value=list(value),
        placeholder="" if value else none,
        size="xs",
        searchable=True,
        clearable=True,
        className="choice figures-choice",
        hidePickedOptions=True,
        comboboxProps={"width": "max-content", "position": "bottom-start"},
        maxDropdownHeight=420,
        style={"width": f"{80 + 120 * max(1, len(value))}px"},
    )
