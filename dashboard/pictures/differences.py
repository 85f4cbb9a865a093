"""Pictures made of stored ones, over HTTP: differences on a fixed scale, and pictures stretched over one shared range.

    /difference/<key>/<key>.png?kind=delta_e&channel=all&scale=40   the second against the first; see differences.py
    /stretched/<key>.png?low=12&high=230                            (value − low) / (high − low), in 255ths

Values are those stored, not rounded to 8 bit. Caching and refusals as in images.py.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import numpy as np
from flask import Flask, Response, request
from numpy.typing import NDArray

from distcari.dashboard.data import differences
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.pictures import images
from distcari.dashboard.pictures.images import Memory, Refused, encode, to_8_bit

MEMORY = 64 << 20  # bytes of encoded pictures
Row = Mapping[str, Any]


def difference_url(a: Row, b: Row, kind: str, channel: str, scale: float) -> str:
    """Address of the difference B against A, given the rows of both."""
    query = {"kind": kind, "channel": channel, "scale": f"{scale:g}", "v": _pair_sha(a, b)[:12]}
    return f"/difference/{a['key']}/{b['key']}.png?{urlencode(query)}"


def stretched_url(row: Row, low: int, high: int) -> str:
    """Address of a picture stretched over low … high, in 255ths."""
    return f"/stretched/{row['key']}.png?low={low}&high={high}&v={str(row['pixels_sha256'])[:12]}"


def values(catalog: Catalog, row: Row) -> NDArray[np.float32]:
    """A cell's picture as stored, float32 (y, x, 3) clipped to [0, 1]. Raises Refused where it is being rewritten."""
    return _values(catalog, row["key"], row["pixels_sha256"])


def between(catalog: Catalog, a: Row, b: Row, kind: str) -> NDArray[np.float32]:
    """The difference B against A, see `differences.difference`. Raises Refused where their sizes differ."""
    one, two = values(catalog, a), values(catalog, b)
    if one.shape != two.shape:
        sizes = [f"{p.shape[1]} × {p.shape[0]}" for p in (one, two)]
        raise Refused(400, f"A difference needs pictures of one size; these are {sizes[0]} and {sizes[1]}.")
    return _between(catalog, a["key"], b["key"], _pair_sha(a, b), kind)


def shared_range(catalog: Catalog, rows: Sequence[Row]) -> tuple[int, int]:
    """The range, in 255ths, that holds the middle 99 % of the values of all these pictures together."""
    all_values = [values(catalog, row).ravel() for row in rows]
    if not all_values:
        return 0, 255
    low, high = np.percentile(np.concatenate(all_values), [0.5, 99.5]) * 255
    return int(np.floor(low)), max(int(np.ceil(high)), int(np.floor(low)) + 1)


def register(server: Flask, catalog: Catalog) -> None:
    """Add the routes."""
    memory = Memory(MEMORY)

    def difference(a: str, b: str) -> Response:
        one, two = images._row(catalog, a), images._row(catalog, b)
        kind, name = _one_of("kind", differences.KINDS), _one_of("channel", differences.CHANNELS)
        scale = float(_one_of("scale", [f"{step:g}" for step in differences.STEPS[kind]]))
        return images._answer(
            memory, _pair_sha(one, two), ("difference", a, b, kind, name, scale), "image/png",
            lambda: encode(differences.coloured(between(catalog, one, two, kind), kind, name, scale), "png", None),
        )

    def stretched(key: str) -> Response:
        row, low, high = images._row(catalog, key), _level("low"), _level("high")
        if low >= high:
            raise Refused(400, "low is below high.")
        span = np.float32(high - low) / 255
        return images._answer(
            memory, str(row["pixels_sha256"]), ("stretched", key, low, high), "image/png",
            lambda: encode(to_8_bit((values(catalog, row) - np.float32(low / 255)) / span), "png", None),
        )

    server.add_url_rule("/difference/<a>/<b>.png", "difference", images._plain(difference))
    server.add_url_rule("/stretched/<key>.png", "stretched", images._plain(stretched))


def _one_of(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    given = request.args.get(name, next(iter(known)) if name != "scale" else "")
    if given not in known:
        raise Refused(400, f"{name} is one of {', '.join(known)}.")
    return given


def _level(name: str) -> int:
    given = request.args.get(name, "")
    if given not in map(str, range(256)):
        raise Refused(400, f"{name} is a whole number from 0 to 255.")
    return int(given)


def _pair_sha(a: Row, b: Row) -> str:
    return hashlib.sha256(f"{a['pixels_sha256']} {b['pixels_sha256']}".encode()).hexdigest()


@lru_cache(maxsize=32)
def _values(catalog: Catalog, key: str, sha: str) -> NDArray[np.float32]:
    stored = images._stored(catalog, images._row(catalog, key))
    top = np.float32(255 if stored.dtype == np.uint8 else 1)
    return np.asarray(np.clip(np.nan_to_num(stored.astype(np.float32) / top), 0, 1), np.float32)


@lru_cache(maxsize=48)
def _between(catalog: Catalog, a: str, b: str, sha: str, kind: str) -> NDArray[np.float32]:
    one, two = (values(catalog, images._row(catalog, key)) for key in (a, b))
    return differences.difference(one, two, kind)
