"""What the store says about an experiment: settings, where each label comes from, which layers each model has.

It is the attribute `distcari` of the experiment's Zarr group, as JSON. What a field does not know (older and newer
versions) is kept, and what was never said is not written.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from distcari.errors import InputError
from distcari.grid import BASE_AXES

FIXED = ("size", "input_size", "picture_dtype", "shard", "compat")  # what no new computation under the name can change


class _Said(BaseModel):
    """A part of the description."""

    model_config = ConfigDict(frozen=True, extra="allow")


class PairDescription(_Said):
    """The difference that a label on the model axis stands for: the labels of a and b, b's weight, b's layers."""

    a: str = ""
    b: str = ""
    contrast: float = 1.0
    layers: dict[str, str] = {}


class ModelDescription(_Said):
    """A label on the model axis. `digest` decides its cells' keys; of a difference only the hashes and the pair."""

    digest: str = ""
    sha256: str = ""
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    input_size: int | None = None
    num_classes: int | None = None
    source: dict[str, Any] = {}
    difference: PairDescription | None = None


class ImageDescription(_Said):
    """A label on the image axis: SHA-256 of the input's pixels (empty: not kept), and where it came from."""

    sha256: str = ""
    origin: str = ""


class Description(_Said):
    """An experiment as it was computed: the union of all its runs, and the config of the last one.

    `steps`: each layer's, None where they are swept. `layers_of`: of each model that lacks one of the layers, those
    that it has. `layer_paths`: of each model the layers whose label is another than their name. `settings`: the render
    settings that all cells share, with the pictures' size and type.
    `render_version`: the engine's, whose pictures these are; stores of version 2 do not say it.
    """

    axes: tuple[str, ...] = ()
    description: str = ""
    settings: dict[str, Any] = {}
    settings_hash: str = ""
    render_version: int = 2
    steps: dict[str, int | None] = {}
    models: dict[str, ModelDescription] = {}
    images: dict[str, ImageDescription] = {}
    layers_of: dict[str, tuple[str, ...]] = {}
    layer_paths: dict[str, dict[str, str]] = {}
    config: dict[str, Any] = {}
    distcari_version: str = ""

    @classmethod
    def of(cls, document: Any) -> "Description":
        """From JSON. Raises ValueError, saying which field is wrong, for what is no description."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}") from None

    def as_json(self) -> dict[str, Any]:
        """As it lies in the store."""
        return self.model_dump(mode="json", exclude_unset=True)

    @property
    def adopted(self) -> bool:
        """Whether its pictures were made by another program, and only taken over."""
        return self.settings.get("compat") == "adopted"

    def has(self, model: str, layer: str) -> bool:
        """Whether the model has the layer."""
        return layer in self.layers_of.get(model, (layer,))

    def layers(self, model: str) -> tuple[str, ...]:
        """The layers of a model; none of a model that is not here."""
        return tuple(self.layers_of.get(model, self.steps)) if model in self.models else ()

    def layer(self, model: str, label: str) -> str:
        """The name of a model's layer, whatever its label is."""
        return self.layer_paths.get(model, {}).get(label, label)

    def without(self, emptied: Collection[tuple[str, str]]) -> "Description":
        """With these (model, layer) in no model: their cells have got other labels."""
        layers = {model: tuple(x for x in self.layers(model) if (model, x) not in emptied) for model in self.models}
        return self.model_copy(
            update={"layers_of": {model: kept for model, kept in layers.items() if len(kept) < len(self.steps)}}
        )

    def merged(self, now: "Description", *, overwrite: bool, where: str) -> "Description":
        """This earlier description with what is new added.

        Raises InputError, naming the config as `where`, for what would put two meanings under one name.
        """
        _same_axes(self.axes, now.axes, where)
        before = {"shard": 1, **self.settings}
        fixed = [name for name in FIXED if before.get(name) != now.settings.get(name)]
        differences = self._differences(before, now)
        if differences and (fixed or not overwrite):
            raise InputError(
                f"{where}: name",
                "the store has this experiment with other settings:\n    " + "\n    ".join(differences),
                "Give the experiment another name (--set name=…), or compute all of it anew with --overwrite"
                + (" (not with a changed size or type: those need another name)." if fixed else ".")
                + (" To go on as before: --set render.compat=v2." if self._can_stay_old(now) else ""),
            )
        return now.model_copy(
            update={
                "steps": {**self.steps, **now.steps},
                "models": {**self.models, **now.models},
                "images": {**self.images, **now.images},
                "layers_of": self._layers_with(now),
                **({"layer_paths": paths} if (paths := self._paths_with(now)) else {}),
            }
        )

    def _can_stay_old(self, now: "Description") -> bool:
        """Whether `compat: v2` would continue these pictures, which an older engine made."""
        return self.render_version < now.render_version and self.settings.get("compat", "none") == "none"

    def _differences(self, before: Mapping[str, Any], now: "Description") -> list[str]:
        """What the two say differently of the same thing, a line each."""
        lines = (
            [f"its pictures are of version {self.render_version} of the engine, now it is {now.render_version}"]
            if self.render_version != now.render_version and not self.adopted
            else []
        )
        lines += [
            f"render.{name}: {old!r} in the store, {now.settings.get(name)!r} now"
            for name, old in before.items()
            if now.settings.get(name) != old
        ]
        lines += [
            f"steps at {label}: {old} in the store, {now.steps[label]} now"
            for label, old in self.steps.items()
            if now.steps.get(label, old) != old
        ]
        lines += [
            f"layer {label} of {model}: {self.layer(model, label)} in the store, {now.layer(model, label)} now"
            for model in self.models
            for label in self.layers(model)
            if label in now.layers(model) and self.layer(model, label) != now.layer(model, label)
        ]
        contents = [
            ("model", label, old.digest, now.models[label].digest)
            for label, old in self.models.items()
            if label in now.models
        ]
        contents += [
            ("image", label, image.sha256, now.images[label].sha256)
            for label, image in self.images.items()
            if label in now.images
        ]
        return lines + [
            f"{kind} {label}: its content has changed ({old[:12]}… in the store, {new[:12]}… now)"
            for kind, label, old, new in contents
            if old != new
        ]

    def _paths_with(self, now: "Description") -> dict[str, dict[str, str]]:
        """`layer_paths` of both runs together."""
        models = {**self.layer_paths, **now.layer_paths}
        return {model: {**self.layer_paths.get(model, {}), **now.layer_paths.get(model, {})} for model in models}

    def _layers_with(self, now: "Description") -> dict[str, tuple[str, ...]]:
        """`layers_of` of both runs together."""
        labels = {**self.steps, **now.steps}
        both = {
            model: tuple(dict.fromkeys([*self.layers(model), *now.layers(model)]))
            for model in {**self.models, **now.models}
        }
        return {model: layers for model, layers in both.items() if len(layers) < len(labels)}


def _same_axes(earlier: Sequence[str], now: Sequence[str], where: str) -> None:
    """Raise InputError where other settings are swept than in the store: an array's dims are fixed."""
    if list(earlier) == list(now):
        return
    old, new = (", ".join(name for name in axes if name not in BASE_AXES) or "nothing" for axes in (earlier, now))
    raise InputError(
        f"{where}: render",
        f"the store has this experiment with other axes: it sweeps {old}, now {new}",
        "Values can be added to a sweep, but a sweep cannot be added or taken away: give the experiment "
        "another name (--set name=…).",
    )
