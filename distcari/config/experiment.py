"""The config file as pydantic models: an experiment's axes and its render settings, checked before any work.

`load_experiment` (in `load.py`) reads a file into one; `distcari config schema` prints every field.
"""

import re
from collections import Counter
from collections.abc import Iterable
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from distcari import markup
from distcari.config.layer_entries import LayerEntry, labels_of
from distcari.config.sweeps import conflict, take_lists, wrong
from distcari.config.tags import Tag, check_pattern, check_tag_names, is_file
from distcari.grid import alike, check_experiment_name, check_label
from distcari.settings import RenderSettings


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"is {str(value).lower()}, but must be a number")
    return value


def _plain(value: Any) -> Any:
    """A value that JSON can hold: what goes into keys, and is the same on every machine."""
    if isinstance(value, dict):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"the field name {strange[0]!r} is no text; put it in quotes")
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"is {value}, but must be finite")
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError(f"is a {type(value).__name__}, but must be text, a number, true, false, null, or lists of them")


def _tag(value: Any) -> Any:
    """`true` and `false` are text: a tag of two values."""
    return str(value).lower() if isinstance(value, bool) else value


NoTruth = BeforeValidator(_no_truth)
Whole = Annotated[int, NoTruth]
Real = Annotated[float, NoTruth, Field(allow_inf_nan=False)]
Seed = Annotated[int, Field(strict=True)]
Channels = tuple[Real, Real, Real]
Label = Annotated[str, AfterValidator(check_label)]
Plain = Annotated[Any, AfterValidator(_plain)]


