"""The stage: panes that share one zoom. What moves in each is its `world`; the rest is done by assets/side.js and .css.

Its parts:

    .pane > .glass > .world > img      one picture, its match map over it
    .glass > .half + .half.right       two worlds over each other: swipe clips the right one, flicker hides it
    .glass > .world.ghost              slot A over another slot, seen while Space is held
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import columns, differences
from distcari.dashboard.data.addresses import difference_url, input_url, match_url, picture_url, stretched_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.pictures import PictureError, between
from distcari.dashboard.data.state import SLOTS, State
from distcari.dashboard.page import components
from distcari.dashboard.views.side.cards import badge
from distcari.dashboard.views.side.slots import Options
from distcari.store.schema import SETTINGS


def stage(
    catalog: Catalog,
    state: State,
    found: Sequence[Slot],
    options: Options,
    scale: float,
    stretch: tuple[int, int] | None,
) -> Component:
    """All panes of a mode. `scale`: of the differences; `stretch`: the range shared by all slots, None as stored."""
    panes = [_pane(state, found, i, stretch) for i in range(len(found))]
    rows, width = 1, len(found) + 1
    if options.mode in ("swipe", "flicker"):
        panes, width = [_pair(catalog, found, options, stretch)], 2
    panes.append(_input(catalog, found))
    if options.mode == "difference":
        shown = [_difference(catalog, found, i, options, scale) for i in range(1, len(found))]
        width, rows = (4, 1) if len(found) == 2 else (len(found), 2)
        panes = [*panes[:2], *shown, panes[2]] if rows == 1 else [*panes, *shown]  # B − A lies under B
    return html.Div(
        panes,
        className=f"side-panes in-{options.mode} on-{options.background}",
        style={"--wide-cols": width, "--rows": rows},
    )


def _pane(state: State, found: Sequence[Slot], i: int, stretch: tuple[int, int] | None) -> Component:
    slot, name = found[i], SLOTS[i]
    parts: list[Any] = _world(slot, name, stretch)
    if i and slot.row is not None and found[0].row is not None:
        ghost = html.Img(src=_source(found[0].row, stretch), alt="", draggable="false")
        parts.append(html.Div([html.Div(ghost, className="world"), badge("a")], className="ghost", **_hidden()))
    caption: list[Any] = [badge(name)]
    if slot.row is not None:
        caption.append(
            html.Span(
                f"gain {columns.number(slot.row.get('gain'))} · cosine {columns.number(slot.row.get('cosine'))}",
                className="side-said",
            )
        )
        caption.append(html.Span(className="side-rgb", **{"data-rgb": ""}))
        to = State("cell", experiments=state.experiments, cell=slot.key)
        aria = {"aria-label": f"Open the cell of slot {name.upper()}"}
        caption.append(components.link("open", to, className="side-open", **aria))
    else:
        caption.append(html.Span(slot.status, className="side-said"))
    return _figure(parts, caption, **{"data-slot": name})


def _pair(catalog: Catalog, found: Sequence[Slot], options: Options, stretch: tuple[int, int] | None) -> Component:
    """Two pictures over each other, for swipe and flicker."""
    halves, caption = [], []
    for side, name in (("left", options.left), ("right", options.right)):
        if name == "input":
            slot, mark = found[0], html.B("input", className="slot-badge of-input")
            inner: list[Any] = [html.Div(_input_picture(catalog, slot), className="world")]
        else:
            slot, mark = found[SLOTS.index(name)], badge(name)
            inner = _world(slot, name, stretch)
        text = slot.labels.get("image", "") if name == "input" else slot_summary(slot)
        halves.append(html.Div([*inner, html.Span(mark, className="side-mark")], className=f"half {side}"))
        caption.append(html.Span([mark, html.Span(text, className="side-said")], className=f"of-{side}"))
    if options.mode == "swipe":
        aria = {
            "role": "slider",
            "aria-label": "Divider",
            "aria-valuemin": "0",
            "aria-valuemax": "100",
            "aria-valuenow": "50",
        }
        halves.append(html.Div(html.Span("⇔"), className="divider", tabIndex=0, **aria))
    return _figure(halves, caption, **{"data-pair": ""})


def _difference(catalog: Catalog, found: Sequence[Slot], i: int, options: Options, scale: float) -> Component:
    a, b, name = found[0], found[i], SLOTS[i]
    caption: list[Any] = [badge(name), "−", badge("a")]
    if a.row is None or b.row is None:
        missing = " and ".join(n.upper() for n, slot in (("a", a), (name, b)) if slot.row is None)
        return _figure([_why("no difference", f"{missing} has no picture: {(b if a.row else a).status}.")], caption)
    try:
        values = differences.channel(between(catalog, a.row, b.row, options.kind), options.channel)
    except PictureError as error:
        return _figure([_why("no difference", str(error))], caption)
    unit = " ΔE" if options.kind == "delta_e" else ""
    numbers = differences.summary(values, scale)
    text = f"mean {columns.number(numbers.mean)}{unit} · 95 % below {columns.number(numbers.p95)}{unit}"
    if options.kind == "signed":
        text = f"mean {columns.signed(float(values.mean()))} · magnitude: {text}"
    if numbers.above >= 0.0005:
        text += f" · {100 * numbers.above:.1f} % off scale"
    alt = f"{differences.KINDS[options.kind][0]} difference of slot {name.upper()} from slot A: {text}"
    image = html.Img(src=difference_url(a.row, b.row, options.kind, options.channel, scale), alt=alt, draggable="false")
    return _figure([html.Div(image, className="world")], [*caption, html.Span(text, className="side-said")])


def _input(catalog: Catalog, found: Sequence[Slot]) -> Component:
    """The inputs of all slots over each other; that of the active slot is seen."""
    groups: dict[str, list[int]] = {}
    for i, slot in enumerate(found):
        groups.setdefault(str(_input_source(catalog, slot)).rpartition("v=")[2], []).append(i)
    worlds, caption = [], []
    for first, *more in groups.values():
        names = {"data-for": " ".join(SLOTS[i] for i in (first, *more)), "hidden": first > 0}
        worlds.append(html.Div(_input_picture(catalog, found[first]), className="world", **names))
        text = ["input ", html.Strong(found[first].labels.get("image", ""))]
        of = f" of {', '.join(SLOTS[i].upper() for i in (first, *more))}" if len(groups) > 1 else ""
        caption.append(html.Span([*text, of], className="side-said", **names))
    return _figure(worlds, caption, **{"data-input": ""})


def _figure(inside: list[Any], caption: list[Any], **props: Any) -> Component:
    cross = [html.I(className="cross-x", **_hidden()), html.I(className="cross-y", **_hidden())]
    glass = html.Div([*inside, *cross], className="glass")
    return html.Figure([glass, html.Figcaption(caption)], className="side-pane", **props)


def _world(slot: Slot, name: str, stretch: tuple[int, int] | None) -> list[Any]:
    """A slot's picture and its match map, or why there is none."""
    if slot.row is None:
        return [_why(slot.status, slot.reason)]
    alt = f"Slot {name.upper()}: {components.alt(slot.row, slot.labels)}"
    picture = html.Img(src=_source(slot.row, stretch), alt=alt, className="picture", draggable="false")
    match = html.Img(src=match_url(slot.row, 448), alt="", className="match", draggable="false")
    return [html.Div([picture, match], className="world")]


