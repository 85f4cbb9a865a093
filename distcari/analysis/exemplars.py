"""Natural exemplars: which pictures of a folder a layer responds to most as to a cell's input.

A caricature is drawn towards the direction of the layer's response to its input; an exemplar is a real picture whose
response points there most, by the same cosine as the index's column `cosine`. People tell what a layer answers to
better by both than by one (Borowski et al., ICLR 2021).

    find_exemplars("store", "photos")
    distcari.open_store("store").exemplars("demo")
"""

import io
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from distcari.analysis.activations import network_of, spec_of
from distcari.analysis.study import Study, open_study
from distcari.errors import InputError
from distcari.grid import Label
from distcari.render import Network, devices
from distcari.render.augment import see
from distcari.render.metric import measured
from distcari.render.objective import flat
from distcari.settings import RenderSettings
from distcari.sources.folder import Box, PictureFolder, square
from distcari.store import Store
from distcari.store.exemplars import BEFORE, PLACE, put_exemplars, put_thumbnail

THUMBNAIL = 160  # side in pixels
DIRECTIONS = 1 << 30  # bytes of directions held at once
SAME = 8  # of 255, root mean square: a picture that differs less from the input shows it
AT_ONCE = {"cpu": 8}  # pictures in a pass; 64 elsewhere
Progress = Callable[[str, int, int], None]  # the model at hand, passes done, passes in all


@dataclass(frozen=True)
class Exemplars:
    """The new rows, and a sentence for each model and file that was left out."""

    rows: pd.DataFrame
    left_out: list[str]


@dataclass(frozen=True)
class View:
    """A layer of a model in one metric, and the images whose directions are asked for there."""

    layer: str
    metric: str
    tokens: str
    images: tuple[str, ...]


def find_exemplars(
    store: Store | str | Study,
    folder: str,
    *,
    experiment: str | None = None,
    only: Mapping[str, Collection[Label]] | None = None,
    top: int = 6,
    crops: bool = False,
    progress: Progress = lambda model, done, total: None,
) -> Exemplars:
    """Rank a folder's pictures for each model, layer and image of an experiment, and keep the first `top` of each.

    Each file counts once: as its central square, or with `crops` as the one of it and of nine overlapping squares of
    half its side that points most in the direction. A file that shows the input itself is left out of its ranking.
    What is found for a model is in the store when the next model begins. Raises InputError, before any work, for a
    folder without a picture that can be read, for labels that are not there, and for models whose weights are gone.
    """
    study = open_study(store, experiment)
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
            ranking = Ranking(study, name, network, some, len(pictures.files))
            for looked in ranking.look(pictures, crops):
                progress(name, done + looked * len(some), total)
            done += len(pictures.files) * len(some)
            part = ranking.best(pictures, top, study.store).assign(
                experiment=study.experiment, model=name, model_sha256=spec.sha256, folder=folder
            )
            put_exemplars(study.store.files, study.experiment, part)
            made.append(part)
    left_out += [f"{file}: {why}" for file, why in pictures.broken.items()]
    return Exemplars(pd.concat(made, ignore_index=True), left_out)


