"""From the config's `differences` to pairs of models: each is a label of its own on the model axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from distcari.config.experiment import DifferenceSource, Experiment
from distcari.config.layer_entries import is_pattern, labels_of
from distcari.errors import InputError
from distcari.grid import alike, check_label
from distcari.planning.probe import UnfitLayer
from distcari.render import LayerInfo, find_layers
from distcari.render.layers import nearest_layers
from distcari.sources.models import ModelSpec


@dataclass(frozen=True)
class Difference:
    """A pair of models: what `a` sees and `b` does not. `layers` maps a's layers to b's where they differ in name."""

    name: str
    a: ModelSpec
    b: ModelSpec
    contrast: float
    layers: Mapping[str, str]
    where: str

    @property
    def sha256(self) -> str:
        """Of both models' weights, with a dash between."""
        return f"{self.a.sha256}-{self.b.sha256}"


def expand_differences(experiment: Experiment, models: Mapping[str, ModelSpec], where: str) -> dict[str, Difference]:
    """The differences by label. Raises InputError for a model that is not there, or a label that is taken."""
    found: dict[str, Difference] = {}
    for i, source in enumerate(experiment.differences):
        here = f"{where}: differences[{i}]"
        a, b = (_model(models, name, f"{here}.{side}") for side, name in (("a", source.a), ("b", source.b)))
        name = source.name or _name(source)
        if name in models or name in found:
            raise InputError(here, f"duplicate model name {name!r}", "Give it a name of its own with `name`.")
        try:
            check_label(name)
        except ValueError as error:
            raise InputError(here, str(error), "Give it a name of its own with `name`.") from None
        if pair := alike([*models, *found, name]):
            raise InputError(
                here,
                f"the names {pair[0]!r} and {pair[1]!r} cannot be told apart",
                "Give it a name of its own with `name`.",
            )
        layers = {key.replace(".", "_"): value for key, value in source.layers.items()}
        found[name] = Difference(name, a, b, source.contrast, layers, here)
    return found


def counterpart_layers(
    experiment: Experiment,
    differences: Mapping[str, Difference],
    layers: Mapping[str, Mapping[str, LayerInfo]],
    infos: Mapping[str, Sequence[LayerInfo]],
) -> dict[str, dict[str, LayerInfo]]:
    """For each difference the layers of its b, by the labels of its a."""
    named = [
        label
        for entry in experiment.layers
        if not (isinstance(entry, str) and is_pattern(entry))
        for label in labels_of(entry)
    ]
    return {
        name: _counterparts(pair, layers[pair.a.name], layers[pair.b.name], infos, named)
        for name, pair in differences.items()
    }


def _counterparts(
    difference: Difference,
    layers: Mapping[str, LayerInfo],
    layers_b: Mapping[str, LayerInfo],
    infos: Mapping[str, Sequence[LayerInfo]],
    named: Sequence[str],
) -> dict[str, LayerInfo]:
    """For the layers of a, by label, those of b: as the mapping says, else of the same label, else of the same name.

    A layer that b lacks is left out, unless the config names it without a pattern (`named`): then it is an InputError.
    """
    here = f"{difference.where}.layers"
    infos_a, infos_b = infos[difference.a.name], infos[difference.b.name]
    if strange := [name for name in difference.layers if name not in layers and not find_layers(infos_a, name)]:
        raise InputError(
            here,
            f"model {difference.a.name} has no layer {strange[0]!r}",
            f"Nearest: {', '.join(nearest_layers(infos_a, strange[0]))}.",
        )
    found = {}
    for label, info in layers.items():
        wanted = counterpart(difference, label, info, layers_b)
        matches = [info for info in infos_b if info.name == wanted.replace(".", "_")]
        unfit = matches[0] if matches and isinstance(matches[0], UnfitLayer) else None
        if unfit and (label in named or label in difference.layers):
            raise InputError(here, f"layer {wanted!r} of model {difference.b.name} {unfit.reason}", unfit.remedy)
        if matches and not unfit:
            found[label] = matches[0]
        elif label in named or label in difference.layers:
            raise InputError(
                here,
                f"model {difference.b.name} has no layer {wanted!r}, the counterpart of {label} in {difference.a.name}",
                f"Say which it is: `layers: {{{label}: …}}`. Nearest: {', '.join(nearest_layers(infos_b, wanted))}.",
            )
    if not found:
        raise InputError(
            here,
            f"{difference.a.name} and {difference.b.name} share no layer of the config",
            "Say which belong together: `layers: {layer of a: layer of b}`.",
        )
    return found


def counterpart(difference: Difference, label: str, info: LayerInfo, layers_b: Mapping[str, LayerInfo]) -> str:
    """The name of b's layer for a's, which has that label."""
    told = difference.layers.get(label, difference.layers.get(info.name))
    return told or (layers_b[label].name if label in layers_b else info.name)


def _model(models: Mapping[str, ModelSpec], name: str, where: str) -> ModelSpec:
    if name not in models:
        near = get_close_matches(name, models, n=3, cutoff=0.4) or list(models)[:5]
        raise InputError(where, f"no model {name!r} in the config", f"Nearest: {', '.join(near)}.")
    return models[name]


def _name(source: DifferenceSource) -> str:
    weight = "" if source.contrast == 1 else f"{source.contrast:g} "
    return f"{source.a} − {weight}{source.b}"
