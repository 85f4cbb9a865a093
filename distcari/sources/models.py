"""From the config's model entries to one specification for each model, and from that to a network on the worker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path

from torch import Tensor, nn

from distcari.config.experiment import Experiment, ModelSource, Normalization
from distcari.errors import InputError, last_resort
from distcari.grid import alike, check_label
from distcari.settings import NORMALIZATIONS, Triple
from distcari.sources import architectures, published
from distcari.sources.checkpoints import SUFFIXES, State, check_fits, file_sha256, read_state, state_sha256, stem
from distcari.sources.conversions import convert
from distcari.sources.globs import expand, has_magic
from distcari.sources.validation import check_file, check_kinds, check_plain, user_path


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


def expand_models(experiment: Experiment, where: str = "config") -> list[ModelSpec]:
    """One specification for each model, globs expanded. Raises InputError for whatever cannot be found."""
    specs: list[ModelSpec] = []
    for i, source in enumerate(experiment.models):
        here = f"{where}: models[{i}]"
        with last_resort(here, "the model cannot be read", "Check its options and its weights."):
            specs += _expand(source, here, experiment.input_size)
    seen: dict[str, ModelSpec] = {}
    for spec in specs:
        if spec.name in seen:
            raise InputError(spec.where, f"duplicate model name {spec.name!r} (also {seen[spec.name].where})",
                             "Give each model a name of its own; in a group use {stem}.")
        seen[spec.name] = spec
    _check_names(seen, where)
    return specs


def _check_names(models: Mapping[str, ModelSpec], where: str) -> None:
    for name, spec in models.items():
        try:
            check_label(name)
        except ValueError as error:
            raise InputError(spec.where, str(error), "Give the model a `name` of its own.") from None
    if pair := alike(models):
        raise InputError(f"{where}: models", f"the names {pair[0]!r} and {pair[1]!r} cannot be told apart",
                         "Give one of the models another `name`.")


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


def check_model(spec: ModelSpec) -> None:
    """Raise InputError unless the weights fit the architecture; nothing is loaded into memory where that can be."""
    state = _state(spec) if spec.file is not None else None
    if state is None:
        return
    model = _outline(spec)
    state = convert(state, model, spec.source)
    check_fits(state, model.state_dict(), spec.file or spec.name, spec.where)
    check_kinds(state, model.state_dict(), spec.file or spec.name, spec.where)


def _outline(spec: ModelSpec) -> nn.Module:
    """The architecture on the meta device: shapes without values. Real where a factory needs real tensors."""
    try:
        return architectures.build(spec.source, spec.where, spec.num_classes, device="meta")
    except InputError:
        return architectures.build(spec.source, spec.where, spec.num_classes)


def _expand(source: ModelSource, where: str, default_size: int) -> Iterator[ModelSpec]:
    architectures.check_name(source, where)
    if source.checkpoint is not None:
        files = _checkpoints(source, where)
        for file in files:
            yield _spec(source, where, default_size, file, _name(source, file, where, len(files)))
        return
    name = source.name or source.architecture
    if source.package is not None:
        yield _spec(source, where, default_size, published.package_file(source, where), name)
    elif source.torchvision is not None and published.wants_published(source):
        yield _spec(source, where, default_size, published.torchvision_file(source, where), name)
    else:
        yield _spec(source, where, default_size, None, name)


def _spec(source: ModelSource, where: str, default_size: int, file: Path | None, name: str) -> ModelSpec:
    mean, std, size = _preprocessing(source, where, default_size)
    spec = ModelSpec(name, source, str(file) if file else None, "", mean, std, size, None, where)
    if file is not None:
        check_file(file, where)
        return replace(spec, sha256=file_sha256(file), num_classes=_num_classes(spec))
    state = _state(spec)
    if state is None:
        state = architectures.build(source, where).state_dict()
        check_plain(state, f"model {name}", where)
    return replace(spec, sha256=state_sha256(state))


def _state(spec: ModelSpec) -> State | None:
    """The model's weights, None where they are random."""
    if spec.file is not None:
        return read_state(Path(spec.file), spec.where)
    if spec.source.timm is not None and published.wants_published(spec.source):
        return published.timm_state(spec.source, spec.where)
    return None


def _num_classes(spec: ModelSpec) -> int | None:
    """Classes of a checkpoint, where they differ from the architecture's own: read from the classifier's shape."""
    if "num_classes" in spec.source.options:
        return None
    model = _outline(spec)
    state = convert(read_state(Path(str(spec.file)), spec.where), model, spec.source)
    expected = model.state_dict()
    classifier = _classifier(model, expected)
    if classifier in state and state[classifier].shape[0] != expected[classifier].shape[0]:
        return int(state[classifier].shape[0])
    return None


def _classifier(model: nn.Module, expected: Mapping[str, Tensor]) -> str:
    """Key of the classifier's weight: where timm says, else the last weight; "" without one."""
    told = (getattr(model, "default_cfg", None) or {}).get("classifier", "")
    name = f"{told if isinstance(told, str) else told[0]}.weight"
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


def _checkpoints(source: ModelSource, where: str) -> list[Path]:
    patterns = [source.checkpoint] if isinstance(source.checkpoint, str) else list(source.checkpoint or ())
    found: list[Path] = []
    for pattern in patterns:
        path = user_path(pattern, f"{where}.checkpoint")
        if has_magic(pattern) and not path.exists():
            matches = [p for p in expand(str(path)) if p.name.endswith(SUFFIXES)]
            matches = [p for p in matches if not any(_excluded(p, e) for e in source.exclude)]
            if not matches:
                raise InputError(f"{where}.checkpoint", f"nothing matches {pattern}", _put_it(Path(pattern)))
            found += matches
        else:
            found.append(_one_file(path, f"{where}.checkpoint"))
    return [path.absolute() for path in dict.fromkeys(found)]


def _excluded(path: Path, pattern: str) -> bool:
    return fnmatch(path.name, pattern) or fnmatch(stem(path), pattern) or fnmatch(str(path), pattern)


def _one_file(path: Path, where: str) -> Path:
    """The file; a name without an ending stands for the one file that has it."""
    if path.is_file():
        return path
    candidates: Sequence[Path] = [p for s in SUFFIXES if (p := path.with_name(path.name + s)).is_file()]
    if candidates:
        return candidates[0]
    raise InputError(where, f"no checkpoint at {path}", _put_it(path))


def _put_it(path: Path) -> str:
    folder = path.parent
    there = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    near = get_close_matches(path.name, there, n=3, cutoff=0.4) or there[:5]
    return f"Put the file into {folder}/, or correct the path. There now: {', '.join(near) or 'nothing'}."


def _name(source: ModelSource, file: Path, where: str, count: int) -> str:
    if source.name is None:
        return stem(file)
    if count > 1 and "{stem}" not in source.name:
        raise InputError(f"{where}.name", f"{count} checkpoints would all be called {source.name!r}",
                         "Use {stem} in the name, or leave it out.")
    return source.name.replace("{stem}", stem(file))


