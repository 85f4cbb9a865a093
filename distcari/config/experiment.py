"""The config file as pydantic models: an experiment's axes and its render settings, checked before any work.

`load_experiment` (in `load.py`) reads a file into one; `distcari config schema` prints every field.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from distcari.config.sweeps import conflict, take_lists, wrong
from distcari.settings import RenderSettings

NORMALIZATIONS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
Triple = tuple[float, float, float]


class Part(BaseModel):
    """Base of every section: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Normalization(Part):
    """Own channel statistics, for RGB in 0 … 1."""

    mean: Triple = Field(description="Mean of each channel (R, G, B), for values in 0 … 1.")
    std: Triple = Field(description="Standard deviation of each channel, greater than 0.")

    @field_validator("std")
    @classmethod
    def _positive(cls, std: Triple) -> Triple:
        if min(std) <= 0:
            raise ValueError("every value must be greater than 0")
        return std


class ModelSource(Part):
    """One model, or with a glob a group of models that share everything but the weights.

    The architecture is one of `torchvision`, `timm`, `factory`; the weights one of `weights`, `checkpoint`, `package`,
    or none of them (random weights from `init_seed`).
    """

    name: str | None = Field(
        None, description="Label on the model axis. With a checkpoint glob: a template, `{stem}` is the file name "
        "without its ending. Default: the checkpoint's stem, else the architecture's name."
    )
    torchvision: str | None = Field(None, description="Architecture by its torchvision name, e.g. `resnet50`.")
    timm: str | None = Field(None, description="Architecture by its timm name, e.g. `vit_tiny_patch16_224`.")
    factory: str | None = Field(
        None, description="Architecture by a function or class, `module:function` or `module:Class.method`; it "
        "returns a `torch.nn.Module` that takes RGB batches."
    )
    options: dict[str, Any] = Field(default_factory=dict, description="Keyword arguments for the architecture.")
    args: list[Any] = Field(default_factory=list, description="Positional arguments for a factory.")
    weights: str | bool | None = Field(
        None, description="Published weights: a torchvision name (`IMAGENET1K_V2`, `DEFAULT`), or `true` for timm's."
    )
    checkpoint: str | list[str] | None = Field(
        None, description="Weights from a file (`.pt`, `.pth`, `.tar`, `.ckpt`, `.safetensors`), a list of them, or a "
        "glob; one model for each file. Nested under `state_dict` or `model`, prefixed `module.` or `model.`, or raw."
    )
    exclude: list[str] = Field(default_factory=list, description="Globs of checkpoints to leave out.")
    package: str | None = Field(None, description="Weights shipped in an installed Python package: its import name.")
    package_file: str = Field("*.pth", description="Glob of the weight file inside that package.")
    init_seed: int = Field(0, ge=0, lt=2**63, description="Seed of the weights of a model with none of its own.")
    normalization: Literal["imagenet", "half", "none"] | Normalization | None = Field(
        None, description="What the network was trained with: `imagenet`, `half` (mean = std = 0.5), `none`, or "
        "`{mean: […], std: […]}`. Default: that of the published weights, else `imagenet`."
    )
    input_size: int | None = Field(
        None, ge=16, le=2048, description="Side of the network's input in pixels. Default: that of the published "
        "weights, else the experiment's `input_size`."
    )

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

    name: str | None = Field(None, description="Label on the model axis. Default: `a − b`, `a − 0.5 b`.")
    a: str = Field(description="Label of the model whose response is maximised.")
    b: str = Field(description="Label of the model whose response is minimised.")
    contrast: float = Field(
        1.0, gt=0, le=100, description="Weight of b's response, each in units of its model's own target: maximise "
        "R_a − contrast · max(R_b, 0), R = dot / dot(t, t) · max(cos, 0.1)^cossim_pow."
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

    name: str | None = Field(None, description="Label on the image axis; `{stem}` in a group. Default: the stem.")
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

    actors: int | None = Field(None, ge=1, le=100_000, description="Most actors at once. Default: as many as fit.")
    num_cpus: float = Field(1, gt=0, description="CPUs of an actor; also its number of threads.")
    num_gpus: float = Field(0, ge=0, description="GPUs of an actor; fractions share one GPU.")
    custom: dict[str, float] = Field(default_factory=dict, description="Custom Ray resources of an actor.")
    batch: int = Field(4, ge=1, le=4096, description="Most cells in a work unit: what is lost if its worker dies. A "
                       "GPU optimises them together, a CPU one after another (as fast, and bit for bit reproducible).")
    timeout: float | None = Field(None, gt=0, description="Seconds after which a work unit is taken from a worker "
                                  "that hangs. Default: never.")


class Experiment(Part):
    """One config file: its axes, its render settings, and a name that is also its folder in the store."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The experiment's name in the store.")
    description: str = Field("", description="A line for readers, kept in the store.")
    store: str = Field("store", description="Where results go: a folder, or `s3://bucket/prefix`.")
    store_options: dict[str, Any] = Field(
        default_factory=dict, description="For an object store: options of obstore (`endpoint`, `region`, …) or of "
        "fsspec's s3fs (`key`, `secret`, `endpoint_url`, `anon`, …). Better keep secrets in the environment; these are "
        "never written to the store."
    )
    shard: int = Field(1, ge=1, le=1024, description="Images that share one stored object (Zarr shard), for fewer and "
                       "larger objects; then a work unit is a whole shard. Fixed once the experiment exists.")
    models: list[ModelSource] = Field(min_length=1, description="The model axis.")
    differences: list[DifferenceSource] = Field(
        [], description="Pairs of the models: difference caricatures, more labels on the model axis."
    )
    images: list[ImageSource] = Field(min_length=1, description="The image axis.")
    layers: list[str] = Field(
        min_length=1, description="The layer axis: module paths with dots or underscores, patterns (`layer4_*`), or "
        "`blocks` for every block."
    )
    seeds: list[int] = Field([0], min_length=1, description="The seed axis: start and random views of a picture.")
    input_size: int = Field(224, ge=32, le=1024, description="Side to which images are cropped and resized.")
    render: RenderSettings = Field(
        RenderSettings(), description="Render settings, see below. One that is given as a list (`cossim_pow: [0, 1, "
        "2]`) is swept: it becomes an axis of its name, behind seed."
    )
    steps_by_layer: dict[str, int] = Field(
        default_factory=dict, description="Steps for layers by name or pattern, over `render.steps`; the last match "
        "wins, e.g. `layer4_*: 1024`."
    )
    picture_dtype: Literal["float32", "float16", "uint8"] = Field("float32", description="Pictures' type in the store.")
    resources: Resources = Field(
        default_factory=lambda: Resources.model_validate({}), description="What an actor asks Ray for, see below.")

    _sweeps: dict[str, list[Any]] = PrivateAttr(default_factory=dict)

    @property
    def sweeps(self) -> Mapping[str, list[Any]]:
        """The values of each setting that is swept, in the order of the axes; `render` holds the first of each."""
        return self._sweeps

    @model_validator(mode="wrap")
    @classmethod
    def _take_sweeps(cls, document: Any, check: ModelWrapValidatorHandler["Experiment"]) -> "Experiment":
        """Let a render setting be a list: checked one by one, kept as `sweeps`."""
        given = document.get("render") if isinstance(document, dict) else None
        if not isinstance(given, dict) or not (sweeps := take_lists(given)):
            return check(document)
        experiment = check({**document, "render": {**given, **{name: values[0] for name, values in sweeps.items()}}})
        if bad := conflict(sweeps, experiment.render.compat, bool(experiment.steps_by_layer)):
            raise wrong(*bad)
        experiment._sweeps.update(sweeps)
        return experiment

    @model_serializer(mode="wrap")
    def _with_sweeps(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As its author wrote it, lists and all."""
        document: dict[str, Any] = plain(self)
        if self._sweeps and "render" in document:
            document["render"] = {**document["render"], **self._sweeps}
        return document

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

    @field_validator("seeds")
    @classmethod
    def _good_seeds(cls, seeds: list[int]) -> list[int]:
        if bad := [s for s in seeds if not 0 <= s < 2**63]:
            raise ValueError(f"{bad[0]} is not a seed; seeds are whole numbers from 0 to 2^63 - 1")
        return _distinct(seeds, "seed")

    @field_validator("layers")
    @classmethod
    def _distinct_layers(cls, layers: list[str]) -> list[str]:
        _distinct([name.replace(".", "_") for name in layers], "layer")
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
