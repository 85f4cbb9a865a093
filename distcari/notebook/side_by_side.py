"""Two to four pictures of a store under one zoom, side by side or swiped over one another: a widget of a notebook."""

import io
from base64 import b64encode
from pathlib import Path
from typing import Any, Literal

import anywidget
import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray
from PIL import Image

from distcari.errors import InputError
from distcari.grid import Label, label_text
from distcari.store import Store, open_store
from distcari.store.arrays import to_8_bit
from distcari.store.show import PictureGrid

MOST = 4  # pictures
_HERE = Path(__file__).parent


class SideBySide(anywidget.AnyWidget):  # type: ignore[misc]
    """The widget. `mode` is `side` or `swipe`; its pictures are as stored, rounded to 8 bit, in the notebook itself.

    Where no widget can be drawn, it is the pictures in a row.
    """

    _esm, _css = _HERE / "side_by_side.js", _HERE / "side_by_side.css"
    pictures = traitlets.List(traitlets.Dict()).tag(sync=True)
    mode = traitlets.Enum(["side", "swipe"], "side").tag(sync=True)

    def __init__(self, grid: PictureGrid, mode: str = "side") -> None:
        super().__init__(pictures=_pictures(grid), mode=mode)
        self._still = grid._repr_html_()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and the pictures for whoever cannot draw it."""
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return {**data, "text/plain": "Side by side", "text/html": self._still}, metadata


def side_by_side(
    store: Store | str,
    experiment: str | None = None,
    along: str = "model",
    *,
    mode: Literal["side", "swipe"] = "side",
    figure: str | None = "robust_cosine",
    **at: Any,
) -> SideBySide:
    """Two to four finished cells that differ in one axis, under one zoom.

    `at` chooses labels by axis: a list of two to four of `along` (without one, its first four), one of any other (the
    first there is, and the captions say which). `figure` stands in the captions. Drag moves, + and − zoom (the wheel
    too, once a picture was clicked), 0 fits, s and w are side by side and swipe. Raises InputError for names that are
    not there, and for fewer than two pictures or more than four.
    """
    store = open_store(store) if isinstance(store, str) else store
    if mode not in ("side", "swipe"):
        raise InputError(f"mode {mode!r}", "is no mode", "Give side or swipe.")
    other = "layer" if along != "layer" else "model"
    name = experiment or store._only_experiment()
    grid = store.show(name, other, along, figure=figure, size=240, **_one(store, name, along, other, at))
    if not 2 <= (count := len(_cells(grid))) <= MOST:
        raise InputError(
            f"{along} of {grid.experiment}",
            f"gives {count} finished pictures",
            f"Name two to {MOST}, e.g. {along}={[label_text(label) for label in grid.cols.labels[:2]]}.",
        )
    return SideBySide(grid, mode)


def _one(store: Store, experiment: str, along: str, other: str, at: dict[str, Any]) -> dict[str, Any]:
    """The labels with one for the axis that stands in columns, and at most four along the other."""
    try:
        arrays = store.arrays(experiment)
    except KeyError:
        return at  # `show` says so
    found = dict(at)
    if isinstance(found.get(other), list | tuple) and len(found[other]) != 1:
        raise InputError(f"{other}", f"has {len(found[other])} labels", f"Name one; several only of {along}.")
    if other in arrays.axes:
        found.setdefault(other, arrays.labels(other)[0])
    if along in arrays.axes:
        found.setdefault(along, arrays.labels(along)[:MOST])
    return found


def _cells(grid: PictureGrid) -> list[tuple[Label, Any]]:
    return [(label, cell) for label, cell in zip(grid.cols.labels, grid.cells[0], strict=True) if cell is not None]


def _pictures(grid: PictureGrid) -> list[dict[str, str]]:
    """What the widget draws: source, label, caption, and text for those who do not see it."""
    made = []
    for label, row in _cells(grid):
        labels = [row[axis] for axis in grid.arrays.axes]
        name = ", ".join(f"{axis} {label_text(v)}" for axis, v in zip(grid.arrays.axes, labels, strict=True))
        value = "" if grid.figure is None else f"; {grid.figure} {_number(row[grid.figure])}"
        pixels = to_8_bit(grid.arrays.picture(grid.arrays.place(labels)))
        made.append(
            {"src": _png(pixels), "label": label_text(label), "caption": name + value, "alt": f"Caricature: {name}"}
        )
    return made


def _number(value: Any) -> str:
    return f"{value:.3g}" if pd.notna(value) else "–"


def _png(pixels: NDArray[np.uint8]) -> str:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", optimize=True)
    return "data:image/png;base64," + b64encode(content.getvalue()).decode()
