"""Cells in groups: by a label, or by the range a figure lies in; what each group holds of another figure.

A column of labels groups by itself, in the store's order. A figure with more than a few values groups by ranges of
equal width. Groups count their failed cells too, so that a mean never hides what is missing from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.columns import FIGURES, NUMBERS
from distcari.dashboard.data.labels import text
from distcari.store.schema import SETTINGS

# Columns beside the axes that group by themselves.
TRAITS = ("layer_kind", *(name for name in SETTINGS if name != "steps"), "device", "node", "run_id", "distcari_version")
PLACE = ("experiment", "image", "layer", "seed", *SETTINGS)  # axes, and settings that are axes where they are swept
BINS = 8
ALL = "all cells"


@dataclass(frozen=True)
class Groups:
    """Which group each row is in: `codes[i]` is an index of `labels`, -1 for none."""

    labels: tuple[str, ...]
    codes: NDArray[np.intp]


@dataclass(frozen=True)
class Summary:
    """One group's values in short; NaN without any."""

    n: int
    failed: int
    mean: float
    sd: float
    median: float
    low: float
    high: float


def columns(catalog: Catalog, experiments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What can be grouped by as text (axes first, then traits that vary), and the figures that have values."""
    frame = catalog.frame(experiments)
    axes = [axis for axis in catalog.axes(experiments) if axis in frame]
    traits = [name for name in TRAITS if name in frame and frame[name].nunique() > (name != "layer_kind")]
    traits = [name for name in traits if name not in axes]
    traits += [tag for tag in catalog.tags(experiments) if frame[tag].nunique() > 1]
    return axes + traits, [name for name in FIGURES if name in frame and name not in axes and frame[name].notna().any()]


def group(catalog: Catalog, experiments: Sequence[str], frame: pd.DataFrame, column: str) -> Groups:
    """The frame's rows by a column; "" puts all into one group."""
    if not column or column not in frame:
        return Groups((ALL,), np.zeros(len(frame), np.intp))
    is_axis = column in catalog.axes(experiments)
    if column in NUMBERS and column not in TRAITS and not is_axis:
        groups = _ranges(frame[column].to_numpy(float))
        return _named(groups, frame) if column == "layer_depth" and "layer" in frame else groups
    codes, found = pd.factorize(frame[column])
    names = [text(label) for label in found]
    if is_axis:
        order = catalog.labels(experiments, column)
    elif column in catalog.tags(experiments):
        order = list(catalog.tagged(experiments, column))
    else:
        order = [text(label) for label in sorted(found)]
    labels = tuple(name for name in order if name in set(names))
    at = {name: i for i, name in enumerate(labels)}
    place = np.array([*(at.get(name, -1) for name in names), -1], np.intp)
    return Groups(labels, place[codes])


def _named(groups: Groups, frame: pd.DataFrame) -> Groups:
    """Depths with the name of the layer that stands there, where it is one and the labels stay apart."""
    pairs = pd.DataFrame({"code": groups.codes, "layer": frame["layer"].to_numpy()}).drop_duplicates()
    alone = pairs[(pairs["code"] >= 0) & ~pairs["code"].duplicated(keep=False)]
    labels = list(groups.labels)
    for code, layer in zip(alone["code"], alone["layer"], strict=True):
        labels[code] = f"{text(layer)} ({labels[code]})"
    return Groups(tuple(labels), groups.codes)


def _ranges(values: NDArray[np.float64]) -> Groups:
    known = values[np.isfinite(values)]
    if not known.size:
        return Groups((), np.full(len(values), -1, np.intp))
    unique = np.unique(known[:10_000])
    if len(unique) <= BINS and (few := np.unique(known)).size <= BINS:
        codes = np.searchsorted(few, values)
        return Groups(tuple(f"{v:.4g}" for v in few), np.where(np.isfinite(values), codes, -1).astype(np.intp))
    edges = np.linspace(known.min(), known.max(), BINS + 1)
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, BINS - 1)
    digits = max(0, 2 - int(np.floor(np.log10(edges[1] - edges[0]))))
    ends = [f"{edge:.{digits}f}" for edge in edges] if digits < 7 else [f"{edge:.3g}" for edge in edges]
    labels = tuple(f"{a} – {b}" for a, b in pairwise(ends))
    return Groups(labels, np.where(np.isfinite(values), codes, -1).astype(np.intp))


