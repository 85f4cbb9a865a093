"""The one value that a page reads first: experiments with their axes and labels, columns, tags, and where data lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import yaml

from distcari import __version__
from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.notes import Note
from distcari.dashboard.data.state import VIEWS, State
from distcari.site import scripts
from distcari.site.parts import Part
from distcari.site.pictures import QUALITY, SMALL, Pictures
from distcari.store.schema import COLUMNS, SETTINGS


@dataclass(frozen=True)
class Data:
    """Where an experiment's data are: names of scripts, and of its inputs' pictures by label."""

    blocks: Sequence[str]
    rows: Sequence[str]
    columns: dict[str, str]
    failures: str
    done: str
    inputs: dict[str, str]
    exemplars: Sequence[str]
    unread: int
    likeness: str
    answers: str
    size: int = field(default=224)  # pixels of a picture's side


def site(
    catalog: Catalog, parts: Sequence[Part], data: Sequence[Data], pictures: Pictures, notes: Sequence[Note] | None
) -> dict[str, Any]:
    """All of it, as JSON; `notes` None where they are not published."""
    names = [part.info.name for part in parts]
    axes = list(dict.fromkeys(axis for part in parts for axis in part.info.axes))
    return {
        "version": __version__,
        "views": list(VIEWS),
        "chosen": next(iter(name for name in catalog.chosen(State()) if name in names), names[0]),
        "sizes": {"block": scripts.BLOCK, "rows": scripts.ROWS, "bytes": scripts.HASHED, "small": SMALL},
        "pictures": "lossless WebP" if pictures.lossless else f"WebP, quality {QUALITY}",
        "exact": pictures.lossless,
        "figures": [name for name in columns.FIGURES if any(name in one.columns for one in data)],
        "columns": {name: [column.unit, column.meaning, column.group, _kind(name)] for name, column in COLUMNS.items()},
        "ascending": [axis for axis in axes if axis in SETTINGS and axis in columns.NUMBERS],
        "experiments": {
            part.info.name: _experiment(catalog, part, one, axes) for part, one in zip(parts, data, strict=True)
        },
        "notes": None
        if notes is None
        else [{"url": note.url, "text": note.text, "stamp": note.stamp} for note in notes],
    }


def _experiment(catalog: Catalog, part: Part, data: Data, axes: Sequence[str]) -> dict[str, Any]:
    info = part.info
    said = info.arrays.description
    dates = part.rows["finished_at"]
    return {
        "axes": list(info.axes),
        "labels": {axis: [text(label) for label in labels] for axis, labels in part.labels.items()},
        "fixed": {axis: info.fixed(axis) for axis in axes if axis not in info.axes},
        "lacks": _lacks(part),
        "cells": len(part.rows) - data.unread,
        "failed": len(part.failures) + data.unread,
        "run": part.run,
        "newest": f"{dates.max():%Y-%m-%d %H:%M} UTC" if dates.notna().any() else "",
        "description": said.description,
        "adopted": said.adopted,
        "size": data.size,
        "config": yaml.safe_dump(_plain(info.meta.get("config", {})), sort_keys=False, allow_unicode=True),
        "tags": _tags(catalog, part),
        "inputs": data.inputs,
        "blocks": list(data.blocks),
        "rows": list(data.rows),
        "exemplars": list(data.exemplars),
        "columns": data.columns,
        "failures": data.failures,
        "likeness": data.likeness,
        "answers": data.answers,
        "done": data.done,
    }


def _kind(name: str) -> str:
    """How a column's values are written: `whole`, `number` or `text`."""
    column = COLUMNS[name]
    if not column.is_number or name in SETTINGS:
        return "text"
    return "whole" if pa.types.is_integer(column.kind) else "number"


def _lacks(part: Part) -> dict[str, list[str]]:
    """Of each model the layers that it has not."""
    layers = [text(layer) for layer in part.labels["layer"]]
    lacking = {text(m): [x for x in layers if not part.info.plans(text(m), x)] for m in part.labels["model"]}
    return {model: missing for model, missing in lacking.items() if missing}


def _tags(catalog: Catalog, part: Part) -> dict[str, list[Any]]:
    """Of each tag its values in their order, each with its models; those without it under a dash."""
    here = {text(label) for label in part.labels["model"]}
    found: dict[str, list[Any]] = {}
    for tag in catalog.tags([part.info.name]):
        groups = catalog.tagged([part.info.name], tag)
        kept = ([value, [m for m in models if m in here]] for value, models in groups.items())
        found[tag] = [[value, models] for value, models in kept if models]
    return found


def _plain(value: Any) -> Any:
    """A config without what is empty, as its author would write it; without credentials, whatever they are called."""
    if isinstance(value, dict):
        kept = {name: _plain(part) for name, part in value.items() if name not in ("store", "store_options")}
        return {name: part for name, part in kept.items() if part not in (None, {}, [], "")}
    return [_plain(part) for part in value] if isinstance(value, list) else value
