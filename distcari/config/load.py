"""Reads a config file into an Experiment, and says in one place, with line and remedy, what is wrong with it.

`python -m distcari.experiment schema` prints the reference table of all fields, `… check CONFIG` checks a file.
"""

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from distcari.config.document import MOST_CHARACTERS, parse
from distcari.config.experiment import DifferenceSource, Experiment, ImageSource, ModelSource, Normalization, Resources
from distcari.errors import InputError, last_resort
from distcari.settings import RenderSettings

SECTIONS: dict[str, Any] = {
    "(top level)": Experiment, "models[]": ModelSource, "models[].normalization": Normalization,
    "differences[]": DifferenceSource, "images[]": ImageSource, "render": RenderSettings, "resources": Resources,
}


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
    with last_resort(path, "cannot be read", "All fields: python -m distcari.experiment schema"):
        try:
            return Experiment.model_validate(document)
        except ValidationError as error:
            raise _as_input_error(path, error, lines) from None


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


def _as_input_error(path: str, error: ValidationError, lines: dict[tuple[Any, ...], int]) -> InputError:
    """The first few problems of a validation, one line each, with the remedy for the first."""
    problems = error.errors()
    told = [_place(p["loc"], lines) + ": " + _words(p)[:300] for p in problems[:5]]
    more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
    return InputError(path, "\n    ".join(told) + more, _remedy(problems[0]))


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
    return "All fields: python -m distcari.experiment schema"


def field_rows(section: Any) -> Iterator[tuple[str, str, str, str]]:
    """(field, type, default, meaning) of each field of a section of the config."""
    schema = TypeAdapter(section).json_schema()
    for name, spec in schema["properties"].items():
        default = "required" if name in schema.get("required", ()) else _default(section, name, spec)
        yield name, _type_words(spec), default, spec.get("description", "")


def _default(section: Any, name: str, spec: dict[str, Any]) -> str:
    if "default" in spec:
        return str(yaml.safe_dump(spec["default"], default_flow_style=True)).removesuffix("...\n").strip()
    if isinstance(section, type) and issubclass(section, BaseModel):
        value = section.model_fields[name].get_default(call_default_factory=True)
        return "see below" if dataclasses.is_dataclass(value) or isinstance(value, BaseModel) else repr(value)
    return ""


def _type_words(spec: dict[str, Any]) -> str:
    if "anyOf" in spec:
        return " or ".join(dict.fromkeys(_type_words(s) for s in spec["anyOf"] if s.get("type") != "null"))
    if "enum" in spec:
        return " or ".join(f"`{v}`" for v in spec["enum"])
    if "$ref" in spec:
        return "section"
    if spec.get("type") == "array":
        return f"list of {_type_words(spec['items'])}" if spec.get("items") else "list"
    words = {"integer": "whole number", "string": "text", "object": "mapping", "boolean": "true or false"}
    bounds = [f"{sign} {spec[key]:g}" for key, sign in _SIGNS.items() if key in spec]
    return " ".join([words.get(spec.get("type", ""), spec.get("type", "any")), ", ".join(bounds)]).strip()


_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def reference() -> str:
    """The reference of every config field, in Markdown: one table."""
    rows = ["| section | field | type | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for title, section in SECTIONS.items():
        rows += [
            f"| {title} | `{name}` | {kind} | {default} | {' '.join(meaning.split())} |"
            for name, kind, default, meaning in field_rows(section)
        ]
    return "\n".join(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the reference, or check a file; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m distcari.experiment", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("schema", help="print the reference table of all config fields")
    check = commands.add_parser("check", help="check a config file and print it with all defaults")
    check.add_argument("config")
    args = parser.parse_args(argv)
    if args.command == "schema":
        print(reference())
        return 0
    try:
        experiment = load_experiment(args.config)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
