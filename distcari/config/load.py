"""Reads a config file into an Experiment, and says in one place, with line and remedy, what is wrong with it."""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pydantic import ValidationError

from distcari.config.document import MOST_CHARACTERS, parse
from distcari.config.experiment import Experiment
from distcari.config.reference import SECTIONS, field_rows
from distcari.errors import InputError, last_resort


def load_experiment(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in a YAML file, with overrides such as `render.steps=64` put over it.

    Raises InputError for a missing, unreadable or invalid file; the message names the line and the field.
    """
    return parse_experiment(_read(Path(path)), str(path), overrides)


def parse_experiment(text: str, path: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in YAML text; `path` is what messages call it. Raises InputError as `load_experiment`."""
    document, lines = parse(text, path)
    if not isinstance(document, dict):
        raise InputError(path, "holds no fields", "See configs/demo.yaml for an example.")
    for override in overrides:
        _override(document, override)
    with last_resort(path, "cannot be read", "All fields: distcari config schema"):
        try:
            return Experiment.model_validate(document)
        except ValidationError as error:
            raise as_input_error(path, error, lines) from None


def _read(path: Path) -> str:
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode) or found.st_size > 4 * MOST_CHARACTERS:
            problem = "is too large for a config" if S_ISREG(found.st_mode) else "is no file"
            raise InputError(str(path), problem, "Give a YAML file.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        folder = path.parent if path.parent.is_dir() else Path("configs")
        near = get_close_matches(path.name, [p.name for p in folder.glob("*.y*ml")], n=3, cutoff=0.4)
        hint = f"Did you mean {', '.join(str(folder / n) for n in near)}?" if near else "Try configs/demo.yaml."
        raise InputError(str(path), "no such config file", hint) from None
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"cannot be read: {error}", "Give a readable YAML file.") from None


def _override(document: dict[str, Any], override: str) -> None:
    """Put `a.b=value` (value in YAML) into the document."""
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise InputError(f"--set {override}", "is not of the form field=value", "Example: --set render.steps=64")
    *parents, last = name.split(".")
    place = document
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise InputError(f"--set {override}", f"{parent} has no fields", "Name a field of render or resources.")
    place[last], _ = parse(value, f"--set {override}")


def as_input_error(path: str, error: ValidationError, lines: dict[tuple[Any, ...], int]) -> InputError:
    """The first few problems of a validation, one line each, with the remedy for the first.

    `lines` says in which line of the file a field stands, where there is a file.
    """
    problems = error.errors()
    told = [_place(_written(p["loc"]), lines) + ": " + _words(p)[:300] for p in problems[:5]]
    more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
    return InputError(path, "\n    ".join(told) + more, _remedy(problems[0]))


def _written(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    """A place as the file has it: without the kind of a layer's entry."""
    return loc[:2] + loc[3:] if loc[:1] == ("layers",) else loc


def _place(loc: tuple[Any, ...], lines: dict[tuple[Any, ...], int]) -> str:
    known = [loc[:n] for n in range(len(loc), 0, -1) if loc[:n] in lines]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{_short(part)}" for part in loc).lstrip(".")
    return (f"line {lines[known[0]]}, " if known else "") + (name or "top level")


def _short(part: str) -> str:
    return part if part.isprintable() and len(part) <= 80 else ascii(part)[:80]


def _words(problem: Any) -> str:
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return "unknown field"
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == "too_short":
        return "is empty; an axis needs at least one entry"
    return str(problem["msg"]).removeprefix("Value error, ")


def _remedy(problem: Any) -> str:
    if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        names = {name for section in SECTIONS.values() for name, *_ in field_rows(section)}
        near = get_close_matches(str(problem["loc"][-1]), names, n=3, cutoff=0.5)
        if near:
            return f"Did you mean {' or '.join(near)}?"
    if problem["type"] == "string_type" and isinstance(given := problem.get("input"), int | float):
        return f'A number is no name: write it in quotes, "{given}".'
    return "All fields: distcari config schema"