class Part(BaseModel):
    """Base of every section: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Normalization(Part):
    """Own channel statistics, for RGB in 0 … 1."""

    mean: Channels = Field(description="Mean of each channel (R, G, B), for values in 0 … 1.")
    std: Channels = Field(description="Standard deviation of each channel, greater than 0.")

    @field_validator("mean")
    @classmethod
    def _near(cls, mean: Channels) -> Channels:
        if max(map(abs, mean)) > 100:
            raise ValueError("every value must lie in -100 … 100; of a mean for 0 … 255 give a 255th")
        return mean

    @field_validator("std")
    @classmethod
    def _positive(cls, std: Channels) -> Channels:
        if min(std) <= 0:
            raise ValueError("every value must be greater than 0")
        if min(std) < 1e-4 or max(std) > 100:
            raise ValueError("every value must lie in 0.0001 … 100; of a deviation for 0 … 255 give a 255th")
        return std


class ModelSource(Part):
    """One model, or with a glob a group of models that share everything but the weights.

    The architecture is one of `torchvision`, `timm`, `factory`; the weights one of `weights`, `checkpoint`, `package`,
    or none of them (random weights from `init_seed`).
    """

    name: Label | None = Field(
        None,
        description="Label on the model axis. With a checkpoint glob: a template, `{stem}` is the file name "
        "without its ending. Default: the checkpoint's stem, else the architecture's name.",
    )
    torchvision: str | None = Field(None, description="Architecture by its torchvision name, e.g. `resnet50`.")
    timm: str | None = Field(None, description="Architecture by its timm name, e.g. `vit_tiny_patch16_224`.")
    factory: str | None = Field(
        None,
        description="Architecture by a function or class, `module:function` or `module:Class.method`; it "
        "returns a `torch.nn.Module` that takes RGB batches.",
    )
    options: dict[str, Plain] = Field(default_factory=dict, description="Keyword arguments for the architecture.")
    args: list[Plain] = Field(default_factory=list, description="Positional arguments for a factory.")
    weights: str | bool | None = Field(
        None, description="Published weights: a torchvision name (`IMAGENET1K_V2`, `DEFAULT`), or `true` for timm's."
    )
    checkpoint: str | list[str] | None = Field(
        None,
        description="Weights from a file (`.pt`, `.pth`, `.tar`, `.ckpt`, `.safetensors`), a list of them, or a "
        "glob; one model for each file. Nested under `state_dict` or `model`, prefixed `module.` or `model.`, or raw.",
    )
    exclude: list[str] = Field(default_factory=list, description="Globs of checkpoints to leave out.")
    package: str | None = Field(None, description="Weights shipped in an installed Python package: its import name.")
    package_file: str = Field("*.pth", description="Glob of the weight file inside that package.")
    init_seed: Whole = Field(0, ge=0, lt=2**63, description="Seed of the weights of a model with none of its own.")
    normalization: Literal["imagenet", "half", "none"] | Normalization | None = Field(
        None,
        description="What the network was trained with: `imagenet`, `half` (mean = std = 0.5), `none`, or "
        "`{mean: […], std: […]}`. Default: that of the published weights, else `imagenet`.",
    )
    input_size: Annotated[int, Field(ge=16, le=2048), NoTruth] | None = Field(
        None,
        description="Side of the network's input in pixels. Default: that of the published "
        "weights, else the experiment's `input_size`.",
    )

    tags: dict[str, Annotated[Tag, BeforeValidator(_tag)]] = Field(
        default_factory=dict,
        description="What is known of the model, or of each of a group: `{camera: one, images: 40000}`. Text or "
        "numbers; no part of any key, so they may change without anything being computed anew.",
    )

    @field_validator("tags")
    @classmethod
    def _good_tags(cls, tags: dict[str, Tag]) -> dict[str, Tag]:
        check_tag_names(tags)
        return tags

    @model_validator(mode="after")
    def _one_of_each(self) -> "ModelSource":
        architectures = [f for f in ("torchvision", "timm", "factory") if getattr(self, f) is not None]
        if len(architectures) != 1:
            raise ValueError(f"give exactly one of torchvision, timm, factory (found {_listed(architectures)})")
        weights = [f for f in ("checkpoint", "package") if getattr(self, f) is not None]
        weights += ["weights"] if self.weights not in (None, False, "none") else []
        if len(weights) > 1:
            raise ValueError(f"give at most one of weights, checkpoint, package (found {_listed(weights)})")
        if self.factory is not None and not re.match(r"^[\w.]+:[\w.]+$", self.factory):
            raise ValueError(f"factory is {self.factory!r}, but must look like module:function")
        return self

    @property
    def architecture(self) -> str:
        """The architecture's own name, without where it comes from."""
        return self.torchvision or self.timm or str(self.factory).partition(":")[2]


class DifferenceSource(Part):
    """A pair of the models: pictures of what a sees in an image and b does not. A label on the model axis."""

    name: Label | None = Field(None, description="Label on the model axis. Default: `a − b`, `a − 0.5 b`.")
    a: str = Field(description="Label of the model whose response is maximised.")
    b: str = Field(description="Label of the model whose response is minimised.")
    contrast: Real = Field(
        1.0,
        gt=0,
        le=100,
        description="Weight of b's response, each in units of its model's own target: maximise "
        "R_a − contrast · max(R_b, 0), R = dot / dot(t, t) · max(cos, 0.1)^cossim_pow.",
    )
    layers: dict[str, str] = Field(
        default_factory=dict, description="b's layer for a layer of a, where they differ in name."
    )

    @model_validator(mode="after")
    def _two_models(self) -> "DifferenceSource":
        if self.a == self.b:
            raise ValueError(f"a and b are both {self.a!r}; a difference takes two models")
        return self


class ImageSource(Part):
    """One image, or with a folder or glob a group of them."""

    name: Label | None = Field(None, description="Label on the image axis; `{stem}` in a group. Default: the stem.")
    file: str | None = Field(None, description="A file, a folder or a glob.")
    url: str | None = Field(None, description="An http(s) address; downloaded once and cached.")
    sha256: str | None = Field(None, pattern=r"^[0-9a-fA-F]{64}$", description="Expected SHA-256 of a URL's bytes.")
    sample: str | None = Field(None, description="A photograph that scikit-image ships, e.g. `chelsea`.")

    @model_validator(mode="after")
    def _one_place(self) -> "ImageSource":
        places = [f for f in ("file", "url", "sample") if getattr(self, f) is not None]
        if len(places) != 1:
            raise ValueError(f"give exactly one of file, url, sample (found {_listed(places)})")
        if self.sha256 and self.url is None:
            raise ValueError("sha256 goes with url only")
        return self


