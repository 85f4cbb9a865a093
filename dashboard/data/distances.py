"""How far apart models see: the mean ΔE2000 between two models' pictures of the same image, layer and seed.

Pictures are compared at 64 × 64 (area averaged), where a colour's or a shape's change counts and noise between single
pixels does not; ΔE2000 (CIEDE2000, scikit-image) of 1 is just noticeable, the same measure as in side by side. Cost is
bounded: at most MOST comparisons for a first answer, each about 1 ms; of more places some are taken so that each image,
layer and seed counts equally often, and the result says how many. The others follow while that is looked at.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, proxy

import numpy as np
import pandas as pd
from cachetools import LRUCache
from numpy.typing import NDArray

from distcari.analysis.metrics import SIDE as SIDE
from distcari.analysis.metrics import mean_delta_e, small_lab
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.pictures import PictureError, values

MOST, MOST_PICTURES, MOST_MODELS = 3000, 480, 40  # of a first answer
MOST_BEHIND = 60_000  # comparisons while the first answer is looked at
NOISE_PAIRS = 24  # pairs of seeds that are compared at a layer
KEPT = 4096  # small pictures in memory, 48 KB each as float32 Lab

Place = tuple[str, ...]  # a cell's labels without its model


@dataclass(frozen=True)
class Matrix:
    """Distances between models (models, models), NaN where they share no picture; and between pictures one by one."""

    models: tuple[str, ...]
    mean: NDArray[np.float64]
    places: tuple[Place, ...]  # those compared; labels of `axes`
    axes: tuple[str, ...]
    each: NDArray[np.float64]  # (places, models, models)
    rows: Mapping[tuple[str, Place], Mapping[str, Any]]
    total: int  # places there are
    models_left_out: int

    def ordered(self) -> "Matrix":
        """With models that see alike beside each other (average linkage, leaves in optimal order)."""
        if len(self.models) < 3 or np.isnan(self.mean).any():
            return self
        from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
        from scipy.spatial.distance import squareform

        flat = squareform(self.mean, checks=False)
        at = leaves_list(optimal_leaf_ordering(linkage(flat, "average"), flat))
        models = tuple(self.models[i] for i in at)
        return Matrix(
            models,
            self.mean[np.ix_(at, at)],
            self.places,
            self.axes,
            self.each[:, at][:, :, at],
            self.rows,
            self.total,
            self.models_left_out,
        )


_of_catalogs: "WeakKeyDictionary[Catalog, Distances]" = WeakKeyDictionary()


def distances_of(catalog: Catalog) -> "Distances":
    """A catalog's distances, the same for all views."""
    return _of_catalogs.setdefault(catalog, Distances(catalog))


