"""Pictures made of stored ones, over HTTP: differences on a fixed scale, and pictures stretched over one shared range.

    /difference/<key>/<key>.png?kind=delta_e&channel=all&scale=40   the second against the first; data/differences.py
    /stretched/<key>.png?low=12&high=230                            (value − low) / (high − low), in 255ths

Values are those stored, not rounded to 8 bit.
"""

import numpy as np
from flask import Flask, Response

from distcari.dashboard.data import differences
from distcari.dashboard.data.addresses import pair_sha
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.encoding import encode
from distcari.dashboard.data.pictures import between, place, values
from distcari.dashboard.pictures.answers import Memory, Refused, answer, in_one_line, one_of
from distcari.store.arrays import to_8_bit

MEMORY = 64 << 20  # bytes of encoded pictures
LEVELS = tuple(map(str, range(256)))


def register(server: Flask, catalog: Catalog) -> None:
    """Add the routes."""
    memory = Memory(MEMORY)

    def difference(a: str, b: str) -> Response:
        one, two = place(catalog, a), place(catalog, b)
        kind, channel = one_of("kind", differences.KINDS, "delta_e"), one_of("channel", differences.CHANNELS, "all")
        scale = float(one_of("scale", [f"{step:g}" for step in differences.STEPS[kind]]))
        return answer(
            memory,
            pair_sha(one, two),
            ("difference", a, b, kind, channel, scale),
            "image/png",
            lambda: encode(differences.coloured(between(catalog, one, two, kind), kind, channel, scale), "png"),
        )

    def stretched(key: str) -> Response:
        row, low, high = place(catalog, key), _level("low"), _level("high")
        if low >= high:
            raise Refused(400, "low is below high.")
        span = np.float32(high - low) / 255
        return answer(
            memory,
            str(row["pixels_sha256"]),
            ("stretched", key, low, high),
            "image/png",
            lambda: encode(to_8_bit((values(catalog, row) - np.float32(low / 255)) / span), "png"),
        )

    server.add_url_rule("/difference/<a>/<b>.png", "difference", in_one_line(difference))
    server.add_url_rule("/stretched/<key>.png", "stretched", in_one_line(stretched))


def _level(name: str) -> int:
    try:
        return int(one_of(name, LEVELS))
    except Refused:
        raise Refused(400, f"{name} is a whole number from 0 to 255.") from None
