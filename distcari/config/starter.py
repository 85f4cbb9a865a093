"""A config to begin with: from a few answers to commented YAML that is valid before anybody sees it."""

import re
from collections.abc import Sequence
from typing import Any

import yaml

from distcari.config.load import parse_experiment
from distcari.errors import InputError

_PAGE = """\
# An experiment of distcari: every model x every image x every layer x every seed is one caricature.
#   look at it first    distcari submit {path} --dry-run
#   compute             distcari submit {path}        the same again goes on, and computes only what is new
#   look at the result  distcari dashboard --store store
# Every field there is: distcari config schema

# The experiment's name in the store. Under another name everything is computed again.
name: {name}

# Where results go: a folder, or s3://bucket/prefix.
store: store

# The models. Architecture: `torchvision`, `timm`, or `factory: module:function` for your own code. Weights:
# `weights` (published ones), `checkpoint` (a file, or glob such as checkpoints/*.pth, a model for each file), or none.
# `normalization` is what a network was trained with: imagenet, half, none; without it that of published weights, else
# imagenet. `distcari models {path}` shows what was found.
models:
{models}

# The images: a `file` (or folder, or glob), a `url`, or a `sample` that comes with scikit-image.
images:
{images}

# The layers, by module path; patterns such as layer4_* and the word `blocks` (every block) stand for several.
# `distcari layers {path}` lists what there is, and stars what is chosen here.
layers: {layers}

# One picture for each seed. Several show how much of a picture is chance: two or more for comparing models.
seeds: [0]

# Pixels a side to which images are cropped and resized; as the networks were trained, most often 224.
input_size: 224

# How a picture is made; the rest has defaults that `distcari config show {path}` prints. A list is swept: an axis more.
render:
  # Steps of the optimisation: the time goes with it.
  steps: {steps}
"""


def starting_config(name: str, models: Sequence[str], images: Sequence[str], layers: Sequence[str], path: str) -> str:
    """Commented YAML of an experiment, checked. Raises InputError for an answer that is no model, image or name.

    A model is `ARCHITECTURE` or `ARCHITECTURE=CHECKPOINT`; see `model_entry`.
    """
    from distcari.settings import RenderSettings

    text = _PAGE.format(
        path=path,
        name=_scalar(name),
        layers=_scalar(list(layers)),
        steps=RenderSettings().steps,
        models="\n".join(_item(model_entry(text)) for text in models),
        images="\n".join(_item(image_entry(text)) for text in images),
    )
    parse_experiment(text, path)
    return text


def model_entry(text: str) -> dict[str, Any]:
    """The entry for a model said in short.

    `resnet50` or `timm:vit_tiny_patch16_224` with their published weights, `package.module:function` with random ones,
    each with `=FILE` with the weights of a checkpoint, or of each file that a glob finds.
    """
    architecture, equals, checkpoint = text.strip().partition("=")
    if not architecture or (equals and not checkpoint):
        raise InputError(
            f"model {text!r}",
            "is not of the form ARCHITECTURE or ARCHITECTURE=CHECKPOINT",
            "Examples: resnet50, timm:vit_tiny_patch16_224, my_code.nets:build=checkpoints/*.pth",
        )
    if architecture.startswith("timm:"):
        entry: dict[str, Any] = {"timm": architecture.removeprefix("timm:"), "weights": True}
    elif ":" in architecture:
        entry = {"factory": architecture}
    else:
        entry = {"torchvision": architecture, "weights": "DEFAULT"}
    if checkpoint:
        entry.pop("weights", None)
        entry["checkpoint"] = checkpoint
    return entry


def image_entry(text: str) -> dict[str, Any]:
    """The entry for an image said in short: `sample:chelsea`, an http(s) address, or a file, folder or glob."""
    if text.startswith("sample:"):
        return {"sample": text.removeprefix("sample:")}
    return {"url": text} if text.startswith(("http://", "https://")) else {"file": text}


def _item(entry: dict[str, Any]) -> str:
    """A list entry in block form."""
    lines = [f"{key}: {_scalar(value)}" for key, value in entry.items()]
    return "\n".join(f"  {'- ' if i == 0 else '  '}{line}" for i, line in enumerate(lines))


def _scalar(value: Any) -> str:
    """A value on one line of YAML: plain where YAML reads it back as it is, else quoted."""
    if isinstance(value, list):
        return f"[{', '.join(_scalar(one) for one in value)}]"
    if isinstance(value, str) and not _reads_back(value):
        return yaml.safe_dump(value, default_style='"', width=10**6).removesuffix("\n")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reads_back(text: str) -> bool:
    """Whether plain text needs no quotes, neither as a field's value nor in a list."""
    if not re.fullmatch(r"[\w./][\w./*:=@-]*", text, re.ASCII):
        return False
    try:
        return bool(yaml.safe_load(f"[{text}]") == [text] and yaml.safe_load(f"k: {text}") == {"k": text})
    except yaml.YAMLError:
        return False
