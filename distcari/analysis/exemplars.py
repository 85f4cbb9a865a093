"""Natural exemplars: which pictures of a folder a layer responds to most as to a cell's input.

A caricature is drawn towards the direction of the layer's response to its input; an exemplar is a real picture whose
response points there most, by the same cosine as the index's column `cosine`. People tell what a layer answers to
better by both than by one (Borowski et al., ICLR 2021).

    find_exemplars("store", "photos")
    distcari.open_store("store").exemplars("demo")
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from distcari.analysis.activations import network_of, spec_of
from distcari.analysis.ranking import By, Ranking, View
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.grid import Label
from distcari.render import Network, devices
from distcari.sources.folder import PictureFolder
from distcari.store import Store
from distcari.store.exemplars import BEFORE, put_exemplars

DIRECTIONS = 1 << 30  # bytes of directions held at once
Progress = Callable[[str, int, int], None]  # the model at hand, passes done, passes in all


@dataclass(frozen=True)
class Exemplars:
    """The new rows, and a sentence for each model and file that was left out."""

    rows: pd.DataFrame
    left_out: list[str]


def find_exemplars(
    store: Store | str | Study,
    folder: str,
    *,
    experiment: str | None = None,
    only: Mapping[str, Collection[Label]] | None = None,
    top: int = 6,
    crops: bool = False,
    by: By = "places",
    progress: Progress = lambda model, done, total: None,
) -> Exemplars:
    """Rank a folder's pictures for each model, layer and image of an experiment, and keep the first `top` of each.

    Each file counts once: as its central square, or with `crops` as the one of it and of nine overlapping squares of
    half its side that points most in the direction. `by`: `places` holds response against response place by place, as
    the index's cosine does; `channels` their means over all places, so that it does not matter where something is.

    A file that shows the input itself is left out of its ranking. What is found for a model is in the store when the
    next model begins. Raises InputError, before any work, for a folder without a picture that can be read, for labels
    that are not there, and for models whose weights are gone.
    """
    study = open_study(store, experiment)
    if by not in get_args(By):
        raise InputError(f"by {by!r}", "is no way to compare", f"Give {' or '.join(get_args(By))}.")
    if top < 1:
        raise InputError("top", f"is {top}", "Give 1 or more.")
    rows = _selected(study, only or {})
    views, left_out = _views(study, rows), []
    for name in [name for name in views if "source" not in study.arrays.meta["models"].get(name, {})]:
        left_out.append(f"{name}: a difference of networks, or adopted: it has no network of its own")
        del views[name]
    if not views:
        raise InputError(f"experiment {study.experiment}", "; ".join(left_out), "Choose an experiment of networks.")
    pictures = PictureFolder(folder, f"--from {folder}")
    specs = {name: spec_of(study, name) for name in views}
    done, total = 0, len(pictures.files) * sum(map(len, views.values()))
    made = []
    for name, spec in specs.items():
        network = network_of(spec, devices.accelerator() or "cpu")
        progress(name, done, total)
        for some in _held_together(study, network, views[name], name):
            ranking = Ranking(study, name, network, some, len(pictures.files), by)
            for looked in ranking.look(pictures, crops):
                progress(name, done + looked * len(some), total)
            done += len(pictures.files) * len(some)
            progress(name, done, total)
            part = ranking.best(pictures, top, study.store).assign(
                experiment=study.experiment, model=name, model_sha256=spec.sha256, folder=folder, by=by
            )
            if len(part):
                put_exemplars(study.store.files, study.experiment, part)
                made.append(part)
    left_out += [f"{file}: {why}" for file, why in pictures.broken.items()]
    if not made:
        raise InputError(pictures.where, "shows nothing but the inputs themselves", "Give a folder of other pictures.")
    return Exemplars(pd.concat(made, ignore_index=True), left_out)


def _selected(study: Study, only: Mapping[str, Collection[Label]]) -> pd.DataFrame:
    """The rows at these labels. Raises InputError for axes and labels that are not there."""
    rows = study.rows
    for axis, labels in only.items():
        rows = rows[rows[axis].isin([study.label(axis, label) for label in labels])] if axis in study.axes else rows[:0]
        if axis not in study.axes:
            study.label(axis, "")  # says so
    if rows.empty:
        raise InputError("--only", "leaves no cell", "Take some of it away.")
    return rows.fillna({name: value for name, value in BEFORE.items() if name in rows})


def _views(study: Study, rows: pd.DataFrame) -> dict[str, list[View]]:
    """By model what is to be ranked, in the store's order."""
    images = study.known("image")
    views: dict[str, list[View]] = {}
    for (model, layer, metric, tokens), part in rows.groupby(["model", "layer", *BEFORE], sort=False):
        there = set(part["image"])
        view = View(str(layer), str(metric), str(tokens), tuple(image for image in images if image in there))
        views.setdefault(str(model), []).append(view)
    return views


def _held_together(study: Study, network: Network, views: Sequence[View], model: str) -> Iterator[list[View]]:
    """The views in groups whose directions fit into memory together, each group one look at the folder."""
    group: list[View] = []
    room = DIRECTIONS
    for view in views:
        info = network.layer(study.arrays.description.layer(model, view.layer))
        needed = 4 * math.prod(info.shape) * len(view.images)
        if group and needed > room:
            yield group
            group, room = [], DIRECTIONS
        group.append(view)
        room -= needed
    if group:
        yield group
