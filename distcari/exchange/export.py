"""Finished cells as plain files, for tools that know nothing of stores.

For each cell `<model>_<layer>_<image>.npy` (float32, y × x × 3, 0 … 1) and `.png`; with several seeds `…_seed<seed>`,
with several values of a swept setting `…_<setting><value>`, with several experiments a folder for each. Labels that
cannot be file names are altered; `manifest.json` lists every file with its labels as they are.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from distcari.errors import InputError
from distcari.exchange.choice import Only, cell_names, chosen
from distcari.exchange.file_names import file_names
from distcari.store import Store

MANIFEST = "manifest.json"


def export(store: Store, out: Path, experiment: str | None = None, only: Only | None = None) -> int:
    """Write all finished cells (of one experiment) below `out`; how many.

    Raises InputError if there are none, or `out` cannot be written to.
    """
    frame = chosen(store, experiment, only)
    groups = [(str(name), rows) for name, rows in frame.groupby("experiment")]
    folders = file_names([(name,) for name, _ in groups]) if len(groups) > 1 else ["."]
    listed: list[dict[str, Any]] = []
    try:
        for (name, rows), folder in zip(groups, folders, strict=True):
            listed += _write(store, name, rows, out, folder)
        (out / MANIFEST).write_text(json.dumps(listed, indent=1), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {out}", f"cannot be written: {error.strerror}", "Give another place.") from None
    return len(listed)


def _write(store: Store, experiment: str, rows: pd.DataFrame, out: Path, folder: str) -> list[dict[str, Any]]:
    """Write one experiment's cells; their entries in the manifest."""
    arrays = store.arrays(experiment)
    (out / folder).mkdir(parents=True, exist_ok=True)
    cells, names = rows.to_dict("records"), cell_names(rows, arrays.axes)
    listed = []
    for cell, name in zip(cells, names, strict=True):
        at = Path(folder) / name
        labels = [cell[axis] for axis in arrays.axes]
        picture = arrays.picture(arrays.place(labels))
        np.save(out / f"{at}.npy", picture)
        Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(out / f"{at}.png")
        listed.append(
            {
                "npy": f"{at.as_posix()}.npy",
                "png": f"{at.as_posix()}.png",
                "experiment": experiment,
                **dict(zip(arrays.axes, labels, strict=True)),
                "key": str(cell["key"]),
            }
        )
    return listed
