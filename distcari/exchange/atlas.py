"""`atlas.parquet`: the rows with small pictures inside and a place in the plane, as Embedding Atlas takes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from distcari.exchange.dataset import encoded, metadata
from distcari.figures import FIGURES

SIDE = 128  # of a picture inside the table


def write_atlas(frame: pd.DataFrame, folder: Path, pictures: Sequence[str], out: Path) -> None:
    """Write the table from the pictures that lie in `folder`, which is going to be `out`.

    `picture` holds `bytes` (WebP, 128 pixels) and `path`; `picture_path` is the whole path of the PNG; `x` and `y` are
    the first two principal components of the pictures' figures of colour and texture, standardised.
    """
    at = plane(frame)
    table = metadata(frame, x=at[:, 0].tolist(), y=at[:, 1].tolist())
    table = table.append_column("picture_path", pa.array([str((out / name).absolute()) for name in pictures]))
    inside = [
        {"bytes": encoded(np.asarray(Image.open(folder / name).convert("RGB")), "WEBP", SIDE), "path": name}
        for name in pictures
    ]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(table.add_column(0, "picture", pa.array(inside, kind)), folder / "atlas.parquet")


def plane(frame: pd.DataFrame) -> NDArray[np.float64]:
    """A place for each row, (N, 2): principal components of the standardised figures; 0 where there are none."""
    values = frame[list(FIGURES)].to_numpy(np.float64, na_value=np.nan)
    values = values[:, ~np.isnan(values).all(0)]
    with np.errstate(invalid="ignore"):
        values = np.nan_to_num((values - np.nanmean(values, 0)) / np.nanstd(values, 0))
    left, spread, _ = np.linalg.svd(values, full_matrices=False)
    found = left[:, :2] * spread[:2]
    return np.pad(found, ((0, 0), (0, 2 - found.shape[1])))
