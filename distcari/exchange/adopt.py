"""A folder of the predecessor's results (files named as lucent's users name them), read into the store.

The files are `<model>_<layer>_<image>.npy` (float32, y × x × 3, 0 … 1), or `.png` where there is no `.npy`. Model and
layer both hold underscores, so layers are recognised by their form (`layer3_2_conv2`, `_blocks_4`, …) or by `--layers`.
Pictures come in with what can be known of them: their pixels, colour and texture figures; gain and cosine stay empty.
"""

import re
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distcari import __version__
from distcari.errors import InputError
from distcari.figures import picture_figures
from distcari.grid import Axis, Grid, digest
from distcari.store import Store
from distcari.store.lease import take

LAYER = (
    r"(?:_?blocks_\d+\w*?|layer\d+(?:_\d+)*(?:_(?:conv|bn|relu|downsample)\d*(?:_\d+)*)?"
    r"|features_\d+\w*?|stages?_\d+\w*?)"
)


@dataclass(frozen=True)
class Found:
    """A result file and what its name says."""

    path: Path
    model: str
    layer: str
    image: str


def find_results(folder: Path, layers: Sequence[str] = ()) -> list[Found]:
    """The predecessor's results in a folder. Raises InputError if there are none, or a name cannot be read."""
    if not folder.is_dir():
        raise InputError(str(folder), "is no folder", "Give the folder with the predecessor's .npy or .png files.")
    files = {p.stem: p for suffix in (".png", ".npy") for p in sorted(folder.glob(f"*{suffix}"))}
    if not files:
        raise InputError(str(folder), "holds no .npy or .png files", "Give the folder with the predecessor's results.")
    known = "|".join(re.escape(layer) for layer in sorted(layers, key=len, reverse=True)) if layers else LAYER
    pattern = re.compile(rf"^(?P<model>.+?)_(?P<layer>{known})_(?P<image>.+)$")
    found = []
    for stem, path in sorted(files.items()):
        match = pattern.match(stem)
        if match is None:
            raise InputError(
                str(path),
                "has no name of the form <model>_<layer>_<image>",
                "Name the layers with --layers layer3_3,layer4_2, or move the file away.",
            )
        found.append(Found(path, match["model"], match["layer"], match["image"]))
    return found


def adopt(store: Store, folder: Path, experiment: str, layers: Sequence[str] = (), inputs: Path | None = None) -> int:
    """Put the results into the store as an experiment; how many were new. Pictures there already are left alone."""
    found = find_results(folder, layers)
    pictures = {item: _read(item.path) for item in found}
    sizes = {picture.shape[0] for picture in pictures.values()}
    if len(sizes) > 1:
        raise InputError(str(folder), f"holds pictures of several sizes: {sorted(sizes)}", "Adopt each size by itself.")
    grid = _grid(experiment, found)
    meta = _meta(grid, folder)
    store.check_writable()
    with take(store.files, experiment):
        return _put(store, experiment, grid, meta, pictures, sizes.pop(), inputs)


def _put(
    store: Store,
    experiment: str,
    grid: Grid,
    meta: Mapping[str, Any],
    pictures: Mapping[Found, NDArray[np.float32]],
    size: int,
    inputs: Path | None,
) -> int:
    arrays = store.prepare(grid, meta, size=size, input_size=224, steps=1, dtype="float32")
    store.write_inputs(arrays, _inputs(grid, inputs))
    keys = {cell.labels: cell.key for cell in grid.cells()}
    committed, run_id, rows = store.committed(experiment), f"adopt-{uuid.uuid4().hex[:8]}", []
    for item, picture in pictures.items():
        labels = (item.model, item.image, item.layer, 0)
        if keys[labels] in committed:
            continue
        sha = arrays.write(
            arrays.place(labels), picture, np.full(1, np.nan, np.float32), np.full((56, 56), np.nan, np.float32)
        )
        made = datetime.fromtimestamp(item.path.stat().st_mtime, UTC)
        rows.append(
            {
                "key": keys[labels],
                "experiment": experiment,
                "model": item.model,
                "image": item.image,
                "layer": item.layer,
                "seed": 0,
                "started_at": made,
                "finished_at": made,
                "attempt": 1,
                "node": socket.gethostname(),
                "run_id": run_id,
                "distcari_version": __version__,
                "settings_hash": grid.settings_hash,
                "pixels_sha256": sha,
                "layer_kind": "adopted",
                **picture_figures(picture),
            }
        )
    store.commit(rows)
    return len(rows)


def _grid(experiment: str, found: Sequence[Found]) -> Grid:
    def axis(name: str) -> Axis:
        return Axis(name, dict.fromkeys((getattr(item, name) for item in found), "adopted"))

    have: dict[str, list[str]] = {}
    for item in found:
        have.setdefault(item.model, []).append(item.layer)
    return Grid(
        experiment,
        digest("adopted"),
        (axis("model"), axis("image"), axis("layer"), Axis("seed", {0: "0"})),
        {model: sorted(set(layers)) for model, layers in have.items()},
    )


def _meta(grid: Grid, folder: Path) -> dict[str, Any]:
    return {
        "description": f"adopted from {folder.name}",
        "settings": {"cossim_pow": 0.0, "compat": "adopted"},
        "settings_hash": grid.settings_hash,
        "steps": {str(label): 0 for label in grid.axis("layer").labels},
        "models": {str(m): {"digest": "adopted"} for m in grid.axis("model").labels},
        "images": {str(i): {"sha256": "", "origin": str(folder)} for i in grid.axis("image").labels},
        "layers_of": {m: list(v) for m, v in grid.layers_of.items()},
        "config": {},
        "distcari_version": __version__,
    }


def _inputs(grid: Grid, folder: Path | None) -> dict[str, NDArray[np.uint8]]:
    """The input images by name, where the folder has them."""
    from distcari.sources.images import prepare

    def files() -> Iterator[tuple[str, Path]]:
        for path in sorted(folder.iterdir()) if folder is not None else ():
            label = path.stem if path.stem in grid.axis("image").labels else path.stem.removeprefix("new_")
            if label in grid.axis("image").labels:
                yield label, path

    return {label: prepare(Image.open(path), 224) for label, path in files()}


def _read(path: Path) -> NDArray[np.float32]:
    try:
        if path.suffix == ".npy":
            picture = np.load(path, allow_pickle=False).astype(np.float32)
        else:
            picture = np.asarray(Image.open(path).convert("RGB")).astype(np.float32) / 255
    except (OSError, ValueError) as error:
        raise InputError(str(path), f"cannot be read: {error}", "Copy it again, or move it away.") from None
    picture = picture.squeeze()
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.shape[0] != picture.shape[1]:
        raise InputError(str(path), f"has shape {picture.shape}, not (side, side, 3)", "Move it away.")
    return np.asarray(picture.clip(0, 1), np.float32)
