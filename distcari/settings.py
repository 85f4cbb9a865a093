"""How a caricature is rendered: one frozen value with every setting, its default, its range and its meaning.

Standard library only, so that the engine, the config file and the store share it without importing each other.
The field metadata (`description`, `ge`, `le`, …) is read by pydantic when a config is checked, and by `check` when
the engine is used alone.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Literal, get_type_hints

Triple = tuple[float, float, float]
# Mean and standard deviation of R, G, B in 0 … 1 that networks are trained with.
NORMALIZATIONS: dict[str, tuple[Triple, Triple]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def setting(default: Any, description: str, *, sweep: bool = True, **bounds: float) -> Any:
    """A dataclass field with its default, its meaning and its bounds (`ge`, `le`, `gt`, `lt`).

    `sweep`: whether an experiment may give several values, which become an axis.
    """
    return field(default=default, metadata={"description": description, "sweep": sweep, **bounds})


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """Everything that decides a caricature's pixels besides model, image, layer and seed."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # an unknown field in a config is an error

    size: int = setting(224, "Side of the picture in pixels; one for all cells.", sweep=False, ge=32, le=1024)
    steps: int = setting(64, "Optimisation steps.", ge=1, le=100_000)
    cossim_pow: float = setting(
        1.2,
        "Power of the cosine factor in dot · max(cos, 0.1)^cossim_pow (lucid #116, #121): higher stays closer "
        "to the input, 0 is the plain dot product.",
        ge=0,
        le=10,
    )
    learning_rate: float = setting(0.15, "The optimiser's peak learning rate on the Fourier spectrum.", gt=0, le=10)
    schedule: Literal["cosine", "constant"] = setting(
        "cosine", "`cosine`: warm-up, then a quarter of a cosine down to zero; `constant`: the peak rate throughout."
    )
    rotate: float = setting(2.5, "Random views: rotation up to ± this many degrees.", ge=0, le=180)
    scale: float = setting(0.025, "Random views: zoom up to ± this share.", ge=0, lt=1)
    shift: float = setting(0.0225, "Random views: shift up to ± this share of half the side.", ge=0, lt=1)
    views: Literal["picture", "both"] = setting(
        "picture",
        "Which side is seen through the random view: only the picture, or the input image as well (Lucid's notebook).",
    )
    plateau: float = setting(
        0.0,
        "Stop a cell when the mean gain of its last 16 steps is less than this share above that of the 16 before; "
        "0 is never. Cells then differ in their steps, which confounds comparing them.",
        ge=0,
        lt=1,
    )
    damping: float = setting(
        0.8,
        "How firmly what the network hardly responds to (a colour, a frequency, a place) stays at the neutral "
        "grey: its steps are divided by sqrt(v) + damping · rms(v). 0 is plain Adam, which draws what no network sees.",
        ge=0,
        le=100,
    )
    coarse: float = setting(
        0.35,
        "Coarse to fine: the share of the steps in which finer and finer patterns come in, so that they find "
        "their places in the coarse ones and less of a picture is its seed's alone; 0 lets all in at once.",
        ge=0,
        le=1,
    )
    weight_decay: float = setting(
        0.08,
        "Decoupled, as AdamW: the share of the picture's spectrum that a step at the peak rate forgets. What "
        "the network does not keep asking for fades, and with it what is the seed's alone. 0 forgets nothing.",
        ge=0,
        lt=1,
    )
    amplify: float = setting(
        2.2,
        "Contrast of the finished picture in multiples of the optimised one's, which `weight_decay` keeps pale; "
        "all figures are of the finished picture.",
        gt=0,
        le=10,
    )
    metric: Literal["plain", "standardised"] = setting(
        "standardised",
        "What activations are measured in, for the optimisation and for gain, cosine and match alike: "
        "`plain`, as they are; `standardised`, each channel from its mean in units of its spread over a fixed, "
        "shipped set of photographs, so that a channel's scale, which a function leaves open, does not count.",
    )
    tokens: Literal["patch", "all", "class"] = setting(
        "patch", "Which tokens of a transformer's layer count: those of the picture's patches, all, or the class token."
    )
    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = setting(
        "auto",
        "What the network computes in. `auto`: bfloat16 on devices that multiply in it, up to twice as fast, "
        "else float32. Name one where pictures from different kinds of machines are to be compared; `tf32` (GPUs "
        "alone) and `float16`, for GPUs without bfloat16, are never chosen by themselves.",
    )
    compat: Literal["none", "lucent", "v2"] = setting(
        "none",
        "`lucent` reproduces torch-lucent 0.1.8 as the predecessor called it: its frame, augmentation, "
        "learning rate, ImageNet normalisation and plain dot product. `v2` reproduces the pictures of distcari's "
        "version 2: no damping, no decay, no waking, plain metric, all tokens, and its defaults for what is left at "
        "today's default; one for all cells.",
        sweep=False,
    )

    def __post_init__(self) -> None:
        """Refuse values out of range, by name."""
        for f in fields(self):
            value = getattr(self, f.name)
            for bound, holds, words in _BOUNDS:
                limit = f.metadata.get(bound)
                if limit is not None and isinstance(value, (int, float)) and not holds(value, limit):
                    raise ValueError(f"{f.name} is {value}, but must be {words} {limit}")

    @property
    def picture_size(self) -> int:
        """Side of the finished picture in pixels; lucent's is always 128."""
        return 128 if self.compat == "lucent" else self.size

    def with_(self, **changes: Any) -> "RenderSettings":
        """A copy with some fields changed."""
        return replace(self, **changes)

    def acting(self) -> "RenderSettings":
        """The settings as they act: `compat: v2` knows nothing of what came later, and has its own defaults."""
        return self._of_version_2() if self.compat == "v2" else self

    @property
    def version(self) -> int:
        """The version of the engine whose pictures these are: 2 with a `compat`, else today's."""
        return RENDER_VERSION if self.compat == "none" else 2

    def identity(self) -> dict[str, Any]:
        """What a cell's key and the store know of the settings, by name: with a `compat` just what version 2 wrote.

        So what version 2 began is found again, and goes on.
        """
        if self.version == RENDER_VERSION:
            return self.as_dict()
        old = self._of_version_2().with_(compat="none" if self.compat == "v2" else self.compat).as_dict()
        return {name: value for name, value in old.items() if name not in _AFTER_V2}

    def _of_version_2(self) -> "RenderSettings":
        own = {f.name: f.default for f in fields(self)}
        left = {name: old for name, old in _DEFAULTS_V2.items() if getattr(self, name) == own[name]}
        return replace(self, **left, **_AFTER_V2)

    def in_force(self) -> dict[str, Any]:
        """The settings that can be swept, as they act on a cell; None where `compat: lucent` has no such thing."""
        own = {name: getattr(self.acting(), name) for name in sweepable()}
        if self.compat != "lucent":
            return own
        lucent = {"cossim_pow": 0.0, "learning_rate": 0.05, "schedule": "constant", "views": "picture", **_AFTER_V2}
        return {**dict.fromkeys(own), **lucent, "steps": self.steps}

    def as_dict(self) -> dict[str, Any]:
        """Plain values by field name, ready for JSON."""
        return asdict(self)


