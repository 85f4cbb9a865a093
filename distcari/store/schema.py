"""The index's columns: names, types, units and sources. One explicit schema for every part (contract)."""

from dataclasses import fields

import pyarrow as pa

from distcari.figures import FIGURES
from distcari.settings import RenderSettings, sweepable

_TEXT, _INT, _FLOAT, _TIME = pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")

_TYPES = {int: _INT, float: _FLOAT, str: _TEXT}
_MEANINGS = {f.name: f.metadata["description"] for f in fields(RenderSettings)}

# Settings that can be swept, and are then an axis; as used for the cell, swept or not. Null in older rows.
SETTINGS: dict[str, tuple[pa.DataType, str, str]] = {
    name: (_TYPES[kind], "", " ".join(_MEANINGS[name].split())) for name, kind in sweepable().items()
}

# name: (type, unit or range, meaning and source)
_BEFORE: dict[str, tuple[pa.DataType, str, str]] = {
    "key": (_TEXT, "32 hex digits", "hash of everything that decides the pixels and their place"),
    "experiment": (_TEXT, "", "the experiment's name"),
    "model": (_TEXT, "", "label on the model axis"),
    "image": (_TEXT, "", "label on the image axis"),
    "layer": (_TEXT, "", "label on the layer axis: module path with underscores"),
    "seed": (_INT, "", "label on the seed axis"),
    "gain": (_FLOAT, "1 = as strong as the input", "dot(f(z), t) / dot(t, t) of the finished picture, unaugmented"),
    "cosine": (_FLOAT, "-1 … 1", "cosine of f(z) and t over all positions and channels, unaugmented"),
    "robust_gain": (_FLOAT, "1 = as strong as the input", "gain, mean over 32 fixed random views"),
    "robust_cosine": (_FLOAT, "-1 … 1", "cosine, mean over 32 fixed random views"),
    "gain_in_b": (_FLOAT, "1 = as strong as the input", "of a difference a − b: gain of its picture in model b"),
    "cosine_in_b": (_FLOAT, "-1 … 1", "of a difference: cosine of its picture in model b"),
    "robust_gain_in_b": (_FLOAT, "1 = as strong as the input", "gain_in_b, mean over 32 fixed random views"),
    "robust_cosine_in_b": (_FLOAT, "-1 … 1", "cosine_in_b, mean over 32 fixed random views"),
    "contrast": (_FLOAT, "", "of a difference: weight of model b's response"),
    "objective": (_FLOAT, "dot / dot(t, t)", "Lucid's objective on the finished picture (lucid #116, #121)"),
    "target_norm": (_FLOAT, "activation", "Euclidean norm of the target t = f(input)"),
    **SETTINGS,
    "steps_taken": (_INT, "", "steps until the picture was finished; fewer than `steps` only with `plateau`"),
    "seconds": (_FLOAT, "s", "this cell's share of its batch"),
    "started_at": (_TIME, "UTC", "start of its batch"),
    "finished_at": (_TIME, "UTC", "end of its batch"),
    "attempt": (_INT, "from 1", "which try succeeded"),
    "device": (_TEXT, "", "cpu, or the GPU's name"),
    "arithmetic": (_TEXT, "", "what the network computed in: float32 or bfloat16"),
    "node": (_TEXT, "", "host name of the worker"),
    "run_id": (_TEXT, "", "the run that computed it"),
    "distcari_version": (_TEXT, "", "the version that computed it"),
    "settings_hash": (_TEXT, "hex", "hash of the cell's render settings"),
    "model_sha256": (_TEXT, "hex", "of the model's weights; of a difference both, with a dash between"),
    "image_sha256": (_TEXT, "hex", "of the input's pixels"),
    "pixels_sha256": (_TEXT, "hex", "of the stored picture's bytes"),
    "layer_depth": (_FLOAT, "0 … 1", "share of the model's compute that lies before the layer's output"),
    "layer_kind": (_TEXT, "", "conv, block, stage, …"),
}

COLUMNS: dict[str, tuple[pa.DataType, str, str]] = {
    **_BEFORE,
    **{name: (_FLOAT, unit, f"{meaning} ({source})") for name, (unit, meaning, source) in FIGURES.items()},
}


def _schema(columns: dict[str, tuple[pa.DataType, str, str]]) -> pa.Schema:
    return pa.schema(
        [pa.field(name, kind, metadata={"unit": unit, "meaning": text}) for name, (kind, unit, text) in columns.items()]
    )


INDEX = _schema(COLUMNS)

FAILURES = _schema({
    **{name: _BEFORE[name] for name in ("key", "experiment", "model", "image", "layer", "seed", *SETTINGS)},
    "error": (_TEXT, "", "the error's type and message, one line"),
    "traceback": (_TEXT, "", "where it was raised"),
    "attempt": (_INT, "from 1", "how many tries failed"),
    "node": (_TEXT, "", "host name of the worker, if known"),
    "run_id": (_TEXT, "", "the run that gave up on it"),
    "time": (_TIME, "UTC", "when it was given up"),
})


def column_reference() -> str:
    """The index's columns as a Markdown table."""
    rows = ["| column | unit, range | meaning |", "| --- | --- | --- |"]
    return "\n".join(rows + [f"| `{name}` | {unit} | {text} |" for name, (_, unit, text) in COLUMNS.items()])
