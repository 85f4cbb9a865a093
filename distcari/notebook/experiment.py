"""`distcari.Experiment`: what a config file says, in Python."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError

from distcari.config import experiment as config
from distcari.config.load import as_input_error, load_experiment
from distcari.errors import InputError, last_resort

NAME = "notebook"


class Experiment(config.Experiment):
    """An experiment, from keyword arguments that are the fields of a config file.

    Further than there: `name` is "notebook" where none is given; `models` may be a mapping from label to entry, and a
    `torch.nn.Module` may stand for an entry or under its `model` (with `normalization` and `input_size` beside it);
    `images` may name scikit-image's samples as `sample:chelsea`; paths may be `Path`s; one label needs no list.
    Raises InputError for what a config file would be refused for.
    """

    def __init__(self, **fields: Any) -> None:
        with last_resort("Experiment", "cannot be read", "All fields: distcari config schema"):
            try:
                super().__init__(**_prepared(fields))
            except ValidationError as error:
                raise as_input_error("Experiment", error, {}) from None

    @classmethod
    def from_yaml(cls, path: str | Path, *, set: Sequence[str] = ()) -> Self:
        """The experiment of a config file; `set` holds overrides such as `render.steps=64`."""
        return cls(**load_experiment(path, set).model_dump(exclude_unset=True))

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The experiment of a document as YAML or JSON would give it."""
        if not isinstance(document, Mapping) or not all(isinstance(name, str) for name in document):
            raise InputError("Experiment", "is not made from a mapping of field names", "See configs/demo.yaml.")
        return cls(**document)


def experiment_of(given: Any) -> config.Experiment:
    """An experiment as it is, or from a config file's path or a dict."""
    if isinstance(given, config.Experiment):
        return given
    if isinstance(given, str | Path):
        return load_experiment(given)
    return Experiment.from_dict(given)


def _prepared(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as a config file has them."""
    document = {"name": NAME, **fields}
    if "models" in document:
        document["models"] = _models(document["models"])
    if "images" in document:
        document["images"] = [_image(image) for image in _listed(document["images"])]
    for name in ("layers", "seeds"):
        if isinstance(document.get(name), str | int | tuple | range):
            document[name] = _listed(document[name])
    if isinstance(document.get("store"), Path):
        document["store"] = str(document["store"])
    return document


def _models(given: Any) -> Any:
    if isinstance(given, Mapping) and not {"factory", "timm", "torchvision", "model"} & given.keys():
        return [_model({"name": label, **_entry(entry)}) for label, entry in given.items()]
    return [_model(entry) if not isinstance(entry, config.ModelSource) else entry for entry in _listed(given)]


def _model(entry: Any) -> dict[str, Any]:
    """An entry, with a network of this process under a name by which it is found again."""
    from torch import nn

    from distcari.notebook import live

    fields = _entry(entry)
    if "model" in fields:
        network = fields.pop("model")
        if not isinstance(network, nn.Module):
            raise InputError(
                "Experiment: models", f"model is a {type(network).__name__}", "Give a torch.nn.Module under `model`."
            )
        fields = {"name": type(network).__name__, **fields, **live.source(network)}
    return {name: _text(value) for name, value in fields.items()}


def _entry(entry: Any) -> dict[str, Any]:
    """An entry's fields as they were given; a network alone is the field `model`."""
    from torch import nn

    if isinstance(entry, config.ModelSource):
        return entry.model_dump(exclude_unset=True)
    if isinstance(entry, nn.Module):
        return {"model": entry}
    if not isinstance(entry, Mapping):
        raise InputError(
            "Experiment: models",
            f"{str(entry)[:80]!r} is no entry",
            'Give a dict such as {"torchvision": "resnet18", "weights": "DEFAULT"}, or a torch.nn.Module.',
        )
    return dict(entry)


def _image(entry: Any) -> Any:
    if isinstance(entry, str) and entry.startswith("sample:"):
        return {"sample": entry.partition(":")[2]}
    if isinstance(entry, Mapping):
        return {name: _text(value) for name, value in entry.items()}
    return _text(entry)


def _text(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_text(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | range | set) else [value]