def unclear_in_version_2(name: str, values: Collection[Any]) -> str:
    """Why values of a setting cannot be swept with `compat: v2`, as the end of a sentence; "" if they can."""
    if name in _AFTER_V2:
        return "came after version 2"
    default = next(f.default for f in fields(RenderSettings) if f.name == name)
    if name in _DEFAULTS_V2 and default in values:
        return f"stands for version 2's default, {_DEFAULTS_V2[name]}, where it is today's, {default}; leave that out"
    return ""


@cache
def sweepable() -> dict[str, type[int] | type[float] | type[str]]:
    """The settings that can be swept, in the order of their axes, with the type of their labels."""
    hints = get_type_hints(RenderSettings)
    found = {f.name: hints[f.name] for f in fields(RenderSettings) if f.metadata["sweep"]}
    return {name: hint if hint in (int, float) else str for name, hint in found.items()}


_BOUNDS: tuple[tuple[str, Callable[[float, float], bool], str], ...] = (
    ("ge", lambda v, b: v >= b, "at least"),
    ("gt", lambda v, b: v > b, "more than"),
    ("le", lambda v, b: v <= b, "at most"),
    ("lt", lambda v, b: v < b, "less than"),
)

# What version 2 did, in terms of later settings; and defaults that were others.
_AFTER_V2: dict[str, Any] = {
    "damping": 0.0,
    "coarse": 0.0,
    "weight_decay": 0.0,
    "amplify": 1.0,
    "metric": "plain",
    "tokens": "all",
}
_DEFAULTS_V2: dict[str, Any] = {"cossim_pow": 1.0, "learning_rate": 0.1, "rotate": 5.0, "scale": 0.05, "shift": 0.045}

RENDER_VERSION = 4  # part of every key: raise it when the same settings would give other pixels
