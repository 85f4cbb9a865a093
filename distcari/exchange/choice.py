"""Which finished cells are handed on, and what their files are called."""

from collections.abc import Mapping, Sequence

import pandas as pd

from distcari.errors import InputError
from distcari.exchange.file_names import file_names
from distcari.grid import Axis, Label, label_text
from distcari.store import Store

Only = Mapping[str, Sequence[Label]]


def chosen(store: Store, experiment: str | None = None, only: Only | None = None) -> pd.DataFrame:
    """Index rows of the finished cells (of one experiment, at some labels), in the store's order.

    Raises InputError if there are none, or for an axis or a label that is not there.
    """
    frame = store.table()
    if experiment is not None:
        frame = frame[frame["experiment"] == experiment]
    if frame.empty:
        raise InputError(
            f"store {store.url}",
            f"holds no finished cell{f' of {experiment}' if experiment else ''}",
            f"Experiments there: {', '.join(store.experiments()) or 'none'}.",
        )
    axes = list(dict.fromkeys(a for name in frame["experiment"].unique() for a in store.arrays(str(name)).axes))
    for name, labels in (only or {}).items():
        if name not in axes:
            raise InputError(f"--only {name}", "no such axis", f"Axes: {', '.join(axes)}. Example: --only model=a,b")
        known = Axis(name, dict.fromkeys(frame[name].tolist(), ""))
        found = [known.find(label) for label in labels]
        if None in found:
            there = ", ".join(label_text(label) for label in known.labels[:12])
            missing = labels[found.index(None)]
            raise InputError(f"--only {name}={missing}", f"no finished cell of that {name}", f"There are: {there}.")
        frame = frame[frame[name].isin(found)]
    if frame.empty:
        raise InputError("--only", "no finished cell has all these labels", "Leave one of them out.")
    return frame.reset_index(drop=True)


def cell_names(rows: pd.DataFrame, axes: Sequence[str]) -> list[str]:
    """A file name for each cell of an experiment: `<model>_<layer>_<image>`, and what else tells the cells apart."""
    further = [a for a in axes if a not in ("model", "image", "layer") and rows[a].nunique() > 1]
    return file_names(
        [
            (
                str(cell["model"]),
                str(cell["layer"]),
                str(cell["image"]),
                *(f"{axis}{label_text(cell[axis])}" for axis in further),
            )
            for cell in rows.to_dict("records")
        ]
    )
