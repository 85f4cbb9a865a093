"""Write finished cells as files by the predecessor's names: python -m distcari.export STORE --out DIR

For each cell `<model>_<layer>_<image>.npy` (float32, y × x × 3, 0 … 1) and `.png`; with several seeds `…_seed<seed>`,
with several values of a swept setting `…_<setting><value>`, with several experiments a folder for each.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from distcari.cli.options import add_store, store_of
from distcari.errors import InputError
from distcari.grid import label_text
from distcari.store import Store


def export(store: Store, out: Path, experiment: str | None = None) -> int:
    """Write all finished cells (of one experiment) below `out`; how many."""
    frame = store.table()
    if experiment is not None:
        frame = frame[frame["experiment"] == experiment]
    if frame.empty:
        raise InputError(f"store {store.url}", f"holds no finished cell{f' of {experiment}' if experiment else ''}",
                         f"Experiments there: {', '.join(store.experiments()) or 'none'}.")
    several = frame["experiment"].nunique() > 1
    for name, rows in frame.groupby("experiment"):
        arrays = store.arrays(str(name))
        folder = out / str(name) if several else out
        folder.mkdir(parents=True, exist_ok=True)
        further = [a for a in arrays.axes if a not in ("model", "image", "layer") and rows[a].nunique() > 1]
        for row in rows.to_dict("records"):
            picture = arrays.picture(arrays.place([row[axis] for axis in arrays.axes]))
            stem = f"{row['model']}_{row['layer']}_{row['image']}"
            stem += "".join(f"_{axis}{label_text(row[axis])}" for axis in further)
            np.save(folder / f"{stem}.npy", picture)
            Image.fromarray(np.round(picture * 255).astype(np.uint8)).save(folder / f"{stem}.png")
    return len(frame)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m distcari.export", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_store(parser)
    parser.add_argument("--out", required=True, type=Path, help="folder to write to")
    parser.add_argument("--experiment", help="only this experiment")
    args = parser.parse_args(argv)
    try:
        count = export(store_of(args), args.out, args.experiment)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} cells written to {args.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
