"""Axes to cells to keys to work units: what an experiment consists of, in a fixed order. Pure, no torch.

The axes are an ordered list: model, image, layer, seed, and then each render setting that the experiment sweeps, named
after it. Each label carries a digest of what it stands for (a model's weights, an image's pixels), so that a cell's key
is known before anything is computed and changes when, and only when, its picture would.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from itertools import product
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Label = str | int | float
BASE_AXES = ("model", "image", "layer", "seed")  # of every experiment; further ones are swept settings
LONGEST_LABEL = 200
_TOGETHER = ("image", "seed")  # cells that differ in these alone can be optimised in one batch


NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


def name_problem(experiment: str) -> str | None:
    """Why an experiment cannot have this name, which is also a folder's and a file's in the store; None if it can."""
    if not re.fullmatch(NAME_PATTERN, experiment):
        return "must have 1 to 100 letters, digits, dots, dashes and underscores, the first a letter or a digit"
    if experiment.lower() in ("zarr.json", "c") or experiment.lower().endswith(".partial"):
        return "is a name that Zarr itself uses"
    return None


def label_text(label: Label) -> str:
    """A label as people write it, the same for equal labels: 1.0 is `1`."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() and abs(label) < 1e15 else str(label)


def shape_text(labels: Mapping[str, Sized]) -> str:
    """How many labels each axis has, for people: `2 models × 1 image × 3 of cossim_pow`."""
    return " × ".join(
        f"{len(of)} {axis}{'s' if len(of) != 1 else ''}" if axis in BASE_AXES else f"{len(of)} of {axis}"
        for axis, of in labels.items()
    )


def check_label(label: str) -> str:
    """The label of a model, an image, a layer or a difference. Raises ValueError unless it can be shown and typed.

    It has 1 to 200 printable characters: none that control, reorder or join others, no line break, no lone surrogate.
    """
    if not label.strip():
        raise ValueError("the name is empty")
    if len(label) > LONGEST_LABEL:
        raise ValueError(f"the name {label[:20]!r}… has {len(label)} characters, but may have {LONGEST_LABEL}")
    if strange := next((character for character in label if not character.isprintable()), None):
        raise ValueError(f"the name {label!a} holds {strange!a}, which cannot be printed")
    if label != label.strip():
        raise ValueError(f"the name {label!r} begins or ends with a space")
    return label


def check_experiment_name(name: str) -> str:
    """An experiment's name, which is also its folder in the store. Raises ValueError for one that zarr keeps to itself.

    `zarr.json` and `c` stand for a group's description and an array's chunks; `*.partial` are torn files, swept away.
    """
    if name.lower() in ("zarr.json", "c") or name.lower().endswith(".partial") or name.startswith((".", "_")):
        raise ValueError(f"{name!r} is a name that the store needs itself")
    return name


def alike(labels: Iterable[str]) -> tuple[str, str] | None:
    """The first two labels that people or `--only` would take for one, None if all can be told apart.

    Taken for one are labels that differ in case, Unicode form, kind of dash or trailing zeros (`1` and `1.0`) alone.
    """
    seen: dict[str, str] = {}
    for label in labels:
        if (look := _looks(label)) in seen:
            return seen[look], label
        seen[look] = label
    return None


def _looks(label: str) -> str:
    dashed = "".join("-" if unicodedata.category(c) == "Pd" or c == "−" else c for c in label)
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", dashed).casefold())
    return plain.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", plain) else plain


@dataclass(frozen=True)
class Axis:
    """One axis of the grid: its name, its labels in order, and for each label a digest of its content."""

    name: str
    digests: Mapping[Label, str]

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the config's order."""
        return tuple(self.digests)

    def find(self, text: Label) -> Label | None:
        """The label that a text means (`1` and `1.0` are the number 1, a hyphen a minus), None if there is none."""
        for label in self.digests:
            same = isinstance(label, int | float) and _number(text) == label
            if same or _plain(label_text(label)) == _plain(str(text)):
                return label
        return None


def _plain(text: str) -> str:
    return text.replace("−", "-")


def _number(text: Label) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