class Ranking:
    """Cosines of a folder's pictures with the directions of one model at some layers."""

    def __init__(self, study: Study, model: str, network: Network, views: Sequence[View], files: int) -> None:
        self.network, self.views = network, list(views)
        self.inputs = {image: study.arrays.input(image) for view in views for image in view.images}
        self.size = next(iter(self.inputs.values())).shape[0]
        self.forwards = [_forward(study, network, view, model) for view in views]
        self.directions = [
            F.normalize(torch.cat([self._seen(forward, [self.inputs[image]]) for image in view.images]))
            for view, forward in zip(views, self.forwards, strict=True)
        ]
        self.own: set[tuple[int, str]] = set()  # files that show an input, and which
        self.whole: dict[int, Box] = {}  # each file's first square
        # By view: (files, images), the best of a file's squares and which of them it is.
        self.cosines = [np.full((files, len(view.images)), np.nan, np.float32) for view in views]
        self.boxes = [np.zeros((files, len(view.images), 3), np.int32) for view in views]

    def look(self, pictures: PictureFolder, crops: bool) -> Iterator[int]:
        """Show the model all pictures; yields the number of files seen."""
        at_once, squares = AT_ONCE.get(self.network.device.type, 64), pictures.squares(self.size, crops)
        for batch in iter(lambda: list(islice(squares, at_once)), []):
            numbers, boxes, pixels = zip(*batch, strict=True)
            for place, (forward, directions) in enumerate(zip(self.forwards, self.directions, strict=True)):
                found = (F.normalize(self._seen(forward, pixels)) @ directions.T).cpu().numpy()
                self._keep(place, numbers, boxes, found)
            self._leave_out(numbers, boxes, pixels)
            yield numbers[-1] + 1

    @torch.no_grad()
    def _seen(self, forward: Callable[[Tensor], Tensor], pixels: Sequence[NDArray[np.uint8]]) -> Tensor:
        """The layer's responses to pictures, (N, values): seen as a caricature's input is."""
        batch = torch.from_numpy(np.stack(pixels)).to(self.network.device).permute(0, 3, 1, 2).float() / 255
        return flat(forward(see(batch, None, self.network.input_size)))

    def _keep(self, place: int, numbers: Sequence[int], boxes: Sequence[Box], found: NDArray[np.float32]) -> None:
        """Take in a batch's cosines (N, images) where they are a file's best."""
        best, where = self.cosines[place], self.boxes[place]
        for number, box, cosines in zip(numbers, boxes, found, strict=True):
            better = ~(best[number] >= cosines)  # also where there is none yet
            best[number, better], where[number, better] = cosines[better], box

    def _leave_out(self, numbers: Sequence[int], boxes: Sequence[Box], pixels: Sequence[NDArray[np.uint8]]) -> None:
        """Remember which files show an input."""
        for number, box, picture in zip(numbers, boxes, pixels, strict=True):
            if box == self.whole.setdefault(number, box):
                for image, shown in self.inputs.items():
                    if np.sqrt(np.mean((picture.astype(np.float32) - shown) ** 2)) < SAME:
                        self.own.add((number, image))

    def best(self, pictures: PictureFolder, top: int, store: Store) -> pd.DataFrame:
        """The first `top` of each view and image, their thumbnails put into the store; columns of the table."""
        made, kept = [], dict[tuple[int, Box], str]()
        for view, cosines, boxes in zip(self.views, self.cosines, self.boxes, strict=True):
            for i, image in enumerate(view.images):
                mine = cosines[:, i].copy()
                mine[[number for number, own in self.own if own == image]] = np.nan
                seen = int(np.isfinite(mine).sum())
                for rank, number in enumerate(np.argsort(-mine, kind="stable")[: min(top, seen)].tolist(), 1):
                    left, top_edge, side = (int(v) for v in boxes[number, i])
                    box = (left, top_edge, side)
                    if (number, box) not in kept:
                        kept[number, box] = put_thumbnail(store.files, _webp(pictures, number, box))
                    made.append(
                        {
                            **dict(zip(PLACE[1:], (view.layer, image, view.metric, view.tokens), strict=True)),
                            "rank": rank,
                            "cosine": mine[number],
                            "median": np.nanmedian(mine),
                            "files": seen,
                            "file": pictures.files[number],
                            "left": left,
                            "top": top_edge,
                            "side": side,
                            "thumbnail": kept[number, box],
                        }
                    )
        return pd.DataFrame(made)


def _webp(pictures: PictureFolder, number: int, box: Box) -> bytes:
    """A square of a file as a small WebP."""
    picture, content = pictures.open(pictures.files[number]), io.BytesIO()
    if picture is None:
        raise InputError(pictures.where, f"{pictures.files[number]} went away meanwhile", "Give the command again.")
    Image.fromarray(square(picture, box, THUMBNAIL)).save(content, "WEBP", quality=82)
    return content.getvalue()


def _forward(study: Study, network: Network, view: View, model: str) -> Callable[[Tensor], Tensor]:
    how = RenderSettings().with_(metric=view.metric, tokens=view.tokens)
    return measured(network, study.arrays.description.layer(model, view.layer), "float32", how)


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
