"""What the store is to keep about an experiment (`store/description.py` joins it to what it knows), and cells' digests.

A place in the store has one meaning for good: what a name stood for when its first picture was made.
"""

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from distcari import __version__
from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.grid import Axis, Grid, digest, label_text
from distcari.planning.differences import Difference
from distcari.render import LayerInfo
from distcari.settings import RenderSettings
from distcari.sources.images import LoadedImage
from distcari.sources.models import ModelSpec


def axes_of(
    experiment: Experiment,
    models: Mapping[str, ModelSpec],
    differences: Mapping[str, Difference],
    images: Mapping[str, LoadedImage],
    steps: Mapping[str, int],
) -> tuple[Axis, ...]:
    """The grid's axes: each label with a digest of what it stands for; `steps` by the labels of layers."""
    return (
        Axis(
            "model",
            {
                **{name: _model_digest(spec) for name, spec in models.items()},
                **{name: _difference_digest(pair) for name, pair in differences.items()},
            },
        ),
        Axis("image", {name: image.sha256 for name, image in images.items()}),
        Axis("layer", {label: layer_digest(experiment, label, n) for label, n in steps.items()}),
        Axis("seed", {seed: str(seed) for seed in experiment.seeds}),
        *(
            Axis(name, {value: f"{name}={label_text(value)}" for value in values})
            for name, values in experiment.sweeps.items()
        ),
    )


def settings_hash(render: RenderSettings, without: Collection[str] = ()) -> str:
    """Hash of the render settings; the steps are each layer's own, so they are not in it, nor what is swept."""
    settings = {name: value for name, value in render.identity().items() if name != "steps" and name not in without}
    return digest(settings, render.version)


def layer_digest(experiment: Experiment, name: str, steps: int) -> str:
    """What decides a layer's part of a key: its name, and its steps unless they are swept."""
    return f"{name}:{None if 'steps' in experiment.sweeps else steps}"


def own_contents(
    experiment: Experiment,
    layers: Mapping[str, Mapping[str, LayerInfo]],
    counterparts: Mapping[str, Mapping[str, LayerInfo]],
    differences: Mapping[str, Difference],
    steps: Mapping[str, int],
) -> dict[str, dict[str, tuple[str, str]]]:
    """For each model the layers that have a label of another name: their name and digest, which keys are made of.

    So a cell has one key, whatever its column is called.
    """
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for model, infos in layers.items():
        for label, info in infos.items():
            content = layer_digest(experiment, info.name, steps[label])
            if model in counterparts:
                told, other = differences[model].layers, counterparts[model][label].name
                content += "" if other == told.get(info.name, info.name).replace(".", "_") else f" in b {other}"
            if (label, content) != (info.name, layer_digest(experiment, label, steps[label])):
                found.setdefault(model, {})[label] = info.name, content
    return found


def steps_by_label(experiment: Experiment, layers: Mapping[str, Mapping[str, LayerInfo]], where: str) -> dict[str, int]:
    """Each label's steps. Raises InputError where `steps_by_layer` gives its models different ones."""
    found: dict[str, tuple[int, str]] = {}
    for model, infos in layers.items():
        for label, info in infos.items():
            steps = steps_at(experiment, label, info.name)
            earlier, other = found.setdefault(label, (steps, model))
            if earlier != steps:
                raise InputError(
                    f"{where}: steps_by_layer",
                    f"gives {label} {earlier} steps in {other} and {steps} in {model}, but a column has one number",
                    f"Put `{label}: {max(earlier, steps)}` behind the others.",
                )
    return {label: steps for label, (steps, _) in found.items()}


def steps_at(experiment: Experiment, *names: str) -> int:
    """The steps of a layer that is known by these names; the last pattern that matches one of them decides."""
    steps = experiment.render.steps
    for pattern, n in experiment.steps_by_layer.items():
        if any(fnmatchcase(name, pattern.replace(".", "_")) for name in names):
            steps = n
    return steps


def describe(
    experiment: Experiment,
    grid: Grid,
    models: Mapping[str, ModelSpec],
    differences: Mapping[str, Difference],
    images: Mapping[str, LoadedImage],
    settings: Mapping[str, RenderSettings],
) -> dict[str, Any]:
    """What the store keeps about the experiment, for readers and for the next run."""
    fixed = {
        **experiment.render.identity(),
        "input_size": experiment.input_size,
        "picture_dtype": experiment.picture_dtype,
        "shard": experiment.shard,
    }
    for name in {"steps", *experiment.sweeps}:
        del fixed[name]
    return {
        "axes": [axis.name for axis in grid.axes],
        "description": experiment.description,
        "settings": fixed,
        "settings_hash": grid.settings_hash,
        "render_version": experiment.render.version,
        "steps": {label: None if "steps" in experiment.sweeps else one.steps for label, one in settings.items()},
        "models": {
            name: {
                "digest": grid.axis("model").digests[name],
                "sha256": spec.sha256,
                "mean": list(spec.mean),
                "std": list(spec.std),
                "input_size": spec.input_size,
                "num_classes": spec.num_classes,
                "source": spec.source.model_dump(mode="json", exclude_defaults=True, exclude={"tags"}),
            }
            for name, spec in models.items()
        }
        | {
            name: {
                "digest": grid.axis("model").digests[name],
                "sha256": pair.sha256,
                "difference": {"a": pair.a.name, "b": pair.b.name, "contrast": pair.contrast, "layers": pair.layers},
            }
            for name, pair in differences.items()
        },
        "images": {name: {"sha256": image.sha256, "origin": image.origin} for name, image in images.items()},
        "layers_of": {name: list(layers) for name, layers in grid.layers_of.items()},
        **({"layer_paths": _paths(grid)} if grid.own_contents else {}),
        "config": experiment.model_dump(mode="json", exclude={"store_options"}),
        "distcari_version": __version__,
    }


def _paths(grid: Grid) -> dict[str, dict[str, str]]:
    return {
        model: {label: name for label, (name, _) in own.items() if name != label}
        for model, own in grid.own_contents.items()
    }


def _model_digest(spec: ModelSpec) -> str:
    source = spec.source
    architecture = [source.torchvision, source.timm, source.factory, source.options, source.args, spec.num_classes]
    return digest(spec.sha256, architecture, spec.mean, spec.std, spec.input_size)


def _difference_digest(pair: Difference) -> str:
    return digest("difference", _model_digest(pair.a), _model_digest(pair.b), pair.contrast, dict(pair.layers))