def cells(catalog: Catalog, experiments: Sequence[str], held: dict[str, str], wanted: Sequence[str]) -> pd.DataFrame:
    """Finished and failed cells with the held labels: the axes, `key`, `failed`, and the wanted columns.

    A failed cell has no figures; its layer's kind and depth are those of finished cells of the same model and layer.
    """
    axes = [axis for axis in ("experiment", *catalog.axes(experiments)) if axis in catalog.frame()]
    names = list(dict.fromkeys(["key", *axes, *wanted]))
    done = _only(catalog.frame(experiments), held)
    lost = _only(catalog.failures(experiments), held)
    done = done[[name for name in names if name in done]].assign(failed=False)
    if not len(lost):
        return done.reset_index(drop=True)
    lost = lost[[name for name in names if name in lost]].assign(failed=True)
    of_layer = [name for name in ("layer_kind", "layer_depth") if name in names]
    if of_layer:
        shared = ["experiment", "model", "layer"]
        lost = lost.merge(done.drop_duplicates(shared)[[*shared, *of_layer]], on=shared, how="left")
    return pd.concat([done, lost], ignore_index=True)


def against(frame: pd.DataFrame, reference: str, figures: Sequence[str]) -> pd.DataFrame:
    """Each cell's figures less the reference model's at the same place; the cells that have a counterpart there.

    A place is a combination of the labels on all axes but `model`. Failed cells stay, without figures.
    """
    axes = [name for name in frame if name not in ("key", "failed", "model", *figures) and name in PLACE]
    own = frame[(frame["model"] == reference) & ~frame["failed"]].drop_duplicates(axes)
    others = frame[frame["model"] != reference]
    found = others.merge(own[[*axes, *figures]], "left", axes, suffixes=("", "_of_reference"))
    found[list(figures)] = found[list(figures)].to_numpy(float) - found[
        [f"{name}_of_reference" for name in figures]
    ].to_numpy(float)
    known = found["failed"] | found[list(figures)].notna().any(axis=1)
    return found.loc[known, list(frame)].reset_index(drop=True)


def _only(frame: pd.DataFrame, held: dict[str, str]) -> pd.DataFrame:
    for axis, label in held.items():
        if axis in frame:
            frame = frame[frame[axis].isin([value for value in frame[axis].unique() if text(value) == label])]
    return frame


def summaries(
    values: NDArray[np.float64], codes: NDArray[np.intp], failed: NDArray[np.bool_], count: int
) -> list[Summary]:
    """Each of the groups 0 … count - 1 in short."""
    lost = np.bincount(codes[failed & (codes >= 0)], minlength=count)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(count + 1))
    found = []
    for i in range(count):
        v = values[order[bounds[i] : bounds[i + 1]]]
        v = v[np.isfinite(v)]
        nan = float("nan")
        low, median, high = np.percentile(v, [0, 50, 100]) if v.size else (nan, nan, nan)
        found.append(
            Summary(
                int(v.size),
                int(lost[i]),
                float(v.mean()) if v.size else nan,
                float(v.std(ddof=1)) if v.size > 1 else nan,
                float(median),
                float(low),
                float(high),
            )
        )
    return found


def spread(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Positions of at most so many values, evenly from the lowest to the highest; NaN are left out."""
    order: NDArray[np.intp] = np.argsort(values)
    order = order[: int(np.isfinite(values).sum())]
    if len(order) <= most:
        return order
    return np.asarray(order[np.round(np.linspace(0, len(order) - 1, most)).astype(int)])
