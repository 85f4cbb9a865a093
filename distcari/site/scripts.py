"""Data as scripts: `data/<hash>.js` hands one JSON value over. A page opened from the disk may load no other form.

Numbers are base64 of little-endian float32, NaN where there is none; texts that repeat are numbered.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.dashboard.data.columns import number
from distcari.site.folder import SiteFolder
from distcari.site.parts import Part
from distcari.store.schema import COLUMNS, SETTINGS
from distcari.yardsticks import HARDLY, STRANGE, hardly_respond, takes_another_path

BLOCK = 4096  # places whose keys and pictures are in one script
ROWS = 512  # places whose whole rows are in one script
HASHED = 24  # bytes a place: 16 of its key, 8 of its picture's name
_LEFT_OUT = ("key", "experiment", "node", "seed")  # known, or nobody's business


def put(folder: SiteFolder, value: Any) -> str:
    """Have a value in the site; its script's name without folder and ending."""
    content = f"distcari.put({json.dumps(value, separators=(',', ':'), allow_nan=False)});\n".encode()
    name = hashlib.sha256(content).hexdigest()[:20]
    folder.put(f"data/{name}.js", content)
    return name


def blocks(folder: SiteFolder, part: Part, names: Sequence[str]) -> list[str]:
    """The scripts that say for each place which key and picture are there, zeros where none is."""
    table = np.zeros((part.size, HASHED), np.uint8)
    texts = [f"{key}{name or '0' * 16}" for key, name in zip(part.rows["key"], names, strict=True)]
    if texts:
        table[part.places] = np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(-1, HASHED)
    return [put(folder, _base64(table[start : start + BLOCK])) for start in range(0, part.size, BLOCK)]


def columns(folder: SiteFolder, part: Part, figures: Sequence[str]) -> dict[str, str]:
    """A script for each figure that has any value: its values at all places."""
    known = {name: part.rows[name].to_numpy(float, na_value=np.nan) for name in figures if name in part.rows}
    return {
        name: put(folder, _base64(part.spread(values))) for name, values in known.items() if np.isfinite(values).any()
    }


def rows(folder: SiteFolder, part: Part) -> list[str]:
    """The scripts with everything that the index says of the cells, ROWS places each."""
    remarked = _remarks(part.rows)
    shown = {name: part.rows[name] for name in COLUMNS if name not in (*_LEFT_OUT, *part.info.axes)}
    found = []
    for start in range(0, part.size, ROWS):
        low, high = np.searchsorted(part.places, (start, start + ROWS))
        value: dict[str, Any] = {"at": (part.places[low:high] - start).tolist(), "numbers": {}, "texts": {}}
        for name, column in shown.items():
            cut = column.iloc[low:high]
            if not cut.notna().any():
                continue
            if COLUMNS[name].is_number and name not in SETTINGS:
                value["numbers"][name] = _base64(cut.to_numpy(float, na_value=np.nan).astype(np.float32))
            else:
                value["texts"][name] = _numbered([_text(v) for v in cut])
        if any(remarked[low:high]):
            value["texts"]["remarks"] = _numbered(remarked[low:high])
        found.append(put(folder, value))
    return found


def failures(folder: SiteFolder, part: Part, unread: dict[int, str]) -> str:
    """The script that says which places have no picture, and why; "" if all have."""
    places = [*part.failed.tolist(), *(int(part.places[i]) for i in unread)]
    tried = zip(part.failures["error"], part.failures["attempt"], strict=True)
    reasons = [f"{error} (tried {attempt} times)" for error, attempt in tried]
    reasons += [f"Its pixels could not be read: {why}" for why in unread.values()]
    return put(folder, {"places": places, "reasons": _numbered(reasons)}) if places else ""


def bitmap(part: Part, unread: dict[int, str]) -> str:
    """One bit for each place, the lowest first: whether a picture is there."""
    there = np.zeros(part.size, bool)
    there[np.delete(part.places, list(unread))] = True
    return _base64(np.packbits(there, bitorder="little"))


def _remarks(frame: pd.DataFrame) -> list[str]:
    """What the yardsticks say of each cell, as sentences."""
    hardly, strange = hardly_respond(frame), takes_another_path(frame["path_coherence"])
    said = zip(hardly, strange, strict=True)
    each = ([HARDLY] * bool(first) + [STRANGE] * bool(second) for first, second in said)
    return [" ".join(f"{text[0].upper()}{text[1:]}." for text in texts) for texts in each]


def _text(value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return number(value) if isinstance(value, int | float | np.number) else str(value)


def _numbered(texts: Sequence[str]) -> list[Any]:
    """The different texts, and for each place which of them it has."""
    codes, found = pd.factorize(np.asarray(texts, object))
    return [[str(text) for text in found], codes.tolist()]


def _base64(values: NDArray[Any]) -> str:
    little = values if values.dtype == np.uint8 else values.astype("<f4")
    return base64.b64encode(np.ascontiguousarray(little).tobytes()).decode()
