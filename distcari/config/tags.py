"""Tags of models: what is known of a network beside its weights, such as its camera, its training images, its epoch.

They take no part in any key: pictures stay as they are when tags change.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import parse

from distcari.errors import InputError

Tag = str | int | float
Tags = dict[str, Tag]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_SEE = "Example of a pattern: resnet_50_{camera}_{run:d}; of a table: tags.csv with a column `model`."


def check_tag_names(names: Iterable[str]) -> None:
    """Raise ValueError for a name that is none; it becomes a column, and is given as NAME=VALUE in commands."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"the tag {name!r} must be letters, digits and underscores, and begin with a letter")


def check_pattern(pattern: str) -> None:
    """Raise ValueError for a pattern that names no tag, or is none."""
    try:
        found = parse.compile(pattern, case_sensitive=True)
        found.parse("")  # formats are looked at when first used
    except (ValueError, NotImplementedError, re.error) as error:
        raise ValueError(f"the pattern {pattern!r} cannot be read: {error}") from None
    if not found.named_fields or found.fixed_fields:
        raise ValueError(f"the pattern {pattern!r} must name what it finds, as in resnet_50_{{camera}}_{{run:d}}")
    check_tag_names(found.named_fields)


def is_file(source: str) -> bool:
    """Whether a source of tags is a table rather than a pattern."""
    return source.lower().endswith((".csv", ".tsv"))


def tags_from(sources: Sequence[str], models: Sequence[str], where: str) -> dict[str, Tags]:
    """What patterns and tables say of these models, later ones over earlier; tags by model.

    Raises InputError for a source that cannot be read, or says nothing of any of the models.
    """
    found: dict[str, Tags] = {}
    for source in sources:
        said = of_file(Path(source), where) if is_file(source) else of_names(source, models)
        known = {model: tags for model, tags in said.items() if model in set(models)}
        if not known:
            raise InputError(
                f"{where}: {source}",
                f"says nothing of any model ({', '.join(models[:8])}{', …' if len(models) > 8 else ''})",
                _SEE,
            )
        for model, tags in known.items():
            found.setdefault(model, {}).update(tags)
    return found


def of_names(pattern: str, models: Iterable[str]) -> dict[str, Tags]:
    """The tags that a pattern finds in models' names, of those that match it as a whole."""
    compiled = parse.compile(pattern, case_sensitive=True)
    matches = {model: compiled.parse(model) for model in models}
    return {model: dict(match.named) for model, match in matches.items() if match}


def of_file(path: Path, where: str) -> dict[str, Tags]:
    """The tags in a table with a column `model`; an empty field is no tag, a column of numbers is one of numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ","))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{where}: {path}", f"cannot be read: {error}", _SEE) from None
    names = [name for name in (rows[0] if rows else ()) if name != "model"]
    if not rows or "model" not in rows[0]:
        raise InputError(f"{where}: {path}", "has no column `model`", _SEE)
    if crooked := next((i for i, row in enumerate(rows, 2) if None in row or None in row.values()), None):
        raise InputError(f"{where}: {path}", f"line {crooked} has not as many fields as the first", _SEE)
    try:
        check_tag_names(names)
    except ValueError as error:
        raise InputError(f"{where}: {path}", str(error), "Rename the column.") from None
    columns = {name: _numbers([row[name].strip() for row in rows]) for name in names}
    found: dict[str, Tags] = {}
    for i, row in enumerate(rows):
        if row["model"] in found:
            raise InputError(f"{where}: {path}", f"names the model {row['model']!r} twice", "Leave one line.")
        found[row["model"]] = {name: values[i] for name, values in columns.items() if values[i] != ""}
    return found


def _numbers(texts: Sequence[str]) -> Sequence[Tag]:
    """A column's values: numbers if every field that is not empty is one."""
    read = [number(text) for text in texts]
    return read if all(not isinstance(value, str) or value == "" for value in read) else texts


def number(text: str) -> Tag:
    """The number that a text is, else the text."""
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if abs(value) < 2**63:  # neither infinite nor nan, and no more than a column holds
            return value
    return text


def joined(*layers: Mapping[str, Tags]) -> dict[str, Tags]:
    """Tags by model, later ones over earlier."""
    found: dict[str, Tags] = {}
    for layer in layers:
        for model, tags in layer.items():
            found.setdefault(model, {}).update(tags)
    return found
