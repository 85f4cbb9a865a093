"""Finished cells laid out by two axes, as a notebook shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from distcari import markup
from distcari.errors import InputError
from distcari.grid import Axis, Label, label_text
from distcari.store.arrays import Arrays, to_8_bit
from distcari.store.schema import COLUMNS

if TYPE_CHECKING:
    import pandas as pd  # for annotations: workers do without it

MOST = 400  # pictures in one output: it is kept in the notebook's file


@dataclass(frozen=True)
class PictureGrid:
    """Pictures of an experiment under and beside their labels; draws itself in a notebook.

    `cells[row][column]` is the index row of the cell there, None where there is no finished one; `held` the labels on
    the other axes, `guessed` those of them that nobody named.
    """

    arrays: Arrays
    experiment: str
    rows: Axis
    cols: Axis
    cells: tuple[tuple[Mapping[str, Any] | None, ...], ...]
    held: Mapping[str, Label]
    guessed: tuple[str, ...]
    figure: str | None
    size: int

    def _repr_html_(self) -> str:
        said = ", ".join(f"{axis} {label_text(label)}" for axis, label in self.held.items())
        free = f" ({' and '.join(self.guessed)}: the first there is)" if self.guessed else ""
        lines = [
            (
                label_text(label),
                [self._cell(cell, label, other) for cell, other in zip(line, self.cols.labels, strict=True)],
            )
            for label, line in zip(self.rows.labels, self.cells, strict=True)
        ]
        column = COLUMNS[self.figure] if self.figure else None
        foot = f"Below each: {self.figure}" + (f" ({column.unit})" if column and column.unit else "") if column else ""
        return markup.page(
            markup.heading(self.experiment, f"{self.rows.name} × {self.cols.name}{'; ' if said else ''}{said}{free}"),
            markup.grid(self._input(), [label_text(label) for label in self.cols.labels], lines),
            markup.paragraph(foot, "quiet") if foot else "",
        )

    def _cell(self, row: Mapping[str, Any] | None, *at: Label) -> str:
        if row is None:
            here = {**self.held, **dict(zip((self.rows.name, self.cols.name), at, strict=True))}
            there = self.arrays.description.has(str(here["model"]), str(here["layer"]))
            return markup.gap(self.size, "not done" if there else "no such layer")
        labels = [row[axis] for axis in self.arrays.axes]
        name = "Caricature: " + ", ".join(f"{a} {label_text(v)}" for a, v in zip(self.arrays.axes, labels, strict=True))
        shown = markup.picture(to_8_bit(self.arrays.picture(self.arrays.place(labels))), self.size, name)
        if self.figure is None:
            return shown
        import pandas as pd

        value = row[self.figure]
        return shown + (f"{value:.3g}" if pd.notna(value) else "–")

    def _input(self) -> str:
        """The input image for the corner, where all pictures are of one and it was kept."""
        image = self.held.get("image")
        known = self.arrays.description.images.get(str(image))
        if image is None or known is None or not known.sha256:
            return ""
        return markup.picture(self.arrays.input(str(image)), self.size, f"Input image {image}")


def picture_grid(
    arrays: Arrays,
    frame: "pd.DataFrame",
    experiment: str,
    rows: str,
    cols: str,
    figure: str | None,
    size: int,
    at: Mapping[str, Any],
) -> PictureGrid:
    """The grid of an experiment's finished cells `frame`. Raises InputError for axes and labels that are not there."""
    axes = arrays.axes
    for axis in (rows, cols, *at):
        if axis not in axes:
            raise InputError(f"axis {axis!r}", f"{experiment} has no such axis", f"Axes: {', '.join(axes)}.")
    if rows == cols:
        raise InputError(f"rows and cols {rows!r}", "are the same axis", f"Axes: {', '.join(axes)}.")
    if figure is not None and (figure not in COLUMNS or not COLUMNS[figure].is_number):
        near = get_close_matches(figure, [n for n, c in COLUMNS.items() if c.is_number], n=4, cutoff=0.3)
        raise InputError(f"figure {figure!r}", "is no column of numbers in the index", f"Nearest: {', '.join(near)}.")
    if frame.empty:
        raise InputError(f"experiment {experiment}", "has no finished cell yet", "Compute it with distcari.run(…).")
    known = {axis: arrays.labels(axis) for axis in axes}
    held: dict[str, Label] = {}
    guessed = []
    for axis in axes:
        if axis in at and axis not in (rows, cols):
            held[axis] = _labels(axis, at[axis], known, experiment)[0]
        elif axis not in (rows, cols):
            held[axis] = next(label for label in known[axis] if label in set(frame[axis]))
            if len(known[axis]) > 1:
                guessed.append(axis)
    row_labels, col_labels = (
        _labels(axis, at[axis], known, experiment) if axis in at else known[axis] for axis in (rows, cols)
    )
    if (count := len(row_labels) * len(col_labels)) > MOST:
        raise InputError(
            f"{rows} × {cols}",
            f"are {count} pictures; a notebook takes {MOST}",
            f"Name some, e.g. {rows}={[label_text(v) for v in row_labels[:2]]}, or use the dashboard.",
        )
    for axis, label in held.items():
        frame = frame[frame[axis] == label]
    found = {(row[rows], row[cols]): row for row in _records(frame)}
    return PictureGrid(
        arrays,
        experiment,
        Axis(rows, dict.fromkeys(row_labels, "")),
        Axis(cols, dict.fromkeys(col_labels, "")),
        tuple(tuple(found.get((one, other)) for other in col_labels) for one in row_labels),
        held,
        tuple(guessed),
        figure,
        size,
    )


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(column): value for column, value in row.items()} for row in frame.to_dict("records")]


def _labels(axis: str, wanted: Any, known: Mapping[str, list[Label]], experiment: str) -> list[Label]:
    """The labels that are meant, one or a list of them; layers also with dots."""
    found = []
    for given in wanted if isinstance(wanted, list | tuple) else [wanted]:
        text = str(given).replace(".", "_") if axis == "layer" else given
        label = Axis(axis, dict.fromkeys(known[axis], "")).find(text)
        if label is None:
            texts = [label_text(one) for one in known[axis]]
            near = get_close_matches(str(given), texts, n=4, cutoff=0.3) or texts[:8]
            raise InputError(f"{axis} {given!r}", f"{experiment} has no such label", f"Nearest: {', '.join(near)}.")
        found.append(label)
    if not found:
        raise InputError(f"{axis}", "names no label", f"There are: {', '.join(map(str, known[axis][:8]))}.")
    return found
