"""What all forms of data set share: rows as a table of metadata, cells with their pictures, the input images."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from distcari.exchange.choice import cell_names
from distcari.exchange.file_names import file_names
from distcari.store import Store
from distcari.store.arrays import to_8_bit
from distcari.store.schema import INDEX

PRIVATE = ("node",)  # a host's name is nobody's business
RENAMED = {"image": "image_label"}  # `image` is the picture itself in a Hugging Face data set


@dataclass(frozen=True)
class Cell:
    """A finished cell on its way out: its row, its file's name without ending, and its input's, "" if not kept."""

    row: Mapping[str, Any]
    name: str
    input_name: str
    picture: NDArray[np.uint8]


def cells(store: Store, frame: pd.DataFrame) -> Iterator[Cell]:
    """The cells of these rows, one experiment after the other, each picture uint8 (y, x, 3).

    Names are `<experiment>/<model>_<layer>_<image>` and `<experiment>/<image>`, safe on every file system.
    """
    groups = [(str(name), rows) for name, rows in frame.groupby("experiment", sort=False)]
    for (experiment, rows), folder in zip(groups, file_names([(name,) for name, _ in groups]), strict=True):
        arrays, inputs = store.arrays(experiment), input_names(store, experiment)
        for row, name in zip(rows.to_dict("records"), cell_names(rows, arrays.axes), strict=True):
            seen = inputs.get(str(row["image"]), "")
            picture = arrays.picture(arrays.place([row[axis] for axis in arrays.axes]))
            yield Cell(
                {str(column): value for column, value in row.items()},
                f"{folder}/{name}",
                f"{folder}/{seen}" if seen else "",
                to_8_bit(picture),
            )


def input_names(store: Store, experiment: str) -> dict[str, str]:
    """File names, without ending, of the input images that were kept, by label."""
    known = store.arrays(experiment).description.images
    kept = [label for label, image in known.items() if image.sha256]
    return dict(zip(kept, file_names([(label,) for label in kept]), strict=True))


def metadata(frame: pd.DataFrame, **columns: Sequence[Any]) -> pa.Table:
    """Rows as a table, in front of them further columns; units and meanings are in the fields' metadata."""
    schema = pa.schema([field for field in INDEX if field.name not in PRIVATE])
    table = pa.Table.from_pandas(frame[schema.names], schema, preserve_index=False).replace_schema_metadata(None)
    table = table.rename_columns([RENAMED.get(name, name) for name in schema.names])
    for name, values in reversed(columns.items()):
        table = table.add_column(0, name, pa.array(values))
    return table


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG", side: int | None = None) -> bytes:
    """Pixels (y, x, 3) as a file, PNG or WebP; made smaller where a side is given."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.save(file, kind, **({"quality": 85} if kind == "WEBP" else {"compress_level": 4}))
    return file.getvalue()