class Resources(Part):
    """What an actor asks Ray for, and how many actors there may be."""

    actors: Annotated[int, Field(ge=1, le=100_000), NoTruth] | Literal["auto"] = Field(
        "auto", description="Most actors at once; `auto`: as many as fit."
    )
    num_cpus: Real = Field(1, gt=0, le=4096, description="CPUs of an actor; also its number of threads.")
    num_gpus: Annotated[float, Field(ge=0, le=4096, allow_inf_nan=False), NoTruth] | Literal["auto"] = Field(
        "auto",
        description="GPUs of an actor; fractions share one GPU. `auto`: GPUs if Ray has any, a large card shared by up "
        "to four actors where there are two cores for each; else none.",
    )
    custom: dict[str, Real] = Field(default_factory=dict, description="Custom Ray resources of an actor.")
    label_selector: dict[str, str] = Field(
        default_factory=dict,
        description="Ray's node labels that an actor's node must have: `{ray.io/accelerator-type: H100}`; also "
        "`!H100`, `in(H100, H200)`, `!in(T4)`.",
    )
    batch: Annotated[int, Field(ge=1, le=4096), NoTruth] | Literal["auto"] = Field(
        "auto",
        description="Most cells in a work unit: what is lost if its worker dies. A GPU optimises them together, a CPU "
        "one after another (as fast, and bit for bit reproducible). `auto`: 64 on a GPU, 4 on a CPU.",
    )
    launch: Literal["eager", "graph", "inductor"] = Field(
        "eager",
        description="How a GPU is given the operations of a step: one by one, as a CUDA graph (CUDA alone; untried), "
        "or compiled by inductor (needs Triton, and a minute or so for each layer and batch). Pictures differ by "
        "rounding. A CPU is always given them one by one.",
    )
    timeout: Annotated[float, Field(gt=0, le=10_000_000), NoTruth] | None = Field(
        None, description="Seconds after which a work unit is taken from a worker that hangs. Default: never."
    )

    @field_validator("actors", mode="before")
    @classmethod
    def _nothing_said(cls, actors: Any) -> Any:
        return "auto" if actors is None else actors  # as older configs have it

    @field_validator("label_selector")
    @classmethod
    def _ray_knows_them(cls, selector: dict[str, str]) -> dict[str, str]:
        for name, value in selector.items():
            if not re.fullmatch(r"!?(in\([\w.-]+(, ?[\w.-]+)*\)|[\w.-]+)", value):
                raise ValueError(f"{name}: {value!r}, but must be VALUE, !VALUE, in(A, B) or !in(A, B)")
        return selector

    @field_validator("custom")
    @classmethod
    def _ray_takes_them(cls, custom: dict[str, float]) -> dict[str, float]:
        for name, amount in custom.items():
            if name in ("CPU", "GPU", "memory", "object_store_memory") or not name.strip():
                raise ValueError(f"{name!r} is no custom resource; give num_cpus or num_gpus")
            if not 0 <= amount <= 1e9:
                raise ValueError(f"{name}: {amount}, but must be 0 to 10^9")
        return custom