def _source(row: Mapping[str, Any], stretch: tuple[int, int] | None) -> str:
    return picture_url(row, None, "png") if stretch is None else stretched_url(row, *stretch)


def _input_source(catalog: Catalog, slot: Slot) -> str:
    """The input's address as an exact PNG; empty where the experiment has no such image."""
    info, image = catalog.experiment(slot.experiment), slot.labels.get("image", "")
    if info is None or image not in info.raw.get("image", {}):
        return ""
    return input_url(catalog, slot.experiment, image, kind="png")


def _input_picture(catalog: Catalog, slot: Slot) -> Component:
    source, image = _input_source(catalog, slot), slot.labels.get("image", "")
    if not source:
        return _why("no input", f"{slot.experiment} has no image {image or '—'}.")
    return html.Img(src=source, alt=f"Input image {image}", className="picture", draggable="false")


def _why(status: str, reason: str) -> Component:
    return html.Div([html.Strong(status), html.Span(reason)], className=f"side-why {status.replace(' ', '-')}")


def slot_summary(slot: Slot) -> str:
    """A slot's labels on one line."""
    own = [str(slot.labels[axis]) for axis in ("model", "layer", "image") if axis in slot.labels]
    return " · ".join([*own, *(f"{axis} {slot.labels[axis]}" for axis in SETTINGS if axis in slot.labels)])


def _hidden() -> dict[str, str]:
    return {"aria-hidden": "true"}
