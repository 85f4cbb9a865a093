"""What Explore shows: which figures, over what, in which colours, of which cells. And the ready-made questions."""

from collections.abc import Mapping
from dataclasses import dataclass

from distcari.dashboard.data import grouping
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import State

NAME = "explore"
KINDS = {"violin": "violins", "scatter": "scatter", "heat": "heat map", "matrix": "distances"}
MOST_Y = 3
TEXTURE = ("high_frequency_share", "orientation_entropy", "spectral_slope")

# name: (title, what it says in a sentence, parameters)
ASKED: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "colour": (
        "Colour uniformity by model",
        "How even are the colours of each model's pictures? Each point is a cell; 1 is one single colour.",
        {"kind": "violin", "x": "model", "y": "colour_uniformity"},
    ),
    "cosine": (
        "Cosine by layer depth and kind",
        "How much of the input's direction do the pictures keep, by the layer's place in its network and its kind?",
        {"kind": "violin", "x": "layer_depth", "y": "cosine", "by": "layer_kind"},
    ),
    "texture": (
        "Texture by model",
        "How fine (share of power above 0.25 cycles/pixel), how undirected (entropy of orientation) and how smooth "
        "(spectral slope) are the pictures of each model?",
        {"kind": "violin", "x": "model", "y": ",".join(TEXTURE)},
    ),
    "depth": (
        "Gain against cosine",
        "Do strong pictures also point the right way? Each point is a cell, coloured by its model.",
        {"kind": "scatter", "x": "cosine", "y": "gain", "by": "model"},
    ),
    "layers": (
        "What does each layer keep?",
        "How much of the image's direction does each model keep at each layer, under random views of the picture?",
        {"kind": "heat", "x": "layer", "by": "model", "y": "robust_cosine"},
    ),
    "matrix": (
        "Which models see alike?",
        "How far apart are two models' pictures of the same image, layer and seed: the mean perceptual difference.",
        {"kind": "matrix"},
    ),
}
OWN = ("kind", "x", "y", "by")
PICKED = ("sel", "of", "group", "group_by", "fig", "pair", "pair_b")  # which pictures lie beside the plot


@dataclass(frozen=True)
class Shown:
    """A state with its defaults filled in."""

    experiments: tuple[str, ...]
    kind: str
    x: str
    y: tuple[str, ...]
    by: str  # violins and scatter: the colour; heat map: the rows
    held: Mapping[str, str]  # only cells with these labels
    texts: tuple[str, ...]  # columns that group by themselves
    figures: tuple[str, ...]
    asked: str  # a name in ASKED, if this is one of them
    reference: str = ""  # a model whose figures at the same place are taken off

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(dict.fromkeys(name for name in (self.x, *self.y, self.by) if name))


def resolve(catalog: Catalog, state: State) -> Shown:
    """What a state shows: colour uniformity by model, unless it says otherwise."""
    experiments = catalog.chosen(state)
    texts, figures = grouping.columns(catalog, experiments) if not catalog.problem() else ([], [])
    kind = state.own("kind") if state.own("kind") in KINDS else "violin"
    x_default = "cosine" if kind == "scatter" else "model"
    x = _one(state.own("x"), [*texts, *figures], x_default)
    y = tuple(dict.fromkeys(name for name in state.own("y").split(",") if name in figures))[:MOST_Y]
    y = y or tuple(name for name in ("colour_uniformity", "gain") if name in figures)[:1]
    by_known = [name for name in (*texts, *figures) if name != x] if kind == "heat" else texts
    by = _one(state.own("by"), by_known, "")
    if kind == "heat" and not by:
        by = next((name for name in ("layer", "model", *texts) if name in texts and name != x), "")
    held = {axis: state.own(f"in_{axis}") for axis in catalog.axes(experiments) if axis != "experiment"}
    held = {axis: label for axis, label in held.items() if label and label in catalog.labels(experiments, axis)}
    now = {"kind": kind, "x": x, "y": ",".join(y), "by": by}
    asked = next(
        (
            name
            for name, (_, _, wanted) in ASKED.items()
            if kind == wanted["kind"] and (kind == "matrix" or all(now[k] == wanted.get(k, "") for k in now))
        ),
        "",
    )
    models = catalog.labels(experiments, "model") if kind != "matrix" else []
    reference = state.own("ref") if state.own("ref") in models and "model" not in held else ""
    return Shown(tuple(experiments), kind, x, y, by, held, tuple(texts), tuple(figures), asked, reference)


def asking(state: State, name: str) -> State:
    """The state that asks a ready-made question; which cells are meant stays."""
    parameters = ASKED[name][2]
    clean: dict[str, str | None] = dict.fromkeys((*OWN, *PICKED))
    return state.with_(view=NAME).with_extra(**{**clean, **parameters})


def _one(given: str, known: list[str], default: str) -> str:
    return given if given in known else default if default in known else next(iter(known), "") if default else ""
