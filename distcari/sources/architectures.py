"""Networks by name: torchvision, timm, or a factory in any importable module."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from distcari.config.experiment import ModelSource
from distcari.errors import InputError, typed_line
from distcari.sources.published import wants_published


def check_name(source: ModelSource, where: str) -> None:
    """Raise InputError, with the nearest names, unless the architecture can be found."""
    if source.torchvision is not None:
        from torchvision.models import list_models

        _known(source.torchvision, list_models(), f"{where}.torchvision", "torchvision")
    elif source.timm is not None:
        import timm

        name, _, tag = source.timm.partition(".")
        _known(name, timm.list_models(), f"{where}.timm", "timm")
        if tag:
            _known(source.timm, timm.list_models(f"{name}.*", pretrained=True), f"{where}.timm", "timm")
    else:
        _factory(source, f"{where}.factory")
    if source.factory is None and source.args:
        raise InputError(f"{where}.args", "go with a factory only", "Give named `options` instead.")
    if source.factory is not None and wants_published(source):
        raise InputError(
            f"{where}.weights",
            "published weights go with torchvision or timm, not with a factory",
            "Give `checkpoint` or `package`, or let the factory load them.",
        )


def build(source: ModelSource, where: str, num_classes: int | None = None, device: str = "cpu") -> nn.Module:
    """The network with random weights from `init_seed` (on `meta`: without any), evaluated."""
    with _current_folder_importable(), torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(source.init_seed)
        try:
            model = _call(source, where, num_classes)
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            raise InputError(
                where, f"{source.architecture} cannot be built: {typed_line(error)}", "Check its options."
            ) from error
    if not isinstance(model, nn.Module):
        raise InputError(
            f"{where}.factory", f"gave a {type(model).__name__}, not a torch.nn.Module", "Let it return the network."
        )
    return model.eval()


def _call(source: ModelSource, where: str, num_classes: int | None) -> Any:
    options = dict(source.options)
    if source.torchvision is not None:
        from torchvision.models import get_model, get_model_builder

        if num_classes is not None:
            options.setdefault("num_classes", num_classes)
        if source.torchvision in ("googlenet", "inception_v3"):
            options.setdefault("init_weights", True)
            # As torchvision does: their published weights were ported from TensorFlow, with its own normalisation.
            options.setdefault("transform_input", wants_published(source))
        if "weights_backbone" in inspect.signature(get_model_builder(source.torchvision)).parameters:
            options.setdefault("weights_backbone", None)  # its default is a download
        return get_model(source.torchvision, weights=None, **options)
    if source.timm is not None:
        import timm

        if num_classes is not None:
            options.setdefault("num_classes", num_classes)
        return timm.create_model(source.timm, pretrained=False, **options)
    make = _factory(source, f"{where}.factory")
    if num_classes is not None and "num_classes" in inspect.signature(make).parameters:
        options.setdefault("num_classes", num_classes)
    return make(*source.args, **options)


def _factory(source: ModelSource, where: str) -> Any:
    module_name, _, path = str(source.factory).partition(":")
    try:
        with _current_folder_importable():
            found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        remedy = f"pip install it, or run where {module_name} lies."
        raise InputError(where, f"no module {error.name!r}", remedy) from None
    except (Exception, SystemExit) as error:
        raise InputError(
            where,
            f"{module_name} cannot be imported: {typed_line(error)}",
            f"Make `python -c 'import {module_name}'` work here.",
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            near = get_close_matches(part, dir(found), n=3)
            raise InputError(where, f"{module_name} has no {path!r}", f"Nearest: {', '.join(near) or 'none'}.")
        found = getattr(found, part)
    if not callable(found):
        raise InputError(
            where,
            f"{path} in {module_name} is a {type(found).__name__}, not a function",
            "Name a function or class that returns the network.",
        )
    return found


@contextmanager
def _current_folder_importable() -> Iterator[None]:
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        yield
    finally:
        if added:
            sys.path.remove(here)


def _known(name: str, names: list[str], where: str, library: str) -> None:
    if name not in names:
        near = ", ".join(get_close_matches(name, names, n=5, cutoff=0.4)) or "none"
        raise InputError(where, f"{library} has no model {name!r}", f"Nearest: {near}.")
