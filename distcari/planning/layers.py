"""The layers that a config asks for, looked up in its models before any work starts."""

from collections.abc import Mapping, Sequence

from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.grid import digest
from distcari.render import LayerInfo, describe_layers, find_layers
from distcari.render.layers import nearest_layers
from distcari.sources import architectures
from distcari.sources.models import ModelSpec


def describe_models(models: Mapping[str, ModelSpec]) -> dict[str, list[LayerInfo]]:
    """For each model all its layers; one model of each architecture is looked at."""
    described: dict[str, list[LayerInfo]] = {}
    found = {}
    for name, spec in models.items():
        same = digest(spec.source.torchvision, spec.source.timm, spec.source.factory, spec.source.options,
                      spec.source.args, spec.num_classes, spec.input_size)
        if same not in described:
            network = architectures.build(spec.source, spec.where, spec.num_classes)  # shapes hang on no weights
            described[same] = describe_layers(network, spec.input_size)
        found[name] = described[same]
    return found


def chosen_layers(
    experiment: Experiment, infos: Mapping[str, Sequence[LayerInfo]], where: str
) -> dict[str, dict[str, LayerInfo]]:
    """For each model its layers of the config, by label."""
    found: dict[str, dict[str, LayerInfo]] = {name: {} for name in infos}
    for name, described in infos.items():
        for i, pattern in enumerate(experiment.layers):
            matches = find_layers(described, pattern)
            if not matches and not is_pattern(pattern):
                raise InputError(
                    f"{where}: layers[{i}]", f"model {name} has no layer {pattern!r}",
                    f"Nearest: {', '.join(nearest_layers(described, pattern))}. "
                    f"All layers: distcari layers {where}",
                )
            found[name].update({info.name: info for info in matches})
    for i, pattern in enumerate(experiment.layers):
        if is_pattern(pattern) and not any(find_layers(described, pattern) for described in infos.values()):
            raise InputError(
                f"{where}: layers[{i}]", f"no model has a layer that matches {pattern!r}",
                f"All layers: distcari layers {where}",
            )
    return found


def is_pattern(text: str) -> bool:
    """Whether a config's layer may stand for several, or for none of a model's."""
    return text == "blocks" or any(mark in text for mark in "*?[")
