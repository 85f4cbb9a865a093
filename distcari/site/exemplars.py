"""Natural exemplars of a site's cells: their small pictures, and which cell has which, in scripts loaded as needed."""

import json
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from distcari.dashboard.data.exemplars import sentence, square
from distcari.site import scripts
from distcari.site.folder import SiteFolder
from distcari.site.parts import Part
from distcari.store.exemplars import BEFORE, PLACE, read_exemplars, thumbnail
from distcari.store.files import Files


def exemplars(files: Files, part: Part, folder: SiteFolder) -> list[str]:
    """The scripts of ROWS places each, "" where none of them has exemplars; an empty list if no cell has any.

    Only those found with the weights that the cells were made with. Of the folder they are from, the last name alone.
    """
    found = _of_cells(files, part)
    if found.empty:
        return []
    made = []
    for start in range(0, part.size, scripts.ROWS):
        here = found[(found["place"] >= start) & (found["place"] < start + scripts.ROWS)]
        places = here["place"].unique().tolist()
        of = {place - start: _told(files, here[here["place"] == place], folder) for place in places}
        sets = list(dict.fromkeys(json.dumps(told) for told in of.values()))  # seeds share theirs
        value = {"at": list(of), "of": [sets.index(json.dumps(told)) for told in of.values()]}
        made.append(scripts.put(folder, {**value, "sets": [json.loads(text) for text in sets]}) if of else "")
    return made


def _of_cells(files: Files, part: Part) -> pd.DataFrame:
    """A row for each cell and exemplar, with the cell's `place` in the grid."""
    cells = pd.DataFrame({"place": part.places, "model_sha256": part.rows["model_sha256"]})
    for name in PLACE:
        said = part.rows[name] if name in part.rows else pd.Series(np.nan, part.rows.index)
        cells[name] = (said.fillna(BEFORE[name]) if name in BEFORE else said).astype(str)
    shown = read_exemplars(files, part.info.name)
    return cells.dropna().merge(shown, on=[*PLACE, "model_sha256"]).sort_values(["place", "rank"])


def _told(files: Files, rows: pd.DataFrame, folder: SiteFolder) -> dict[str, Any]:
    """What stands below a cell: the sentence, and each picture's file in the site, name, place and cosine."""
    each = [{str(name): value for name, value in one.items()} for one in rows.to_dict("records")]
    first = each[0] | {"folder": PurePath(each[0]["folder"]).name or "a folder"}
    shown = [
        {
            "picture": _put(files, one["thumbnail"], folder),
            "file": one["file"],
            "square": square(one),
            "cosine": float(one["cosine"]),
        }
        for one in each
    ]
    return {"said": sentence(first), "shown": shown}


def _put(files: Files, name: str, folder: SiteFolder) -> str:
    """Have a thumbnail in the site; its file."""
    file = f"pictures/{name[:2]}/{name[:16]}-exemplar.webp"
    folder.put(file, lambda: thumbnail(files, name))
    return file
