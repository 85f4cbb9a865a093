"""A folder's pictures in the order in which one model answers to them as to inputs."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from distcari.analysis.study import Study
from distcari.errors import InputError
from distcari.render import Network
from distcari.render.augment import see
from distcari.render.measure import positions
from distcari.render.metric import measured
from distcari.render.objective import flat
from distcari.settings import RenderSettings
from distcari.sources.folder import Box, PictureFolder, square
from distcari.store import Store
from distcari.store.exemplars import PLACE, SCHEMA, put_thumbnail

THUMBNAIL = 160  # side in pixels
SAME = 8  # of 255, root mean square: a picture that differs less from the input shows it
AT_ONCE = {"cpu": 8}  # pictures in a pass; 64 elsewhere
GIVEN = ("experiment", "model", "by", "folder", "model_sha256")  # columns that all rows of a ranking share
By = Literal["places", "channels"]


@dataclass(frozen=True)
class View:
    """A layer of a model in one metric, and the images whose directions are asked for there."""

    layer: str
    metric: str
    tokens: str
    images: tuple[str, ...]


class Ranking:
    """Cosines of a folder's pictures with the directions of one model at some layers."""

    def __init__(self, study: Study, model: str, network: Network, views: Sequence[View], files: int, by: By) -> None:
        self.network, self.views, self.by = network, list(views), by
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
        """What is compared of the layer's responses to pictures, (N, values): seen as a caricature's input is."""
        batch = torch.from_numpy(np.stack(pixels)).to(self.network.device).permute(0, 3, 1, 2).float() / 255
        seen = forward(see(batch, None, self.network.input_size))
        return flat(seen) if self.by == "places" else positions(seen).float().mean((1, 2))

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
        return pd.DataFrame(made, columns=[name for name in SCHEMA.names if name not in GIVEN])


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
