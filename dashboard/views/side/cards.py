"""The cards of the slots: a letter, all selectors with links to the neighbours, and what can be done to a slot."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import SLOTS, Labels, State
from distcari.dashboard.page import components
from distcari.dashboard.views.side.slots import COLOURS, Options, beside, choices, stepped

ORDER = ("model", "layer", "image", "", "seed", "experiment")  # further axes stand where the gap is


def badge(name: str) -> html.B:
    """A slot's letter on its colour."""
    return html.B(name.upper(), className=f"slot-badge {name}", style={"background": COLOURS[name]})


def selector_id(slot: int, axis: str) -> dict[str, Any]:
    """The id of a slot's selector; at most four slots times the axes."""
    return {"type": "side-at", "slot": slot, "axis": axis}


def cards(catalog: Catalog, state: State, slots: Sequence[Labels], options: Options) -> list[Component]:
    """One card for each slot, and the links that add, swap and link."""
    found: list[Component] = [_card(catalog, state, slots, options, i) for i in range(len(slots))]
    return [*found, _actions(catalog, state, slots, options)]


def _card(catalog: Catalog, state: State, slots: Sequence[Labels], options: Options, i: int) -> Component:
    name, labels = SLOTS[i], slots[i]
    axes = sorted(labels, key=lambda axis: ORDER.index(axis) if axis in ORDER else 3)
    open_ = [axis for axis in axes if _offers(catalog, labels, axis)]
    said = [axis for axis in axes if axis not in open_ and (i == 0 or labels[axis] != slots[0].get(axis))]
    shut = [html.Span([html.I(axis), " ", labels[axis]]) for axis in said]  # once, where all slots share it
    pick = {"aria-label": f"Slot {name.upper()}: its keys are the arrows", "aria-pressed": "false"}
    top: list[Any] = [
        html.Button(badge(name), className="slot-pick", title=f"Keys act on slot {name.upper()} ({i + 1})", **pick),
        html.Span(shut, className="side-shut"),
    ]
    if len(slots) > 2:
        without = tuple(slot for j, slot in enumerate(slots) if j != i)
        aria = {"aria-label": f"Remove slot {name.upper()}"}
        top.append(components.link("✕", state.with_(slots=without), className="step", title="Remove this slot", **aria))
    selectors = [_selector(catalog, state, slots, options, i, axis) for axis in open_]
    return html.Section(
        [html.Div(top, className="slot-top"), html.Div(selectors, className="side-selectors")],
        className="slot-card",
        style={"--slot": COLOURS[name]},
        **{"data-slot": name, "aria-label": f"Slot {name.upper()}"},
    )


def _offers(catalog: Catalog, labels: Labels, axis: str) -> bool:
    """Whether there is anything to choose: more than one label, or one that is not the present."""
    return choices(catalog, labels, axis) != [labels[axis]]


def _selector(
    catalog: Catalog, state: State, slots: Sequence[Labels], options: Options, i: int, axis: str
) -> Component:
    label, known = slots[i][axis], choices(catalog, slots[i], axis)
    data = [{"value": text, "label": text} for text in dict.fromkeys([*known, label] if label else known)]
    select = dmc.Select(
        id=selector_id(i, axis),
        data=data,
        value=label,
        label=axis,
        size="xs",
        allowDeselect=False,
        searchable=len(data) > 8,
        className="choice",
        error=label not in known,
        maxDropdownHeight=420,
        comboboxProps={"width": "max-content", "position": "bottom-start"},
        attributes={"input": {"aria-label": f"{axis} of slot {SLOTS[i].upper()}"}},
    )
    keys = components.KEYS.get(axis, ("", ""))
    steps = [_step(catalog, state, slots, options, i, axis, *to) for to in zip((-1, 1), keys, strict=True)]
    return html.Div([select, *steps], className=f"side-at of-{axis}", title=label)


def _step(
    catalog: Catalog, state: State, slots: Sequence[Labels], options: Options, i: int, axis: str, step: int, key: str
) -> Component:
    """A link to the neighbour; `data-step` is its key while the slot is the active one (assets/side.js)."""
    sign, word = ("‹", "Previous") if step < 0 else ("›", "Next")
    to = stepped(catalog, slots, options.linked, i, axis, step)
    if to is None:
        return html.Span(sign, className="step none", **{"aria-hidden": "true"})
    aria = {"aria-label": f"{word} {axis} of slot {SLOTS[i].upper()}", "data-step": key}
    return components.link(sign, state.with_(slots=to), className="step", title=f"{word} {axis}", **aria)


def _actions(catalog: Catalog, state: State, slots: Sequence[Labels], options: Options) -> Component:
    a, b, *rest = slots
    swap = components.link(
        ["⇄ Swap A, B", dmc.Kbd("x", size="xs")],
        state.with_(slots=(b, a, *rest)),
        className="side-action",
        title="Swap A and B",
        **{"data-key": "x"},
    )
    link = components.link(
        ["Move together", dmc.Kbd("g", size="xs")],
        state.with_(slots=tuple(slots)).with_extra(link=None if options.linked else "1"),
        className="side-action",
        role="switch",
        title="A choice in one slot is made in all",
        **{"aria-checked": "true" if options.linked else "false", "data-key": "g"},
    )
    parts: list[Component] = [swap, link]
    if len(slots) < len(SLOTS):
        more = state.with_(slots=(*slots, beside(catalog, slots)))
        parts.insert(0, components.link(f"+ Slot {SLOTS[len(slots)].upper()}", more, className="side-action"))
    return html.Div(parts, className="side-actions")
