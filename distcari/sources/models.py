"""From the config's model entries to one specification for each model, and from that to a network on the worker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor, nn

from distcari.config.experiment import Experiment, ModelSource, Normalization
from distcari.errors import InputError, last_resort
from distcari.grid import alike, check_label, digest
from distcari.settings import NORMALIZATIONS, Triple
from distcari.sources import architectures, published
from distcari.sources.checkpoints import State, check_fits, read_state, state_sha256
from distcari.sources.conversions import convert
from distcari.sources.digests import Digests
from distcari.sources.locate import checkpoint_files, model_name
from distcari.sources.validation import check_kinds, check_plain


@dataclass(frozen=True)
class ModelSpec:
    """One model: its label, where it comes from, and how it sees pictures. Small and picklable.

    `file` is the weights' file, None for random or timm's weights; `sha256` is of that file's bytes, else of the state
    dict; `mean`, `std` are for RGB in 0 … 1; `input_size` in pixels; `where` is its place in the config, for messages.
    """

    name: str
    source: ModelSource
    file: str | None
    sha256: str
    mean: Triple
    std: Triple
    input_size: int
    num_classes: int | None
    where: str
    parameters: int | None = None  # numbers that training sets


def expand_models(experiment: Experiment, where: str = "config") -> list[ModelSpec]:
    """One specification for each model, globs expanded, each checkpoint read once.

    Raises InputError for whatever cannot be found, and for weights that do not fit their architecture.
    """
    found: list[ModelSpec] = []
    with Digests() as digests:
        for i, source in enumerate(experiment.models):
            here = f"{where}: models[{i}]"
            with last_resort(here, "the model cannot be read", "Check its options and its weights."):
                found += _expand(source, here, experiment.input_size, digests)
        _check_apart(found)
        inspected = inspect_models(found, digests)
    _check_names({spec.name: spec for spec in inspected}, where)
    return inspected


def _check_apart(specs: Sequence[ModelSpec]) -> None:
    seen: dict[str, ModelSpec] = {}
    for spec in specs:
        if spec.name in seen:
            raise InputError(
                spec.where,
                f"duplicate model name {spec.name!r} (also {seen[spec.name].where})",
                "Give each model a name of its own; in a group use {stem}.",
            )
        seen[spec.name] = spec


class Outlines:
    """Architectures on the meta device, shapes without values, each built once. Real where a factory needs that."""

    def __init__(self) -> None:
        self._built: dict[str, nn.Module] = {}

    def of(self, spec: ModelSpec, num_classes: int | None = None) -> nn.Module:
        """The architecture of a model with so many classes; None: with its own."""
        source = spec.source
        same = digest(
            source.torchvision, source.timm, source.factory, source.options, source.args, source.weights, num_classes
        )
        if same not in self._built:
            try:
                self._built[same] = architectures.build(source, spec.where, num_classes, device="meta")
            except InputError:
                self._built[same] = architectures.build(source, spec.where, num_classes)
        return self._built[same]


def inspect_models(specs: Sequence[ModelSpec], digests: Digests) -> list[ModelSpec]:
    """The specifications with what the weights say: digest, classes, and that they fit.

    Raises InputError for the first that cannot be used.
    """
    for spec in specs:
        if spec.file is not None:
            digests.begin(Path(spec.file), spec.where)
    outlines, inspected = Outlines(), []
    for spec in specs:
        with last_resort(spec.where, "the model cannot be read", "Check its options and its weights."):
            inspected.append(_inspect(spec, outlines))
    return [spec if spec.file is None else replace(spec, sha256=digests.of(spec.file)) for spec in inspected]


def _inspect(spec: ModelSpec, outlines: Outlines) -> ModelSpec:
    """The specification with its classes, known to fit, but for the digest of a file. Tensors stay on the disk."""
    if spec.file is None:
        state, parameters = _state(spec), None
        if state is None:
            built = architectures.build(spec.source, spec.where)
            state, parameters = built.state_dict(), _parameters(built)
            check_plain(state, f"model {spec.name}", spec.where)
        return replace(spec, sha256=state_sha256(state), parameters=parameters or _parameters(outlines.of(spec)))
    raw, model = read_state(Path(spec.file), spec.where), outlines.of(spec)
    state = convert(raw, model, spec.source)
    classes = _num_classes(spec, state, model)
    if classes is not None:
        model = outlines.of(spec, classes)
        state = convert(raw, model, spec.source)
    check_fits(state, model.state_dict(), spec.file, spec.where)
    check_kinds(state, model.state_dict(), spec.file, spec.where)
    return replace(spec, num_classes=classes, parameters=_parameters(model))


def _parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _check_names(models: Mapping[str, ModelSpec], where: str) -> None:
    for name, spec in models.items():
        try:
            check_label(name)
        except ValueError as error:
            raise InputError(spec.where, str(error), "Give the model a `name` of its own.") from None
    if pair := alike(models):
        raise InputError(
            f"{where}: models",
            f"the names {pair[0]!r} and {pair[1]!r} cannot be told apart",
            "Give one of the models another `name`.",
        )


def load_model(spec: ModelSpec) -> nn.Module:
    """The network with its weights, evaluated, on the CPU."""
    model = architectures.build(spec.source, spec.where, spec.num_classes)
    state = _state(spec)
    if state is not None:
        state = convert(state, model, spec.source)
        check_fits(state, model.state_dict(), spec.file or spec.name, spec.where)
        check_kinds(state, model.state_dict(), spec.file or spec.name, spec.where)
        model.load_state_dict(state, strict=False)
    return model.eval()


def _expand(source: ModelSource, where: str, default_size: int, digests: Digests) -> Iterator[ModelSpec]:
    files = [] if source.checkpoint is None else checkpoint_files(source, where)
    for file in files:
        digests.begin(file, where)  # now, for the architecture's library takes a second or two to import
    architectures.check_name(source, where)
    if source.checkpoint is not None:
        for file in files:
            yield _spec(source, where, default_size, file, model_name(source, file, where, len(files)))
        return
    name = source.name or source.architecture
    if source.package is not None:
        yield _spec(source, where, default_size, published.package_file(source, where), name)
    elif source.torchvision is not None and published.wants_published(source):
        yield _spec(source, where, default_size, published.torchvision_file(source, where), name)
    else:
        yield _spec(source, where, default_size, None, name)


def _spec(source: ModelSource, where: str, default_size: int, file: Path | None, name: str) -> ModelSpec:
    """A specification without what its weights say."""
    mean, std, size = _preprocessing(source, where, default_size)
    return ModelSpec(name, source, str(file) if file else None, "", mean, std, size, None, where)


def _state(spec: ModelSpec) -> State | None:
    """The model's weights, None where they are random."""
    if spec.file is not None:
        return read_state(Path(spec.file), spec.where)
    if spec.source.timm is not None and published.wants_published(spec.source):
        return published.timm_state(spec.source, spec.where)
    return None