class Distances:
    """Matrices of a catalog's cells, computed when asked for and kept. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = proxy(catalog)  # it is the catalog that keeps this
        self._small: LRUCache[str, NDArray[np.float32]] = LRUCache(KEPT)
        self._matrices: LRUCache[Any, Matrix] = LRUCache(32)
        self._noises: LRUCache[Any, dict[str, float]] = LRUCache(16)
        self._lock = threading.Lock()  # of what is kept
        self._asked = threading.Lock()  # one first answer at a time: a second question waits for its pictures
        self._behind = threading.Lock()  # one at a time behind the first answers
        self.growing: dict[Any, threading.Thread] = {}

    def matrix(self, experiments: Sequence[str], held: Mapping[str, str]) -> Matrix:
        """The matrix over the finished cells with these labels: over MOST comparisons at once, over all a while later.

        While more is being compared, `is_growing` is true.
        """
        frame, axes, left_out = self._frame(experiments, held)
        name = self._name(experiments, held, frame)
        with self._asked:
            with self._lock:
                known = self._matrices.get(name)
            if known is None:
                known = self._keep(name, self._compute(frame, axes, left_out, MOST, MOST_PICTURES))
                if len(known.places) < known.total:
                    rest = (name, frame, axes, left_out)
                    self.growing[name] = threading.Thread(target=self._complete, args=rest, daemon=True)
                    self.growing[name].start()
        return known

    def once(self, experiments: Sequence[str]) -> Matrix:
        """The first answer over all labels, with nothing compared behind it: for who looks once."""
        return self._compute(*self._frame(experiments, {}), MOST, MOST_PICTURES)

    def is_growing(self, experiments: Sequence[str], held: Mapping[str, str]) -> bool:
        """Whether a better matrix than the present one is being computed."""
        return self._name(experiments, held, self._frame(experiments, held)[0]) in self.growing

    def noise(self, experiments: Sequence[str]) -> dict[str, float]:
        """The mean ΔE2000 between two seeds of one model, image and layer, by layer; none with one seed."""
        frame = self.catalog.frame(experiments)
        seeds = self.catalog.labels(experiments, "seed")[:2]
        if len(seeds) < 2:
            return {}
        name = ("noise", tuple(experiments), self.catalog.version())
        with self._lock:
            known = self._noises.get(name)
        if known is None:
            two = frame[[text(seed) in seeds for seed in frame["seed"]]]
            axes = [axis for axis in self.catalog.axes(experiments) if axis not in ("seed", "experiment")]
            known = {
                str(layer): value
                for layer, part in two.groupby("layer", observed=True)
                if not np.isnan(value := self._between_seeds(part, ["experiment", *axes]))
            }
            with self._lock:
                self._noises[name] = known
        return known

    def _between_seeds(self, rows: pd.DataFrame, axes: list[str]) -> float:
        groups = [part for _, part in rows.groupby(axes, observed=True, sort=False) if len(part) == 2]
        chosen = (
            [groups[i] for i in np.unique(np.linspace(0, len(groups) - 1, NOISE_PAIRS).astype(int))] if groups else []
        )
        labs = [[self._lab({str(k): v for k, v in r.items()}) for r in part.to_dict("records")] for part in chosen]
        found = [float(mean_delta_e(a, b[None])[0]) for a, b in labs if a is not None and b is not None]
        return float(np.mean(found)) if found else np.nan

    def _name(self, experiments: Sequence[str], held: Mapping[str, str], frame: pd.DataFrame) -> Any:
        return tuple(experiments), tuple(sorted(held.items())), tuple(frame["pixels_sha256"])

    def _keep(self, name: Any, matrix: Matrix) -> Matrix:
        with self._lock:
            self._matrices[name] = matrix
        return matrix

    def _complete(self, name: Any, frame: pd.DataFrame, axes: tuple[str, ...], left_out: int) -> None:
        try:
            with self._behind:
                self._keep(name, self._compute(frame, axes, left_out, MOST_BEHIND, KEPT))
        finally:
            del self.growing[name]

    def _frame(self, experiments: Sequence[str], held: Mapping[str, str]) -> tuple[pd.DataFrame, tuple[str, ...], int]:
        frame = self.catalog.frame(experiments)
        axes = tuple(a for a in ("experiment", *self.catalog.axes(experiments)) if a != "model" and a in frame)
        axes = tuple(dict.fromkeys(axes))
        for axis, label in held.items():
            if axis in frame:
                frame = frame[frame[axis].isin([value for value in frame[axis].unique() if text(value) == label])]
        models = [m for m in self.catalog.labels(experiments, "model") if m in set(frame["model"].unique())]
        left_out = max(0, len(models) - MOST_MODELS)
        return frame[frame["model"].isin(models[:MOST_MODELS])], axes, left_out

    def _compute(
        self, frame: pd.DataFrame, axes: tuple[str, ...], left_out: int, comparisons: int, pictures: int
    ) -> Matrix:
        models = tuple(
            m
            for m in self.catalog.labels(list(frame["experiment"].unique()), "model")
            if m in set(frame["model"].unique())
        )
        sizes = frame.groupby(list(axes), sort=False, observed=True, dropna=False).size()
        shared = sizes[sizes > 1].index
        pairs = max(1, len(models) * (len(models) - 1) // 2)
        most = max(1, min(comparisons // pairs, pictures // max(1, len(models))))
        places = [_place(labels) for labels in shared]
        chosen = [places[i] for i in evenly(places, most)]
        rows = self._rows(frame, axes, set(chosen))
        each = np.full((len(chosen), len(models), len(models)), np.nan)
        for p, place in enumerate(chosen):
            small = {
                i: lab
                for i, m in enumerate(models)
                if (m, place) in rows and (lab := self._lab(rows[m, place])) is not None
            }
            _between(each[p], small)
        known = ~np.isnan(each)
        counts = known.sum(axis=0)
        mean = np.where(counts > 0, np.where(known, each, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)
        np.fill_diagonal(mean, 0)
        return Matrix(models, mean, tuple(chosen), axes, each, rows, len(shared), left_out)

    def _rows(
        self, frame: pd.DataFrame, axes: tuple[str, ...], chosen: set[Place]
    ) -> dict[tuple[str, Place], Mapping[str, Any]]:
        places = [_place(labels) for labels in zip(*(frame[axis] for axis in axes), strict=True)]
        at = [i for i, place in enumerate(places) if place in chosen]
        records = frame.iloc[at].to_dict("records")
        return {
            (str(r["model"]), places[i]): {str(k): v for k, v in r.items()} for i, r in zip(at, records, strict=True)
        }

    def _lab(self, row: Mapping[str, Any]) -> NDArray[np.float32] | None:
        """A picture in CIELAB, (64, 64, 3) at most; None if it cannot be read now."""
        sha = str(row["pixels_sha256"])
        with self._lock:
            known = self._small.get(sha)
        if known is None:
            try:
                known = small_lab(values(self.catalog, row))
            except (PictureError, KeyError, OSError, ValueError):
                return None
            with self._lock:
                self._small[sha] = known
        return known


def evenly(places: Sequence[Place], most: int) -> list[int]:
    """Positions of at most so many places, in order, each label of each axis as often as the others, or once more."""
    if len(places) <= most:
        return list(range(len(places)))
    codes = [np.unique(labels, return_inverse=True)[1] for labels in np.array(places, object).astype(str).T]
    counts = [np.zeros(code.max() + 1) for code in codes]
    order = np.random.default_rng(0).permutation(len(places))  # among equals: no axis's order decides
    free, taken = np.ones(len(places), bool), []
    for _ in range(most):
        # An excess counts by its square, so that no axis is balanced at the cost of another.
        cost = sum(count[code] ** 2 for count, code in zip(counts, codes, strict=True))
        at = order[np.argmin(np.where(free, cost, np.inf)[order])]
        free[at] = False
        taken.append(int(at))
        for count, code in zip(counts, codes, strict=True):
            count[code[at]] += 1
    return sorted(taken)


def _place(labels: Any) -> Place:
    return tuple(text(label) for label in (labels if isinstance(labels, tuple) else (labels,)))


def _between(out: NDArray[np.float64], small: Mapping[int, NDArray[np.float32]]) -> None:
    """Fill in the mean ΔE2000 of each pair of pictures, symmetric; 0 on the diagonal."""
    for i in small:
        out[i, i] = 0
        others = [j for j in small if j > i]
        if others:
            out[i, others] = out[others, i] = mean_delta_e(small[i], np.stack([small[j] for j in others]))
