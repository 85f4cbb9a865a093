"""The layers that a config asks for, looked up in its models before any work starts."""

from collections.abc import Mapping, Sequence

from distcari.config.experiment import Experiment
from distcari.config.layer_entries import LayerEntry, is_depth, is_pattern
from distcari.errors import InputError, last_resort
from distcari.grid import check_label, digest
from distcari.planning.columns import by_alias, by_depth, named_layer
from distcari.planning.probe import UnfitLayer, check_network, fit, one_thread, probed
from distcari.render import LayerInfo, find_layers
from distcari.render.layers import describe
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
            with one_thread():
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
    see = f"distcari layers {where}"
    for i, entry in enumerate(experiment.layers):
        here = f"{where}: layers[{i}]"
        for name, layers in _of_entry(entry, infos, here, see).items():
            for label, info in layers:
                _add(found[name], label, info, infos[name], name, here)
    for i, pattern in enumerate(experiment.layers):
        if not isinstance(pattern, str) or not is_pattern(pattern):
            continue
        if not any(find_layers(described, pattern) for described in infos.values()):
            raise InputError(
                f"{where}: layers[{i}]", f"no model has a layer that matches {pattern!r}", f"All layers: {see}"
            )
    for name, layers_of in found.items():
        if not layers_of:
            _refuse_unfit(experiment, infos[name], name, where)
    return found


def _refuse_unfit(experiment: Experiment, infos: Sequence[LayerInfo], model: str, where: str) -> None:
    """Raise InputError where patterns match layers of a model that has none in the end: all of them unfit."""
    for i, entry in enumerate(experiment.layers):
        matches = find_layers(infos, entry) if isinstance(entry, str) and is_pattern(entry) else []
        if unfit := [info for info in matches if isinstance(info, UnfitLayer)]:
            told = f"no match of model {model} can be rendered: layer {unfit[0].path!r} {unfit[0].reason}"
            raise InputError(f"{where}: layers[{i}]", told, unfit[0].remedy)


def layers_asked(
    experiment: Experiment, infos: Mapping[str, Sequence[LayerInfo]], where: str
) -> dict[str, dict[str, list[str]]]:
    """For each model the layers that a config asks for, by name, with the labels of their columns.

    A path that a model lacks is nothing here: the lists are to help find it. Raises InputError for wrong aliases.
    """
    found: dict[str, dict[str, list[str]]] = {name: {} for name in infos}
    for i, entry in enumerate(experiment.layers):
        here, see = f"{where}: layers[{i}]", "this command without the alias"
        if isinstance(entry, str) and not is_depth(entry):
            asked = {name: [(x.name, x) for x in find_layers(described, entry)] for name, described in infos.items()}
        else:
            asked = _of_entry(entry, infos, here, see)
        for name, layers in asked.items():
            for label, info in layers:
                columns = found[name].setdefault(info.name, [])
                columns += [] if label in columns else [label]
    return found


def is_plain(experiment: Experiment) -> bool:
    """Whether a config names all its layers by path or pattern, so that each model can be looked at by itself."""
    return all(isinstance(entry, str) and not is_depth(entry) for entry in experiment.layers)


def _of_entry(
    entry: LayerEntry, infos: Mapping[str, Sequence[LayerInfo]], here: str, see: str
) -> dict[str, list[tuple[str, LayerInfo]]]:
    """For each model the labels and layers of an entry."""
    if not isinstance(entry, str):
        found: dict[str, list[tuple[str, LayerInfo]]] = {name: [] for name in infos}
        for alias, paths in entry.items():
            for name, info in by_alias(infos, paths, f"{here}.{alias}", see).items():
                found[name].append((alias, info))
        return found
    if is_depth(entry):
        return {name: list(by_depth(described, entry, name, here).items()) for name, described in infos.items()}
    if not is_pattern(entry):
        named = {name: named_layer(described, entry, name, here, see) for name, described in infos.items()}
        return {name: [(info.name, info)] for name, info in named.items()}
    return {
        name: [(info.name, info) for info in fit(find_layers(described, entry))] for name, described in infos.items()
    }


def _add(
    found: dict[str, LayerInfo], label: str, info: LayerInfo, infos: Sequence[LayerInfo], model: str, where: str
) -> None:
    """Put a layer under its label. Raises InputError where a label has two layers, or a layer two labels."""
    try:
        check_label(label)
    except ValueError as error:
        raise InputError(where, f"a layer of model {model}: {error}", "Rename the module.") from None
    other = found.get(label)
    if other is not None and other.path != info.path:
        raise InputError(
            where,
            f"model {model} has two layers for the label {label!r}: {other.path!r} and {info.path!r}",
            "Rename one of the modules; in labels dots are underscores."
            if label == info.name
            else "Give the alias another name.",
        )
    if label != info.name and any(one.name == label for one in infos):
        raise InputError(
            where,
            f"{label!r} is itself a layer of model {model}, but would stand for {info.path!r}",
            "Give the alias another name.",
        )
    if twice := [name for name, one in found.items() if one.path == info.path and name != label]:
        raise InputError(
            where,
            f"layer {info.path!r} of model {model} would be in two columns, {twice[0]!r} and {label!r}",
            "Leave one of them out: a cell has one place.",
        )
    found[label] = info