class Cell(tuple[Label, ...]):
    """One caricature to be: its key and its labels, in the order of the axes. One flat tuple: there are millions."""

    __slots__ = ()

    def __new__(cls, key: str, labels: Iterable[Label]) -> "Cell":  # noqa: D102
        return tuple.__new__(cls, (key, *labels))

    def __getnewargs__(self) -> tuple[str, tuple[Label, ...]]:
        return self.key, self.labels

    @property
    def key(self) -> str:
        """Hash of everything that decides the pixels and their place."""
        return str(self[0])

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of the axes."""
        return self[1:]


class WorkUnit(NamedTuple):
    """Cells of one model and render settings that a worker computes in one go.

    They are of one layer; or, if `joined`, of several, of which `layer` is the first. `shard` names the stored object
    that they share, which one worker at a time may write (None where each cell has its own).
    """

    model: str
    layer: str
    cells: tuple[Cell, ...]
    shard: tuple[Label, ...] | None = None
    joined: bool = False

    def __str__(self) -> str:
        """Whose cells they are, in words."""
        return f"{self.model} at {self.layer}{' and others' if self.joined else ''}"


@dataclass(frozen=True)
class Grid:
    """An experiment's cells: the product of its axes, less the pairs of model and layer that do not exist.

    `layers_of` names, for each model, the layers it has; a model that is absent has them all. `own_contents` has, for
    each model, the layers whose label is not their name: their name and digest, which keys are made of.
    """

    experiment: str
    settings_hash: str
    axes: tuple[Axis, ...]
    layers_of: Mapping[str, Collection[str]] = field(default_factory=dict)
    own_contents: Mapping[str, Mapping[str, tuple[str, str]]] = field(default_factory=dict)

    def axis(self, name: str) -> Axis:
        """The axis of that name."""
        return next(axis for axis in self.axes if axis.name == name)

    @property
    def swept(self) -> tuple[str, ...]:
        """Names of the settings that are swept, each an axis."""
        return tuple(axis.name for axis in self.axes if axis.name not in BASE_AXES)

    def cells(self) -> Iterator[Cell]:
        """All cells, model by model and layer by layer, each with its key."""
        names = [axis.name for axis in self.axes]
        model_at, layer_at = names.index("model"), names.index("layer")
        head = digest(self.experiment, self.settings_hash).encode()
        parts = [
            [(label, _key_part(label_text(label), content)) for label, content in axis.digests.items()]
            for axis in self.axes
        ]
        own: dict[tuple[Label, Label], bytes] = {
            (model, label): _key_part(name, content)
            for model, layers in self.own_contents.items()
            for label, (name, content) in layers.items()
        }
        for combination in product(*parts):
            labels = tuple(label for label, _ in combination)
            layers = self.layers_of.get(str(labels[model_at]))
            if layers is None or labels[layer_at] in layers:
                texts = [part for _, part in combination]
                if own:
                    texts[layer_at] = own.get((labels[model_at], labels[layer_at]), texts[layer_at])
                text = head + b"".join(texts)
                yield Cell(hashlib.sha256(text).hexdigest()[:32], labels)

    def units(self, cells: Iterable[Cell], batch: int, shards: Mapping[Label, int] | None = None) -> list[WorkUnit]:
        """The cells as work units, ordered by model, then layer, then settings: of at most `batch` cells, or, where
        images share stored objects (`shards`: image to number of its shard), of whole such objects, one each."""
        names = [axis.name for axis in self.axes]
        model_at, layer_at, image_at = (names.index(name) for name in ("model", "layer", "image"))
        apart = [model_at, layer_at]
        apart += [i for i, name in enumerate(names) if i not in apart and name not in _TOGETHER]
        order = [{label: at for at, label in enumerate(self.axes[i].labels)} for i in apart]
        settings = itemgetter(*apart)
        groups: dict[tuple[Label, ...], list[Cell]] = {}
        for cell in cells:
            labels = cell.labels
            together: tuple[Label, ...] = settings(labels)
            if shards is not None:
                others = (label for i, label in enumerate(labels) if i not in (*apart, image_at))
                together = (*together, shards[labels[image_at]], *others)
            groups.setdefault(together, []).append(cell)
        return [
            WorkUnit(
                str(group[0]),
                str(group[1]),
                tuple(groups[group][start : start + size]),
                group if shards is not None else None,
            )
            for group in sorted(groups, key=lambda group: [at[label] for at, label in zip(order, group)])  # noqa: B905
            for size in [batch if shards is None else len(groups[group])]
            for start in range(0, len(groups[group]), size)
        ]


def _key_part(name: str, content: str) -> bytes:
    return f"\0{name}\0{content}".encode()


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of any JSON-able parts, the same on every machine."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def image_digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 (hex) of an input image, uint8 (y, x, 3): its shape and its pixels."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def select(cells: Iterable[Cell], axes: Sequence[Axis], only: Mapping[str, Collection[Label]]) -> list[Cell]:
    """The cells whose labels are among those named for each axis in `only`."""
    wanted = [(i, {axis.find(label) for label in only[axis.name]}) for i, axis in enumerate(axes) if axis.name in only]
    return [cell for cell in cells if all(cell.labels[i] in labels for i, labels in wanted)]
