"""How a model wants its pictures: mean, standard deviation and input size, read from the model where it says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from distcari.errors import InputError
from distcari.render.replica import bare


@dataclass(frozen=True)
class Preprocessing:
    """`mean` and `std` of pictures in [0, 1], a value for each channel, and `input_size` in pixels; None: not told."""

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_size: int | None = None

    def over(self, other: "Preprocessing") -> "Preprocessing":
        """This, and where it tells nothing the other; mean and std go together."""
        both = self if self.mean is not None and self.std is not None else other
        return Preprocessing(self.mean or both.mean, self.std or both.std, self.input_size or other.input_size)


def told_by(model: nn.Module) -> Preprocessing:
    """What a model carries: timm's `pretrained_cfg`, a Hugging Face `config`, torchvision's `image_size`.

    torchvision's networks do not keep the weights' transforms, nor Hugging Face's the image processor: give those as
    `preprocessing`.
    """
    model = bare(model)
    config = getattr(model, "config", None)
    found = Preprocessing()
    for source in (
        getattr(model, "pretrained_cfg", None),
        getattr(config, "pretrained_cfg", None),
        config,
        getattr(config, "vision_config", None),
    ):
        if source is not None:
            found = found.over(read(source))
    own = next(
        (
            size
            for holder in (getattr(model, "patch_embed", None), model)
            for size in (_side(getattr(holder, name, None)) for name in ("img_size", "image_size"))
            if size
        ),
        None,
    )
    return Preprocessing(input_size=own).over(found)  # a transformer takes the size it was built for, and no other


def read(source: Any) -> Preprocessing:
    """Of torchvision weights or their transforms, a Hugging Face image processor or config, or timm's configuration.

    Raises InputError for something that tells neither mean and std nor a size.
    """
    if callable(transforms := getattr(source, "transforms", None)):  # a member of torchvision's weights
        source = transforms()

    def get(*names: str) -> Any:
        values = (source.get(n) if isinstance(source, Mapping) else getattr(source, n, None) for n in names)
        return next((value for value in values if value is not None), None)

    sizes = (_side(get(name)) for name in ("crop_size", "input_size", "image_size", "size"))
    size = next((side for side in sizes if side), None)
    return Preprocessing(_values(get("mean", "image_mean")), _values(get("std", "image_std")), size)


def chosen(
    model: nn.Module,
    preprocessing: Any,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    input_size: int | None,
) -> Preprocessing:
    """What the caller says, else what `preprocessing` does, else the model, else ImageNet at 224 pixels."""
    told = Preprocessing(_values(mean), _values(std), input_size)
    if preprocessing is not None:
        given = read(preprocessing)
        if given == Preprocessing():
            raise InputError(
                "preprocessing",
                f"a {type(preprocessing).__name__} tells no mean, std or size",
                "Give torchvision weights, a Hugging Face image processor or timm's pretrained_cfg, or "
                "mean, std and input_size themselves.",
            )
        told = told.over(given)
    found = told.over(told_by(model))
    return found.over(Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224))


def _values(given: Any) -> tuple[float, ...] | None:
    if isinstance(given, int | float):
        return (float(given),)
    return tuple(float(v) for v in given) if given is not None and len(given) else None


def _side(given: Any) -> int | None:
    """A side in pixels of 224, [224], (3, 224, 224) or {"height": 224, "width": 224}; None of anything else."""
    if isinstance(given, Mapping):
        given = next((given[name] for name in ("height", "shortest_edge") if name in given), None)
    if isinstance(given, Sequence) and given and not isinstance(given, str):
        given = given[-1]
    return given if isinstance(given, int) and given > 0 else None
