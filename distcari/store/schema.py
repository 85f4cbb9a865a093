"""The index's columns: names, types, units and sources. One explicit schema for every part (contract)."""

from dataclasses import dataclass, fields
from typing import Literal

import pyarrow as pa

from distcari.figures import FIGURES
from distcari.settings import RenderSettings, sweepable
from distcari.yardsticks import YARDSTICKS

_TEXT, _INT, _FLOAT, _TIME = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")
_SMALL = pa.int32()

_TYPES = {int: _INT, float: _FLOAT, str: _TEXT}
_MEANINGS = {f.name: f.metadata["description"] for f in fields(RenderSettings)}

Group = Literal[
    "key", "axes", "match", "difference", "yardstick", "settings", "provenance", "layer", "colour", "texture"
]


@dataclass(frozen=True)
class Column:
    """A column of the index: its type, its unit or range, what it means and where it comes from, its group.

    Groups: `key`; `axes`, the labels; `match`, how well the picture does what it should; `difference`, what only
    difference caricatures have; `yardstick`, what `match` is held against; `settings`; `provenance`, by whom, when and
    where; `layer`; `colour` and `texture`.
    """

    kind: pa.DataType
    unit: str
    meaning: str
    group: Group

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.kind in (_INT, _SMALL, _FLOAT)


# Settings that can be swept, and are then an axis; as used for the cell, swept or not. Null in older rows.
SETTINGS: dict[str, Column] = {
    name: Column(_TYPES[kind], "", " ".join(_MEANINGS[name].split()), "settings") for name, kind in sweepable().items()
}

_BEFORE: dict[str, Column] = {
    "key": Column(_TEXT, "32 hex digits", "hash of everything that decides the pixels and their place", "key"),
    "experiment": Column(_TEXT, "", "the experiment's name", "axes"),
    "model": Column(_TEXT, "", "label on the model axis", "axes"),
    "image": Column(_TEXT, "", "label on the image axis", "axes"),
    "layer": Column(_TEXT, "", "label on the layer axis: module path with underscores, or an alias", "axes"),
    "seed": Column(_INT, "", "label on the seed axis", "axes"),
    "gain": Column(
        _FLOAT, "1 = as strong as the input", "dot(f(z), t) / dot(t, t) of the finished picture, unaugmented", "match"
    ),
    "cosine": Column(_FLOAT, "-1 … 1", "cosine of f(z) and t over all positions and channels, unaugmented", "match"),
    "robust_gain": Column(_FLOAT, "1 = as strong as the input", "gain, mean over 32 fixed random views", "match"),
    "robust_cosine": Column(_FLOAT, "-1 … 1", "cosine, mean over 32 fixed random views", "match"),
    "gain_in_b": Column(
        _FLOAT, "1 = as strong as the input", "of a difference a − b: gain of its picture in model b", "difference"
    ),
    "cosine_in_b": Column(_FLOAT, "-1 … 1", "of a difference: cosine of its picture in model b", "difference"),
    "robust_gain_in_b": Column(
        _FLOAT, "1 = as strong as the input", "gain_in_b, mean over 32 fixed random views", "difference"
    ),
    "robust_cosine_in_b": Column(_FLOAT, "-1 … 1", "cosine_in_b, mean over 32 fixed random views", "difference"),
    "contrast": Column(_FLOAT, "", "of a difference: weight of model b's response", "difference"),
    "objective": Column(
        _FLOAT, "dot / dot(t, t)", "Lucid's objective on the finished picture (lucid #116, #121)", "match"
    ),
    "target_norm": Column(_FLOAT, "activation", "Euclidean norm of the target t = f(input)", "match"),
    **SETTINGS,
    "steps_taken": Column(
        _INT, "", "steps until the picture was finished; fewer than `steps` only with `plateau`", "provenance"
    ),
    "seconds": Column(_FLOAT, "s", "this cell's share of its batch", "provenance"),
    "started_at": Column(_TIME, "UTC", "start of its batch", "provenance"),
    "finished_at": Column(_TIME, "UTC", "end of its batch", "provenance"),
    "attempt": Column(_INT, "from 1", "which try succeeded", "provenance"),
    "woken": Column(_SMALL, "", "doublings of the start of a cell that no gradient had reached", "provenance"),
    "device": Column(_TEXT, "", "cpu, or the GPU's name", "provenance"),
    "arithmetic": Column(_TEXT, "", "what the network computed in: float32, tf32, bfloat16 or float16", "provenance"),
    "node": Column(_TEXT, "", "host name of the worker", "provenance"),
    "run_id": Column(_TEXT, "", "the run that computed it", "provenance"),
    "distcari_version": Column(_TEXT, "", "the version that computed it", "provenance"),
    "settings_hash": Column(_TEXT, "hex", "hash of the cell's render settings", "provenance"),
    "model_sha256": Column(
        _TEXT, "hex", "of the model's weights; of a difference both, with a dash between", "provenance"
    ),
    "image_sha256": Column(_TEXT, "hex", "of the input's pixels", "provenance"),
    "pixels_sha256": Column(_TEXT, "hex", "of the stored picture's bytes", "provenance"),
    "layer_path": Column(
        _TEXT, "", "module path of the layer, of a difference of a's; null in older rows, whose label is it", "layer"
    ),
    "layer_depth": Column(_FLOAT, "0 … 1", "share of the model's compute that lies before the layer's output", "layer"),
    "layer_kind": Column(_TEXT, "", "conv, block, stage, …", "layer"),
}

COLUMNS: dict[str, Column] = {
    **_BEFORE,
    **{
        name: Column(_FLOAT, figure.unit, f"{figure.meaning} ({figure.source})", figure.group)
        for name, figure in {**FIGURES, **YARDSTICKS}.items()
    },
}


def of_group(*groups: Group) -> tuple[str, ...]:
    """Names of the columns of these groups, in the order of the index."""
    return tuple(name for name, column in COLUMNS.items() if column.group in groups)


def _schema(columns: dict[str, Column]) -> pa.Schema:
    return pa.schema(
        [
            pa.field(name, column.kind, metadata={"unit": column.unit, "meaning": column.meaning})
            for name, column in columns.items()
        ]
    )


INDEX = _schema(COLUMNS)

FAILURES = _schema(
    {
        **{name: _BEFORE[name] for name in ("key", "experiment", "model", "image", "layer", "seed", *SETTINGS)},
        "error": Column(_TEXT, "", "the error's type and message, one line", "provenance"),
        "traceback": Column(_TEXT, "", "where it was raised", "provenance"),
        "attempt": Column(_INT, "from 1", "how many tries failed", "provenance"),
        "node": Column(_TEXT, "", "host name of the worker, if known", "provenance"),
        "run_id": Column(_TEXT, "", "the run that gave up on it", "provenance"),
        "time": Column(_TIME, "UTC", "when it was given up", "provenance"),
    }
)


def column_reference() -> str:
    """The index's columns as a Markdown table."""
    rows = ["| column | unit, range | meaning |", "| --- | --- | --- |"]
    return "\n".join(rows + [f"| `{name}` | {c.unit} | {c.meaning} |" for name, c in COLUMNS.items()])
