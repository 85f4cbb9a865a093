"""Every field of the config, as its models describe it: the reference table, and names for "did you mean"."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import BaseModel, TypeAdapter

from distcari.config.experiment import DifferenceSource, Experiment, ImageSource, ModelSource, Normalization, Resources
from distcari.settings import RenderSettings

SECTIONS: dict[str, Any] = {
    "(top level)": Experiment,
    "models[]": ModelSource,
    "models[].normalization": Normalization,
    "differences[]": DifferenceSource,
    "images[]": ImageSource,
    "render": RenderSettings,
    "resources": Resources,
}


def field_rows(section: Any) -> Iterator[tuple[str, str, str, str]]:
    """(field, type, default, meaning) of each field of a section of the config."""
    schema = TypeAdapter(section).json_schema()
    for name, spec in schema["properties"].items():
        default = "required" if name in schema.get("required", ()) else _default(section, name, spec)
        yield name, _type_words(spec), default, spec.get("description", "")


def _default(section: Any, name: str, spec: dict[str, Any]) -> str:
    if isinstance(spec.get("default"), dict) and spec["default"]:
        return "see below"
    if "default" in spec:
        return str(yaml.safe_dump(spec["default"], default_flow_style=True)).removesuffix("...\n").strip()
    if isinstance(section, type) and issubclass(section, BaseModel):
        value = section.model_fields[name].get_default(call_default_factory=True)
        return "see below" if dataclasses.is_dataclass(value) or isinstance(value, BaseModel) else repr(value)
    return ""


def _type_words(spec: dict[str, Any]) -> str:
    if kinds := spec.get("anyOf") or spec.get("oneOf"):
        return " or ".join(dict.fromkeys(_type_words(s) for s in kinds if s.get("type") != "null"))
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