def _num_classes(spec: ModelSpec, state: State, model: nn.Module) -> int | None:
    """Classes of a checkpoint, where they differ from the architecture's own: read from the classifier's shape."""
    if "num_classes" in spec.source.options:
        return None
    expected = model.state_dict()
    classifier = _classifier(model, expected)
    if classifier in state and state[classifier].shape[0] != expected[classifier].shape[0]:
        return int(state[classifier].shape[0])
    return None


def _classifier(model: nn.Module, expected: Mapping[str, Tensor]) -> str:
    """Key of the classifier's weight: where timm says, else the last weight; "" without one."""
    named = (getattr(model, "default_cfg", None) or {}).get("classifier", "")
    name = f"{named if isinstance(named, str) else named[0]}.weight"
    weights = [key for key, value in expected.items() if value.ndim >= 2]
    return name if name in expected else next(reversed(weights), "")


def _preprocessing(source: ModelSource, where: str, default_size: int) -> tuple[Triple, Triple, int]:
    mean, std = NORMALIZATIONS["imagenet"]
    size = default_size
    if source.torchvision is not None and published.wants_published(source):
        mean, std, size = published.torchvision_preprocessing(source, where)
    elif source.timm is not None:
        mean, std, size = published.timm_preprocessing(source, where)
    if isinstance(source.normalization, Normalization):
        mean, std = source.normalization.mean, source.normalization.std
    elif source.normalization is not None:
        mean, std = NORMALIZATIONS[source.normalization]
    return mean, std, source.input_size or size
