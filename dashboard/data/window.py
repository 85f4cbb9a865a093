"""What Compare shows of a store: which axes lie where, what the others are held at, which part of the grid is seen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.columns import FIGURES
from distcari.dashboard.data.distances import distances_of
from distcari.dashboard.data.facets import Facets
from distcari.dashboard.data.families import family
from distcari.dashboard.data.folding import folded
from distcari.dashboard.data.state import Labels, State

MOST_COLS, MOST_TILES = 40, 960  # shown at once; more is a page further on
LIKENESS = "likeness"  # the order of the models' tree, in place of a figure
SORTABLE = 20_000  # slots that are sorted as a whole; of more, a page by itself


@dataclass(frozen=True)
class Shown:
    """A state with its defaults filled in from the store: which axes lie where, and what the others are held at."""

    scope: tuple[str, ...]  # experiments whose labels are shown
    axes: tuple[str, ...]
    rows: str
    cols: str
    at: Labels


def resolve(catalog: Catalog, state: State) -> Shown:
    """What a state shows: models × layers of the first image, unless it says otherwise."""
    experiments = catalog.chosen(state)
    axes = catalog.axes(experiments)
    rows = state.rows if state.rows in axes else _first(("model", *axes), "" if state.cols not in axes else state.cols)
    cols = state.cols if state.cols in axes and state.cols != rows else _first(("layer", "model", *axes), rows)
    scope = experiments
    if len(experiments) > 1 and "experiment" not in (rows, cols):
        scope = (state.at["experiment"],) if state.at.get("experiment") in experiments else experiments[:1]
    at = {}
    for axis in axes:
        if axis not in (rows, cols):
            labels = catalog.labels(scope, axis)
            at[axis] = state.at[axis] if state.at.get(axis) in labels else next(iter(labels), "")
    return Shown(scope, tuple(axes), rows, cols, at)


def _first(wanted: tuple[str, ...], taken: str) -> str:
    return next((axis for axis in wanted if axis != taken), "model")


@dataclass(frozen=True)
class Part:
    """Where a part lies on its axis: labels start … start + size of `length`; `name` is its offset in the URL."""

    axis: str
    name: str
    start: int
    size: int
    length: int

    @property
    def labels(self) -> slice:
        """Its positions."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class Window:
    """The part of the grid that is shown, sorted, and how many slots of the whole have which status."""

    grid: Facets
    counts: Counter[str]
    rows: Part
    cols: Part
    groups: Mapping[str, str] = field(default_factory=dict)  # a model's value of the tag that groups


def window(catalog: Catalog, state: State, shown: Shown) -> Window:
    """The part of the grid that a state shows; sorted as a whole up to SORTABLE slots, else the part by itself."""
    of = family(catalog, shown.scope, state.own("by"), state.own("only"))
    row_labels, col_labels = (
        list(of.models) if axis == "model" else catalog.labels(shown.scope, axis) for axis in (shown.rows, shown.cols)
    )
    n_cols = min(len(col_labels), MOST_COLS)
    n_rows = max(1, min(len(row_labels), MOST_TILES // max(n_cols, 1)))
    rows = Part(shown.rows, "row0", _offset(state.own("row0"), len(row_labels)), n_rows, len(row_labels))
    cols = Part(shown.cols, "col0", _offset(state.own("col0"), len(col_labels)), n_cols, len(col_labels))
    fold = bool(state.own("fold") and of.values and "model" in (shown.rows, shown.cols))
    whole = fold or rows.length * cols.length <= SORTABLE
    if not whole:
        row_labels, col_labels = row_labels[rows.labels], col_labels[cols.labels]
    grid = catalog.grid(shown.scope, shown.rows, shown.cols, shown.at, row_labels, col_labels)
    counts = Counter(str(slot.status) for line in grid.slots for slot in line)
    if state.sort_rows and state.sort_rows[0] in FIGURES:
        grid = grid.sorted("rows", *state.sort_rows)
    if state.sort_cols and state.sort_cols[0] in FIGURES:
        grid = grid.sorted("cols", *state.sort_cols)
    if shown.rows == "model" and state.sort_rows and state.sort_rows[0] == LIKENESS:
        grid = _alike(catalog, shown, grid, "rows")
    if shown.cols == "model" and state.sort_cols and state.sort_cols[0] == LIKENESS:
        grid = _alike(catalog, shown, grid, "cols")
    grid = of.grouped(grid, shown.rows, shown.cols)
    if fold:
        grid = folded(of, grid, shown.rows, shown.cols)
        rows, cols = replace(rows, length=len(grid.rows)), replace(cols, length=len(grid.cols))
    if whole:
        lines = tuple(line[cols.labels] for line in grid.slots[rows.labels])
        grid = Facets(grid.rows[rows.labels], grid.cols[cols.labels], lines)
    return Window(grid, counts, rows, cols, {} if fold else of.values)


def _alike(catalog: Catalog, shown: Shown, grid: Facets, side: Literal["rows", "cols"]) -> Facets:
    """With models that see alike at the layer held (or over all layers) beside each other; unknown ones last."""
    held = {"layer": shown.at["layer"]} if "layer" in shown.at else {}
    order = distances_of(catalog).matrix(shown.scope, held).ordered().models
    labels, rank = grid.rows if side == "rows" else grid.cols, {model: i for i, model in enumerate(order)}
    return grid.taken(side, sorted(range(len(labels)), key=lambda i: rank.get(labels[i], len(rank))))


def _offset(text: str, length: int) -> int:
    return min(int(text), max(length - 1, 0)) if text.isdecimal() and len(text) < 9 else 0
