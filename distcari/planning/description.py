"""What the store is to keep about an experiment (`store/description.py` joins it to what it knows), and cells' digests.

A place in the store has one meaning for good: what a name stood for when its first picture was made.
"""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from distcari import __version__
from distcari.config.experiment import Experiment
from distcari.grid import Axis, Grid, digest, label_text
from distcari.planning.differences import Difference
from distcari.settings import RenderSettings
from distcari.sources.images import LoadedImage
from distcari.sources.models import ModelSpec


def axes_of(
    experiment: Experiment,
    models: Mapping[str, ModelSpec],
    differences: Mapping[str, Difference],
    images: Mapping[str, LoadedImage],
    labels: Sequence[str],
) -> tuple[Axis, ...]:
    """The grid's axes: each label with a digest of what it stands for; `labels` are those of layers."""
    return (
        Axis(
            "model",
            {
                **{name: _model_digest(spec) for name, spec in models.items()},
                **{name: _difference_digest(pair) for name, pair in differences.items()},
            },
        ),
        Axis("image", {name: image.sha256 for name, image in images.items()}),
        Axis("layer", {label: f"{label}:{own_steps(experiment, label)}" for label in labels}),
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


def own_steps(experiment: Experiment, label: str) -> int | None:
    """A layer's steps; None where they are swept."""
    return None if "steps" in experiment.sweeps else steps_at(experiment, label)


def steps_at(experiment: Experiment, label: str) -> int:
    """A layer's steps; the last pattern that matches it decides."""
    steps = experiment.render.steps
    for pattern, n in experiment.steps_by_layer.items():
        if fnmatchcase(label, pattern.replace(".", "_")):
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
        "steps": {label: own_steps(experiment, label) for label in settings},
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
        "config": experiment.model_dump(mode="json", exclude={"store_options"}),
        "distcari_version": __version__,
    }


def _model_digest(spec: ModelSpec) -> str:
    source = spec.source
    architecture = [source.torchvision, source.timm, source.factory, source.options, source.args, spec.num_classes]
    return digest(spec.sha256, architecture, spec.mean, spec.std, spec.input_size)


def _difference_digest(pair: Difference) -> str:
    return digest("difference", _model_digest(pair.a), _model_digest(pair.b), pair.contrast, dict(pair.layers))