class Experiment(Part):
    """One config file: its axes, its render settings, and a name that is also its folder in the store."""

    name: Annotated[str, AfterValidator(check_experiment_name)] = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The experiment's name in the store."
    )
    description: str = Field("", description="A line for readers, kept in the store.")
    store: str = Field("store", description="Where results go: a folder, or `s3://bucket/prefix`.")
    store_options: dict[str, Plain] = Field(
        default_factory=dict,
        description="For an object store: options of obstore (`endpoint`, `region`, …) or of "
        "fsspec's s3fs (`key`, `secret`, `endpoint_url`, `anon`, …). Better keep secrets in the environment; these are "
        "never written to the store.",
    )
    shard: Whole = Field(
        1,
        ge=1,
        le=1024,
        description="Images that share one stored object (Zarr shard), for fewer and larger objects; "
        "then a work unit is a whole shard. Fixed once the experiment exists.",
    )
    models: list[ModelSource] = Field(min_length=1, description="The model axis.")
    differences: list[DifferenceSource] = Field(
        [], description="Pairs of the models: difference caricatures, more labels on the model axis."
    )
    tags_from: list[str] = Field(
        [],
        description="Where models' tags come from: patterns of their names (`resnet_50_{camera}_{run:d}`), tables "
        "(`tags.csv`, with a column `model`). Later ones win over earlier, a model's own `tags` over all.",
    )
    tag_order: dict[str, list[str]] = Field(
        default_factory=dict,
        description="The order of tags that are ordered text, lowest first: `{damage: [none, mild, strong]}`.",
    )
    images: list[ImageSource] = Field(min_length=1, description="The image axis.")
    layers: list[LayerEntry] = Field(
        min_length=1,
        description="The layer axis: module paths with dots or underscores, patterns (`layer4_*`), `blocks` for every "
        "block; across architectures `depth:0.25` (the block nearest to that share of the compute), `depth:blocks:4` "
        '(four blocks, evenly by compute), or an alias: `early: {lite0: _blocks_2, "resnet*": layer1.2}`.',
    )
    seeds: list[Seed] = Field([0], min_length=1, description="The seed axis: start and random views of a picture.")
    input_size: Whole = Field(224, ge=32, le=1024, description="Side to which images are cropped and resized.")
    render: RenderSettings = Field(
        RenderSettings(),
        description="Render settings, see below. One that is given as a list (`cossim_pow: [0, 1, "
        "2]`) is swept: it becomes an axis of its name, behind seed.",
    )
    steps_by_layer: dict[str, Whole] = Field(
        default_factory=dict,
        description="Steps for layers by label, path or pattern, over `render.steps`; the last match "
        "wins, e.g. `layer4_*: 1024`.",
    )
    picture_dtype: Literal["float32", "float16", "uint8"] = Field("float32", description="Pictures' type in the store.")
    resources: Resources = Field(
        default_factory=lambda: Resources.model_validate({}), description="What an actor asks Ray for, see below."
    )

    sweeps: SkipJsonSchema[dict[str, list[Any]]] = Field(
        default_factory=dict,
        exclude=True,
        description="The values of each setting that is swept, in the order of the "
        "axes; `render` holds the first of each. Taken from the lists in `render`, and written as those.",
    )

    @model_validator(mode="before")
    @classmethod
    def _take_sweeps(cls, document: Any) -> Any:
        """Let a render setting be a list: its values are `sweeps`, the first of them the setting."""
        if not isinstance(document, dict):
            return document
        if "sweeps" in document:
            raise wrong(("sweeps",), "unknown field; give a setting of `render` as a list to sweep it")
        given = document.get("render")
        if not isinstance(given, dict) or not (sweeps := take_lists(given)):
            return document
        return {**document, "render": given | {name: values[0] for name, values in sweeps.items()}, "sweeps": sweeps}

    @model_validator(mode="after")
    def _sweeps_fit(self) -> "Experiment":
        if bad := conflict(self.sweeps, self.render.compat, bool(self.steps_by_layer)):
            raise wrong(*bad)
        return self

    @field_serializer("render", mode="wrap")
    def _as_written(self, render: RenderSettings, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As its author wrote it, lists and all."""
        return {**plain(render), **self.sweeps}

    @field_validator("tags_from", mode="before")
    @classmethod
    def _one_source(cls, sources: Any) -> Any:
        return [sources] if isinstance(sources, str) else sources

    @field_validator("tags_from")
    @classmethod
    def _good_patterns(cls, sources: list[str]) -> list[str]:
        for source in sources:
            if not is_file(source):
                check_pattern(source)
        return sources

    @field_validator("tag_order")
    @classmethod
    def _good_orders(cls, orders: dict[str, list[str]]) -> dict[str, list[str]]:
        check_tag_names(orders)
        for levels in orders.values():
            _distinct(levels, "value")
        return orders

    @field_validator("images", mode="before")
    @classmethod
    def _short_forms(cls, entries: Any) -> Any:
        """Let `images: [photos/*.png]` stand for `[{file: photos/*.png}]`."""
        if isinstance(entries, list):
            return [_short_image(e) if isinstance(e, str) else e for e in entries]
        return entries

    @model_validator(mode="after")
    def _no_old_differences(self) -> "Experiment":
        if self.differences and self.render.compat == "lucent":
            raise ValueError("differences do not go with render.compat: lucent, which knows one model at a time")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> "Experiment":
        models = [source.name for source in self.models] + [source.name for source in self.differences]
        images = [source.name for source in self.images]
        for axis, names in (("models", models), ("images", images)):
            if pair := alike(name for name in names if name and "{stem}" not in name):
                raise ValueError(f"{axis} have the names {pair[0]!r} and {pair[1]!r}, which cannot be told apart")
        return self

    def _repr_html_(self) -> str:
        """Its axes and settings, for a notebook."""
        models = [source.name or source.architecture for source in self.models]
        images = [source.name or str(source.file or source.url or source.sample) for source in self.images]
        pairs = [f"{pair.a} − {pair.b}" for pair in self.differences]
        layers = [name for entry in self.layers for name in ([entry] if isinstance(entry, str) else entry)]
        axes: dict[str, list[Any]] = {"model": models + pairs, "image": images, "layer": layers}
        axes |= {"seed": self.seeds, **self.sweeps}
        lines = [[axis, ", ".join(map(str, labels))] for axis, labels in axes.items()]
        changed = self.model_dump(exclude_unset=True, include={"render"}).get("render", {})
        said = {k: v for k, v in changed.items() if k not in self.sweeps and v != getattr(RenderSettings(), k)}
        lines.append(["settings", ", ".join(f"{name} {value}" for name, value in said.items()) or "defaults"])
        return markup.page(
            markup.heading(self.name, self.description or "experiment"), markup.table(["axis", "labels"], lines)
        )

    @field_validator("seeds")
    @classmethod
    def _good_seeds(cls, seeds: list[int]) -> list[int]:
        if bad := [s for s in seeds if not 0 <= s < 2**63]:
            shown = bad[0] if abs(bad[0]) < 10**30 else "a number of more than 30 digits"
            raise ValueError(f"{shown} is not a seed; seeds are whole numbers from 0 to 2^63 - 1")
        return _distinct(seeds, "seed")

    @field_validator("layers")
    @classmethod
    def _distinct_layers(cls, layers: list[LayerEntry]) -> list[LayerEntry]:
        _distinct([label for entry in layers for label in labels_of(entry)], "layer")
        return layers

    @field_validator("steps_by_layer")
    @classmethod
    def _good_steps(cls, steps: dict[str, int]) -> dict[str, int]:
        for pattern, n in steps.items():
            if not 1 <= n <= 100_000:
                raise ValueError(f"{pattern}: {n} steps, but must be 1 to 100000")
        return steps


def _short_image(text: str) -> dict[str, str]:
    return {"url": text} if text.startswith(("http://", "https://")) else {"file": text}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _distinct(labels: list[Any], what: str) -> list[Any]:
    if doubled := [label for label, n in Counter(labels).items() if n > 1]:
        raise ValueError(f"duplicate {what} {doubled[0]!r}; every label on an axis must be distinct")
    return labels
