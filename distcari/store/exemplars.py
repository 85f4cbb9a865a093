"""Natural exemplars beside the caricatures: pictures of a folder, ranked for each model, layer and input image.

`exemplars/<experiment>.parquet` has a row for each model, layer, image and rank; it joins the index on `PLACE`.
`exemplars/thumbnails/<name>.webp` are the pictures, small; a name is the start of the file's SHA-256.
"""

import hashlib
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from distcari.errors import InputError
from distcari.store.files import Files

if TYPE_CHECKING:
    import pandas as pd  # for annotations: workers do without it

FOLDER = "exemplars"
THUMBNAILS = f"{FOLDER}/thumbnails"
PLACE = ("model", "layer", "image", "metric", "tokens")  # what a direction belongs to
BEFORE = {"metric": "plain", "tokens": "all"}  # what rows of the index mean that are older than these columns
SCHEMA = pa.schema(
    [
        pa.field(name, kind, metadata={"meaning": meaning})
        for name, kind, meaning in (
            ("experiment", pa.string(), "the experiment's name"),
            ("model", pa.string(), "label on the model axis"),
            ("layer", pa.string(), "label on the layer axis"),
            ("image", pa.string(), "label on the image axis: the input whose direction it is"),
            ("metric", pa.string(), "the setting of that name"),
            ("tokens", pa.string(), "the setting of that name"),
            ("by", pa.string(), "places: responses compared place by place; channels: their means over all places"),
            ("rank", pa.int16(), "1 points most in the direction"),
            ("cosine", pa.float32(), "-1 … 1, of the layer's responses to the picture and to the input"),
            ("median", pa.float32(), "-1 … 1, median cosine of all files of the folder"),
            ("files", pa.int32(), "how many files of the folder were looked at"),
            ("file", pa.string(), "path below the folder"),
            ("left", pa.int32(), "left edge of the square that was shown, pixels of the upright picture"),
            ("top", pa.int32(), "its top edge"),
            ("side", pa.int32(), "its side"),
            ("folder", pa.string(), "the folder as it was typed"),
            ("thumbnail", pa.string(), "name of the file in exemplars/thumbnails, without .webp"),
            ("model_sha256", pa.string(), "SHA-256 of the weights, as in the index"),
        )
    ]
)
_ATTEMPTS = 20


def path_of(experiment: str) -> str:
    """Where in the store an experiment's table lies."""
    return f"{FOLDER}/{experiment}.parquet"


def read_exemplars(files: Files, experiment: str, at: Mapping[str, Any] | None = None) -> "pd.DataFrame":
    """An experiment's rows, those at labels by column alone if given; empty where there are none.

    Raises InputError for a column that is not there.
    """
    if odd := [name for name in at or {} if name not in SCHEMA.names]:
        raise InputError(
            f"column {odd[0]!r}", "exemplars have no such column", f"There are: {', '.join(SCHEMA.names)}."
        )
    try:
        source = files.source(path_of(experiment))
        filters = [(name, "==", value) for name, value in (at or {}).items()]
        table = pq.read_table(source, schema=SCHEMA, filters=filters or None)
    except FileNotFoundError:
        table = SCHEMA.empty_table()
    frame: pd.DataFrame = table.to_pandas()
    return frame


def exemplars_of(files: Files, row: Mapping[str, Any]) -> "pd.DataFrame":
    """Those of a finished cell's direction by rank, given its index row; empty where none were looked for with these
    weights."""
    import pandas as pd

    said = {name: row[name] for name in PLACE if name in row and pd.notna(row[name])}
    found = read_exemplars(files, str(row["experiment"]), {**BEFORE, **said})
    return found[found["model_sha256"] == row.get("model_sha256")].sort_values("rank", ignore_index=True)


def put_exemplars(files: Files, experiment: str, rows: "pd.DataFrame") -> None:
    """Put rows in place of those that the experiment has at the same places; of many writers none loses anything."""
    new = pa.Table.from_pandas(rows, SCHEMA, preserve_index=False)
    for _ in range(_ATTEMPTS):
        try:
            old: bytes | None = files.read(path_of(experiment))
        except FileNotFoundError:
            old = None
        kept = SCHEMA.empty_table() if old is None else pq.read_table(io.BytesIO(old), schema=SCHEMA)
        kept = kept.filter(pc.invert(pc.is_in(_places(kept), _places(new).combine_chunks())))
        merged = pa.concat_tables([kept, new]).sort_by([(name, "ascending") for name in (*PLACE, "rank")])
        content = io.BytesIO()
        pq.write_table(merged, content, write_page_checksum=True, row_group_size=4096)
        if files.swap(path_of(experiment), old, content.getvalue()):
            return
    raise InputError(f"store: {path_of(experiment)}", "is written by others all the time", "Try again.")


def _places(table: pa.Table) -> Any:
    """What a row is for, as one text."""
    return pc.binary_join_element_wise(*(table[name] for name in PLACE), "\n")


def put_thumbnail(files: Files, webp: bytes) -> str:
    """Keep a small picture; its name."""
    name = hashlib.sha256(webp).hexdigest()[:32]
    files.write(f"{THUMBNAILS}/{name}.webp", webp)
    return name


def thumbnail(files: Files, name: str) -> bytes:
    """A small picture, WebP. Raises KeyError where there is none of that name."""
    if len(name) != 32 or not set(name) <= set("0123456789abcdef"):
        raise KeyError(name)
    try:
        return files.read(f"{THUMBNAILS}/{name}.webp")
    except FileNotFoundError:
        raise KeyError(name) from None
