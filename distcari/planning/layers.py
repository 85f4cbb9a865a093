"""The layers that a config asks for, looked up in its models before any work starts."""

from collections.abc import Mapping, Sequence

from distcari.config.experiment import Experiment
from distcari.errors import InputError, last_resort
from distcari.grid import check_label, digest
from distcari.planning.probe import UnfitLayer, check_network, probed
from distcari.render import LayerInfo, find_layers
from distcari.render.layers import describe, nearest_layers
from distcari.render.replica import replica
from distcari.sources import architectures
from distcari.sources.models import ModelSpec


def describe_models(models: Mapping[str, ModelSpec]) -> dict[str, list[LayerInfo]]:
    """For each model all its layers, as UnfitLayer those that cannot be rendered; one of each architecture is seen.

    Raises InputError for a model that does not take RGB pictures of its input size, or cannot be rendered at all.
    """
    described: dict[str, list[LayerInfo]] = {}
    found = {}
    for name, spec in models.items():
        same = digest(
            spec.source.torchvision,
            spec.source.timm,
            spec.source.factory,
            spec.source.options,
            spec.source.args,
            spec.num_classes,
            spec.input_size,
        )
        if same not in described:
            described[same] = _described(spec)
        found[name] = described[same]
    return found


def _described(spec: ModelSpec) -> list[LayerInfo]:
    """All layers of an architecture, those that cannot be rendered as UnfitLayer. Raises InputError for its network."""
    size = spec.input_size
    with last_resort(spec.where, f"model {spec.name} cannot be built", "Mend the code that makes it."):
        model = architectures.build(spec.source, spec.where, spec.num_classes)  # shapes hang on no weights
    check_network(model, spec.name, spec.where)
    with last_resort(spec.where, f"model {spec.name} cannot be rendered", "Mend its forward pass."):
        try:
            copy = replica(model)
            found = describe(copy, size)
            unfit = [UnfitLayer(name, name, "other", (), 0.0, reason=why) for name, why in found.unusable.items()]
            return [*probed(copy, found.layers, size, found.channels), *unfit]
        except InputError as error:  # the engine does not know the config
            raise InputError(spec.where, f"model {spec.name} ({error.where}) {error.problem}", error.remedy) from None


def chosen_layers(
    experiment: Experiment, infos: Mapping[str, Sequence[LayerInfo]], where: str
) -> dict[str, dict[str, LayerInfo]]:
    """For each model its layers of the config, by label.

    A layer that cannot be rendered is left out where a pattern matches it, and an InputError where it is named.
    """
    found: dict[str, dict[str, LayerInfo]] = {name: {} for name in infos}
    for name, described in infos.items():
        for i, pattern in enumerate(experiment.layers):
            here = f"{where}: layers[{i}]"
            matches = find_layers(described, pattern)
            if not matches and not is_pattern(pattern):
                raise InputError(
                    here,
                    f"model {name} has no layer {pattern!r}",
                    f"Nearest: {', '.join(nearest_layers(described, pattern))}. All layers: distcari layers {where}",
                )
            unfit = [info for info in matches if isinstance(info, UnfitLayer)]
            if unfit and not is_pattern(pattern):
                raise InputError(here, f"layer {pattern!r} of model {name} {unfit[0].reason}", "Name another layer.")
            _add(found[name], [info for info in matches if info not in unfit], name, here)
    for i, pattern in enumerate(experiment.layers):
        if is_pattern(pattern) and not any(find_layers(_fit(described), pattern) for described in infos.values()):
            raise InputError(
                f"{where}: layers[{i}]",
                f"no model has a layer that matches {pattern!r}",
                f"All layers: distcari layers {where}",
            )
    return found


def _add(found: dict[str, LayerInfo], infos: Sequence[LayerInfo], model: str, where: str) -> None:
    """Put layers under their labels. Raises InputError for two of one label, and for one that cannot be a label."""
    for info in infos:
        try:
            check_label(info.name)
        except ValueError as error:
            raise InputError(where, f"a layer of model {model}: {error}", "Rename the module.") from None
        other = found.setdefault(info.name, info)
        if other.path != info.path:
            raise InputError(
                where,
                f"model {model} has two layers for the label {info.name!r}: {other.path!r} and {info.path!r}",
                "Rename one of the modules; in labels dots are underscores.",
            )


def _fit(infos: Sequence[LayerInfo]) -> list[LayerInfo]:
    return [info for info in infos if not isinstance(info, UnfitLayer)]


def is_pattern(text: str) -> bool:
    """Whether a config's layer may stand for several, or for none of a model's."""
    return text == "blocks" or any(mark in text for mark in "*?[")
