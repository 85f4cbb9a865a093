"""Render settings given as lists: checked value by value, refused where the store or other fields do not allow it."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from distcari.settings import RenderSettings, sweepable, unclear_in_version_2

Place = tuple[str | int, ...]


def take_lists(render: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The settings of a config's `render` that are lists, checked, in the order of their axes.

    Raises pydantic's ValidationError, which names the value's place in the config.
    """
    for name, value in render.items():
        _no_truth(name, value)
    known = {f.name for f in fields(RenderSettings)}  # others are refused with the rest of the config
    lists = {name: values for name, values in render.items() if isinstance(values, list) and name in known}
    if fixed := [name for name in lists if name not in sweepable()]:
        raise wrong(("render", fixed[0]), f"cannot be a list; these can be swept: {', '.join(sweepable())}")
    return {name: _checked(name, lists[name]) for name in sweepable() if name in lists}


def _no_truth(name: str, value: Any) -> None:
    """No render setting is true or false, which pydantic would take for 1 and 0."""
    for place, one in enumerate(value) if isinstance(value, list) else [(None, value)]:
        if isinstance(one, bool):
            where: Place = ("render", name) if place is None else ("render", name, place)
            raise wrong(where, f"is {str(one).lower()}, but must be a number or a word")


def conflict(sweeps: Mapping[str, Any], compat: str, steps_by_layer: bool) -> tuple[Place, str] | None:
    """What a sweep does not go with: (its place in the config, the reason)."""
    if "steps" in sweeps and steps_by_layer:
        return ("steps_by_layer",), "does not go with a list of render.steps, which says the steps of every layer"
    if compat == "lucent" and (without := [name for name in sweeps if name != "steps"]):
        return ("render", without[0]), "cannot be swept with compat: lucent, which fixes all settings but steps"
    if compat == "v2":
        for name, values in sweeps.items():
            if why := unclear_in_version_2(name, values):
                return ("render", name), f"cannot be swept with compat: v2: it {why}"
    return None


def wrong(place: Place, told: str) -> ValidationError:
    """pydantic's error for a place in the config."""
    error: Any = {"type": PydanticCustomError("sweep", "{told}", {"told": told}), "loc": place, "input": None}
    return ValidationError.from_exception_data("Experiment", [error])


def _checked(name: str, values: list[Any]) -> list[Any]:
    """The values, each checked as the setting is."""
    if not values:
        raise wrong(("render", name), "is empty; an axis needs at least one entry")
    found: list[Any] = []
    for i, value in enumerate(values):
        try:
            checked = getattr(_render().validate_python({name: value}), name)
        except ValidationError as error:
            told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            raise wrong(("render", name, i), told) from None
        checked = checked + 0.0 if isinstance(checked, float) else checked  # no -0.0 beside 0.0
        if checked in found:
            raise wrong(("render", name, i), f"duplicate value {value}; every label on an axis must be distinct")
        found.append(checked)
    return found


@cache
def _render() -> TypeAdapter[RenderSettings]:
    return TypeAdapter(RenderSettings)
