"""Published weights of torchvision, timm and Python packages: where their file lies, and how they see pictures."""

import contextlib
import importlib.util
import os
import re
import socket
import urllib.error
import urllib.request
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from distcari.config.experiment import ModelSource
from distcari.errors import InputError
from distcari.settings import NORMALIZATIONS

Preprocessing = tuple[tuple[float, float, float], tuple[float, float, float], int]


def wants_published(source: ModelSource) -> bool:
    """Whether the config asks for weights that torchvision or timm publish."""
    return source.weights not in (None, False, "none")


def torchvision_weights(source: ModelSource, where: str) -> Any:
    """The torchvision weights object that `weights` names. Raises InputError with the names there are."""
    from torchvision.models import get_model_weights

    choices = get_model_weights(str(source.torchvision))
    name = "DEFAULT" if source.weights is True else str(source.weights)
    if name not in choices.__members__:
        known = list(choices.__members__)
        near = get_close_matches(name, known, n=3, cutoff=0.3) or known
        raise InputError(
            f"{where}.weights", f"{source.torchvision} has no weights {name!r}", f"Nearest: {', '.join(near)}."
        )
    return choices[name]


def torchvision_file(source: ModelSource, where: str) -> Path:
    """The weights' file: in `checkpoints/`, in torch's own cache, or downloaded there now."""
    weights = torchvision_weights(source, where)
    return _file_of(str(weights.url), where)


def torchvision_preprocessing(source: ModelSource, where: str) -> Preprocessing:
    """Mean, std and input size that the weights were made for."""
    transform = torchvision_weights(source, where).transforms()
    mean, std = (tuple(float(v) for v in values) for values in (transform.mean, transform.std))
    size = getattr(transform, "crop_size", None) or getattr(transform, "resize_size", None) or [224]
    return mean, std, int(size[0])  # type: ignore[return-value]


def timm_name(source: ModelSource, where: str) -> str:
    """timm's name with the tag that `weights` gives. Raises InputError with the tags there are."""
    import timm

    architecture, _, tag = str(source.timm).partition(".")
    if not wants_published(source):
        return str(source.timm)
    tags = [name.partition(".")[2] for name in timm.list_models(f"{architecture}.*", pretrained=True)]
    tag = tag if source.weights is True else str(source.weights)
    if not tags or (tag and tag not in tags):
        near = get_close_matches(tag, tags, n=5, cutoff=0.3) or tags[:5]
        raise InputError(
            f"{where}.weights",
            f"timm publishes no weights {tag!r} for {architecture}",
            f"Nearest: {', '.join(near)}." if near else "Give a `checkpoint`.",
        )
    return f"{architecture}.{tag}" if tag else architecture


def timm_preprocessing(source: ModelSource, where: str) -> Preprocessing:
    """Mean, std and input size of timm's configuration for these weights, else for the architecture."""
    import timm

    config = timm.get_pretrained_cfg(timm_name(source, where))
    if config is None:
        return (*NORMALIZATIONS["imagenet"], 224)
    return tuple(config.mean), tuple(config.std), int(config.input_size[-1])


def timm_state(source: ModelSource, where: str) -> dict[str, torch.Tensor]:
    """timm's published weights: from `checkpoints/<name>.safetensors`, the Hub's cache, or downloaded there now."""
    import timm
    from huggingface_hub import hf_hub_url, try_to_load_from_cache

    name = timm_name(source, where)
    config = timm.get_pretrained_cfg(name)
    full = f"{config.architecture}.{config.tag}" if config.tag else name
    local: Any = Path("checkpoints") / f"{full}.safetensors"
    if not local.is_file():
        local = config.hf_hub_id and try_to_load_from_cache(config.hf_hub_id, "model.safetensors")
    try:
        with _impatient():
            if isinstance(local, (str, Path)) and local:
                overlay = {"file": str(local)}
            else:
                overlay = None
                _reach(hf_hub_url(config.hf_hub_id, "model.safetensors") if config.hf_hub_id else config.url)
            made = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **source.options)
            return dict(made.state_dict())
    except Exception as error:
        line = " ".join(str(error).split())[:200]
        raise InputError(
            f"{where}.weights",
            f"timm's weights for {name} cannot be had here: {type(error).__name__}: {line}",
            f"Offline: get model.safetensors of {full} elsewhere and save it as checkpoints/{full}.safetensors.",
        ) from None


def _reach(url: str) -> None:
    """Raise OSError where the network does not answer; the Hub's own client would try for most of a minute."""
    request = urllib.request.Request(url, method="HEAD")
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request):
        pass


def package_file(source: ModelSource, where: str) -> Path:
    """The weight file inside an installed package."""
    try:
        found = importlib.util.find_spec(str(source.package))
    except (ImportError, ValueError):  # the parent of a dotted name is missing
        found = None
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"{where}.package",
            f"no package {source.package!r} is installed",
            f"pip install {str(source.package).replace('_', '-')}",
        )
    folder = Path(next(iter(found.submodule_search_locations)))
    files = sorted(folder.rglob(source.package_file))
    if not files:
        raise InputError(
            f"{where}.package_file",
            f"nothing matches {source.package_file!r} in {folder}",
            "Give a glob of the weight file, such as '*.safetensors'.",
        )
    if len(files) > 1:
        raise InputError(
            f"{where}.package_file",
            f"{source.package_file!r} matches {len(files)} files in {folder}",
            f"Name one of {', '.join(file.name for file in files[:5])}.",
        )
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
            prefix = re.search(r"-([0-9a-f]{8,})\.", name)
            torch.hub.download_url_to_file(url, str(cache / name), prefix and prefix.group(1), progress=False)
    except Exception as error:
        raise InputError(
            f"{where}.weights",
            f"{name} is not on this machine and cannot be downloaded: {error}",
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
