"""Addresses of pictures and files. With `v=`, the start of the content's SHA-256, an answer may be kept for good."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import State

Row = Mapping[str, Any]


def picture_url(row: Row, size: int | None = None, kind: str = "webp") -> str:
    """Address of a finished cell's picture, given its row; PNG without a size is exact to 8 bit."""
    return f"/picture/{row['key']}.{kind}?" + (f"size={size}&" if size else "") + _version(row)


def mean_url(rows: Sequence[Row], size: int | None = None) -> str:
    """Address of the mean of several finished cells' pictures, given their rows."""
    keys = ".".join(str(row["key"]) for row in rows)
    return f"/mean/{keys}.webp?" + (f"size={size}&" if size else "") + f"v={shas(rows)[:12]}"


def match_url(row: Row, size: int = 224) -> str:
    """Address of a finished cell's match map."""
    return f"/match/{row['key']}.webp?size={size}&{_version(row)}"


def npy_url(row: Row) -> str:
    """Address of a finished cell's picture as a NumPy file."""
    return f"/npy/{row['key']}.npy?{_version(row)}"


def input_url(catalog: Catalog, experiment: str, image: str, size: int | None = None, kind: str = "webp") -> str:
    """Address of an input image."""
    info = catalog.experiment(experiment)
    version = info.input_sha(image)[:12] if info else ""
    query = "&".join([f"size={size}"] * bool(size) + [f"v={version}"] * bool(version))
    return f"/input/{quote(experiment, safe='')}/{quote(image, safe='')}.{kind}?{query}"


def exemplar_url(name: str) -> str:
    """Address of a natural exemplar's thumbnail; its name is the start of its content's hash."""
    return f"/exemplar/{name}.webp?v={name[:12]}"


def difference_url(a: Row, b: Row, kind: str, channel: str, scale: float) -> str:
    """Address of the difference B against A, given the rows of both."""
    query = {"kind": kind, "channel": channel, "scale": f"{scale:g}", "v": pair_sha(a, b)[:12]}
    return f"/difference/{a['key']}/{b['key']}.png?{urlencode(query)}"


def stretched_url(row: Row, low: int, high: int) -> str:
    """Address of a picture stretched over low … high, in 255ths."""
    return f"/stretched/{row['key']}.png?low={low}&high={high}&{_version(row)}"


def sheet_url(state: State) -> str:
    """Address of the contact sheet of what Compare shows."""
    return "/sheet.png" + state.with_(view="compare", slots=(), cell="").search()


def index_csv_url(state: State) -> str:
    """Address of the rows that the Table of a state shows, as CSV."""
    return "/index.csv" + State("table", experiments=state.experiments, extra=state.extra).search()


def config_url(experiment: str) -> str:
    """Address of an experiment's config."""
    return f"/config/{quote(experiment, safe='')}.yaml"


def pair_sha(a: Row, b: Row) -> str:
    """A hash that stands for the pixels of two cells, in this order."""
    return shas((a, b))


def shas(rows: Sequence[Row]) -> str:
    """A hash that stands for the pixels of several cells, in their order."""
    return hashlib.sha256(" ".join(str(row["pixels_sha256"]) for row in rows).encode()).hexdigest()


def _version(row: Row) -> str:
    return f"v={str(row['pixels_sha256'])[:12]}"
