"""One experiment of a store as the analysis sees it: rows, axes, pictures, and blocks of what may be compared."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.errors import InputError
from distcari.store import Store, open_store
from distcari.store.arrays import Arrays

_KEPT = 512  # pictures in memory


@dataclass(frozen=True)
class Study:
    """An experiment's finished cells."""

    store: Store
    experiment: str
    rows: pd.DataFrame
    arrays: Arrays
    _kept: "OrderedDict[str, NDArray[np.float32]]" = field(default_factory=OrderedDict, repr=False)

    @property
    def axes(self) -> list[str]:
        """All axes in order."""
        return self.arrays.axes

    @property
    def blocks(self) -> list[str]:
        """The axes whose labels together make a block: image, layer, any swept setting; all but model and seed."""
        return [axis for axis in self.axes if axis not in ("model", "seed")]

    @property
    def models(self) -> list[str]:
        """Models with a finished cell, in the store's order."""
        return self.known("model")

    @property
    def tags(self) -> pd.DataFrame:
        """Their tags: a row for each, in the store's order, a column for each tag that one of them has."""
        models = self.store.models(self.experiment).set_index("model").reindex(self.models)
        return models.drop(columns=["experiment", "checksum", "parameters", "classes"]).dropna(axis=1, how="all")

    def known(self, axis: str) -> list[Any]:
        """Labels of an axis that have a finished cell, in the store's order."""
        there = set(self.rows[axis].unique())
        return [label for label in self.arrays.labels(axis) if label in there]

    def of(self, models: Sequence[str], **labels: Any) -> pd.DataFrame:
        """The rows of these models, at these labels of other axes (None: all). Raises InputError for unknown ones."""
        rows = self.rows[self.rows["model"].isin([self.label("model", m) for m in models])]
        for axis, label in labels.items():
            if label is not None:
                rows = rows[rows[axis] == self.label(axis, label)]
        return rows

    def at_layers(self, rows: pd.DataFrame, layers: Sequence[str] | None) -> pd.DataFrame:
        """Those of the rows that are at these layers (None: all). Raises InputError for unknown ones."""
        if layers is None:
            return rows
        return rows[rows["layer"].isin([self.label("layer", layer) for layer in layers])]

    def in_common(self, rows: pd.DataFrame, models: int) -> pd.DataFrame:
        """Those of the rows that are of blocks in which all of so many models have a cell."""
        return rows[rows.groupby(self.blocks, observed=True)["model"].transform("nunique") == models]

    def label(self, axis: str, given: Any) -> Any:
        """The label of an axis that is meant; layers also with dots. Raises InputError with the nearest ones."""
        if axis not in self.axes:
            raise InputError(f"axis {axis!r}", f"{self.experiment} has no such axis", f"Axes: {', '.join(self.axes)}.")
        known = self.known(axis)
        for label in known:
            if given == label or str(given).replace(".", "_") == str(label).replace(".", "_"):
                return label
        texts = [str(label) for label in known]
        near = get_close_matches(str(given), texts, n=4, cutoff=0.3) or texts[:8]
        raise InputError(
            f"{axis} {given!r}", f"{self.experiment} has no finished cell of it", f"Nearest: {', '.join(near)}."
        )

    def picture(self, key: str) -> NDArray[np.float32]:
        """A cell's picture, float32 (y, x, 3) in [0, 1]."""
        if key not in self._kept:
            row = self.rows.loc[self.rows["key"] == key].iloc[0]
            self._kept[key] = self.arrays.picture(self.arrays.place([row[axis] for axis in self.axes]))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    def by_block(
        self, rows: pd.DataFrame, axes: Sequence[str] | None = None
    ) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
        """Rows by their labels on some axes (default: `blocks`), in the store's order; in each by model and seed.

        Rows with labels that the arrays do not have (yet) are left out.
        """
        axes = self.blocks if axes is None else list(axes)
        labels = {axis: pd.Index(self.arrays.labels(axis)) for axis in {*axes, "model", "seed"}}
        places = {axis: of.get_indexer(pd.Index(rows[axis])) for axis, of in labels.items()}
        order = np.lexsort([places[axis] for axis in ("seed", "model", *reversed(axes))])
        blocks = np.column_stack([places[axis] for axis in axes])[order]
        known = (blocks >= 0).all(axis=1)
        order, blocks = order[known], blocks[known]
        starts = np.flatnonzero((blocks[1:] != blocks[:-1]).any(axis=1)) + 1
        ordered = rows.iloc[order]
        for start, stop in pairwise([0, *starts.tolist(), len(ordered)]):
            part = ordered.iloc[start:stop]
            if len(part):
                yield tuple(part[axis].iloc[0] for axis in axes), part


def open_study(store: Store | str | Study, experiment: str | None = None) -> Study:
    """An experiment of a store, given by its place or opened. Raises InputError where it is not clear which.

    A store with one experiment needs no name.
    """
    if isinstance(store, Study):
        return store
    if isinstance(store, str):
        store = open_store(store)
    names = store.experiments()
    if not names:
        raise InputError(f"store {store.url}", "holds no experiment", "Compute one: distcari submit CONFIG")
    if experiment is None and len(names) > 1:
        raise InputError(
            f"store {store.url}",
            f"holds {len(names)} experiments: {', '.join(names)}",
            "Say which: experiment=… or --experiment.",
        )
    name = experiment or names[0]
    if name not in names:
        near = get_close_matches(name, names, n=4, cutoff=0.3) or names[:8]
        raise InputError(f"experiment {name!r}", f"{store.url} has no such experiment", f"Nearest: {', '.join(near)}.")
    rows = store.table()
    rows = rows[rows["experiment"] == name].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"experiment {name}", "has no finished cell yet", "Submit its config again.")
    return Study(store, name, rows, store.arrays(name))
