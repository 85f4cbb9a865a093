"""What side by side shows: two to four slots with every axis filled in, and the options with their defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distcari.dashboard.data import differences
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.state import SLOTS, Labels, State
from distcari.dashboard.data.window import resolve

NAME = "side"
MODES = {"side": "Side by side", "swipe": "Swipe", "flicker": "Flicker", "difference": "Difference"}
COLOURS = {"a": "#1a6fc4", "b": "#c2410c", "c": "#237a3c", "d": "#9c36b5"}  # 3:1 on black and white, text white on them
BACKGROUNDS = ("page", "grey", "black", "white")


@dataclass(frozen=True)
class Options:
    """A state's parameters, each one of its known values."""

    mode: str
    kind: str
    channel: str
    scale: str  # of the difference: one of its kind's steps as text, or "fit"
    norm: str  # "" as stored, "shared": one range stretched over all slots
    background: str
    left: str  # swipe and flicker: a slot's name, or "input"
    right: str
    linked: bool  # selectors and keys move all slots
    space: str  # of the histograms


def options(state: State, count: int) -> Options:
    """The options of a state with so many slots."""

    def one(name: str, known: Sequence[str] | Mapping[str, object], default: str) -> str:
        return state.own(name) if state.own(name) in known else default

    sides = (*SLOTS[:count], "input")
    kind = one("kind", differences.KINDS, "delta_e")
    steps = [f"{step:g}" for step in differences.STEPS[kind]]
    return Options(
        one("mode", MODES, "side"),
        kind,
        one("channel", differences.CHANNELS, "all"),
        one("scale", [*steps, "fit"], "fit"),
        one("norm", ("shared",), ""),
        one("background", BACKGROUNDS, "page"),
        one("left", sides, "a"),
        one("right", sides, "b"),
        state.own("link") == "1",
        one("space", ("rgb", "lab"), "rgb"),
    )


def filled(catalog: Catalog, state: State) -> list[dict[str, str]]:
    """The labels of two to four slots: those of the state, every missing axis and slot filled in; empty: no store."""
    chosen = catalog.chosen(state)
    if not chosen:
        return []
    found = [fill(catalog, slot, chosen[0]) for slot in state.slots]
    if not found:
        found = [_first(catalog, state, chosen[0])]
    while len(found) < 2:
        found.append(beside(catalog, found))
    return found


def fill(catalog: Catalog, labels: Labels, experiment: str) -> dict[str, str]:
    """A slot's labels with experiment and every axis; what is missing is the first label. Nothing given is changed."""
    name = labels.get("experiment", experiment)
    first = {axis: next(iter(catalog.labels([name], axis)), "") for axis in catalog.axes([name])}
    known = {axis: label for axis, label in labels.items() if axis in first or not first}
    return {"experiment": name, **first, **known}


def _first(catalog: Catalog, state: State, experiment: str) -> dict[str, str]:
    """Slot A where none is given: the open cell, else the first of the grid with what its selectors hold."""
    if state.cell and (row := catalog.row(state.cell)) is not None:
        axes = catalog.axes([str(row["experiment"])])
        return {"experiment": str(row["experiment"]), **{axis: text(row[axis]) for axis in axes}}
    held = {axis: label for axis, label in resolve(catalog, state).at.items() if axis != "experiment"}
    at = fill(catalog, held, experiment)
    planned = layers(catalog, at)
    return at if at.get("layer", "") in planned else {**at, "layer": next(iter(planned), "")}


def beside(catalog: Catalog, slots: Sequence[Labels]) -> dict[str, str]:
    """One more slot: the last one with the next label of the first axis that has one not shown yet."""
    last = dict(slots[-1])
    for axis in ("model", *(axis for axis in last if axis not in ("model", "experiment"))):
        shown = {slot.get(axis) for slot in slots}
        for label in choices(catalog, last, axis):
            if label not in shown:
                return moved(catalog, last, axis, label)
    return last


def layers(catalog: Catalog, labels: Labels) -> list[str]:
    """The layers that a slot's model has."""
    info = catalog.experiment(labels.get("experiment", ""))
    model = labels.get("model", "")
    found = catalog.labels([labels.get("experiment", "")], "layer")
    return [layer for layer in found if info is None or info.plans(model, layer)]


def choices(catalog: Catalog, labels: Labels, axis: str) -> list[str]:
    """What a slot's selector offers: the labels of its experiment, of layers those that its model has."""
    if axis == "experiment":
        return catalog.experiments()
    return layers(catalog, labels) if axis == "layer" else catalog.labels([labels["experiment"]], axis)


def moved(catalog: Catalog, labels: Labels, axis: str, label: str) -> dict[str, str]:
    """A slot with another label. A model that lacks the layer is shown at its layer of the same relative place."""
    old = layers(catalog, labels)
    changed = {**labels, axis: label}
    if axis == "experiment":
        kept = {
            name: old_label
            for name, old_label in changed.items()
            if name == "experiment" or old_label in catalog.labels([label], name)
        }
        changed = fill(catalog, kept, label)
    new = layers(catalog, changed)
    if axis in ("model", "experiment") and new and changed.get("layer") not in new:
        at = old.index(labels["layer"]) / max(len(old) - 1, 1) if labels.get("layer") in old else 0
        changed["layer"] = new[round(at * (len(new) - 1))]
    return changed


def choose(
    catalog: Catalog, slots: Sequence[Labels], linked: bool, at: int, axis: str, label: str
) -> tuple[Labels, ...]:
    """All slots after a choice in one; linked: the others follow where they have that label."""
    out: list[Labels] = []
    for i, slot in enumerate(slots):
        follows = i == at or (linked and axis in slot and label in choices(catalog, slot, axis))
        out.append(moved(catalog, slot, axis, label) if follows else slot)
    return tuple(out)


def stepped(
    catalog: Catalog, slots: Sequence[Labels], linked: bool, at: int, axis: str, step: int
) -> tuple[Labels, ...] | None:
    """All slots after one goes a label on; linked: each goes on by itself. None at the end of the axis."""
    out: list[Labels] = []
    for i, slot in enumerate(slots):
        labels = choices(catalog, slot, axis)
        place = labels.index(slot[axis]) + step if slot.get(axis) in labels else 0
        inside = 0 <= place < len(labels)
        if i == at and not inside:
            return None
        goes = inside and (i == at or linked)
        out.append(moved(catalog, slot, axis, labels[place]) if goes else slot)
    return tuple(out)


def cells(catalog: Catalog, slots: Sequence[Labels]) -> list[Slot]:
    """The grid's place of each slot, with its status and reason."""
    return [catalog.slot(slot["experiment"], {k: v for k, v in slot.items() if k != "experiment"}) for slot in slots]
