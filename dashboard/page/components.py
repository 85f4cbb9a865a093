"""Components that several views are made of: links, pictures with their alt texts, tiles, numbers with units, plots."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import html, no_update
from plotly import graph_objects as go_

from distcari.dashboard.data import columns
from distcari.dashboard.data.addresses import mean_url, picture_url
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.state import Labels, State
from distcari.store.schema import SETTINGS

KEYS = {
    "layer": ("ArrowLeft", "ArrowRight"),
    "image": ("ArrowUp", "ArrowDown"),
    "model": ("M", "m"),
    "seed": (",", "."),
    **dict.fromkeys(SETTINGS, ("[", "]")),
}
HOVER = ("gain", "cosine", "robust_gain", "robust_cosine", "colour_uniformity", "colourfulness", "spectral_slope")


def go(state: State, change: Callable[[State], State]) -> Any:
    """The query string of a changed state for `goto`; `no_update` if the change changes nothing."""
    changed = change(state)
    return no_update if changed == state else changed.search()


def link(content: Any, state: State, **props: Any) -> html.A:
    """A link to another state, followed without a reload."""
    return html.A(content, href=state.search(), **{"data-go": ""}, **props)


def breakable(label: str) -> list[Any]:
    """A label that may break after underscores, dashes and slashes."""
    return [part for piece in re.split(r"(?<=[_/-])", label) if piece for part in (piece, html.Wbr())][:-1]


def alt(row: Mapping[str, Any], labels: Labels | None = None) -> str:
    """A picture's text: "lite0 at _blocks_4 seeing chelsea, seed 0: gain 0.75"; further axes are named."""
    at = {str(k): v for k, v in (labels or row).items()}
    more = [f"{axis} {at[axis]}" for axis in (labels or {}) if axis not in ("model", "layer", "image", "experiment")]
    more = more or [f"seed {at['seed']}"] * ("seed" in at)
    return (
        f"{at.get('model')} at {at.get('layer')} seeing {at.get('image')}, {', '.join(more)}: "
        f"gain {columns.number(row.get('gain'))}"
    )


def picture(row: Mapping[str, Any], size: int = 224, labels: Labels | None = None, **props: Any) -> dmc.Image:
    """A finished cell's picture, square, loaded when it comes into view."""
    lazy = {"root": {"loading": "lazy", "decoding": "async"}}  # html.Img does not know `loading`
    return dmc.Image(src=picture_url(row, size), alt=alt(row, labels), attributes=lazy, unstyled=True, **props)


def tile(slot: Slot, state: State, size: int = 224, label: str = "", pickable: bool = True, **props: Any) -> html.Div:
    """One place of a grid: the picture as a link to its cell, or its status and the reason. `label`: a figure below.

    Only data: assets/tile.js draws what is inside, one component a tile instead of three, and natively lazy pictures
    (html.Img does not know `loading`). 240 tiles are 169 KB instead of 221 KB.
    """
    data = {"data-at": json.dumps({"experiment": slot.experiment, **slot.labels}, ensure_ascii=False)}
    if slot.members:
        data |= {
            "data-src": mean_url(slot.members, size),
            "data-alt": f"Mean of {slot.count} pictures of {slot.labels.get('model')} at {slot.labels.get('layer')}",
            "data-href": group_state(slot, state).search(),
            "data-figures": f"mean of={slot.count}|" + _figures(slot.row or {}),
        }
        kind = "tile done"
        data |= {"data-label": columns.number((slot.row or {}).get(label))} if label else {}
    elif slot.status != "done" or slot.row is None:
        data |= {"data-status": slot.status, "data-reason": slot.reason}
        kind = f"tile empty {slot.status.replace(' ', '-')}"
    else:
        data |= {
            "data-src": picture_url(slot.row, size),
            "data-alt": alt(slot.row, slot.labels),
            "data-href": State("cell", experiments=state.experiments, cell=slot.key).search(),
            "data-figures": _figures(slot.row),
        }
        kind = "tile done pickable" if pickable else "tile done"
        data |= {"data-label": columns.number(slot.row.get(label))} if label else {}
    return html.Div(className=kind, **{"role": "gridcell", **data, **props})


def group_state(slot: Slot, state: State) -> State:
    """Compare with the models of a folded group alone."""
    return state.with_extra(fold=None, only=f"{state.own('by')}={slot.labels.get('model')}")


def _figures(row: Mapping[str, Any]) -> str:
    return "|".join(f"{columns.title(name)}={columns.number(row.get(name))}" for name in _hovered(row))


def _hovered(row: Mapping[str, Any]) -> Sequence[str]:
    """The figures beside the pointer: of a difference its second model's too."""
    return HOVER if np.isnan(row.get("gain_in_b") or np.nan) else (*HOVER[:2], "gain_in_b", "cosine_in_b", *HOVER[2:])


def stepper(axis: str, step: int, state: State | None, keys: str) -> Any:
    """A small link ‹ or › to the neighbour along an axis, and its keys; shown faint where there is no neighbour."""
    sign, word = ("‹", "Previous") if step < 0 else ("›", "Next")
    if state is None:
        return html.Span(sign, className="step none", **{"aria-hidden": "true"})
    aria = {"aria-label": f"{word} {axis}", "data-key": keys}
    return link(sign, state, className="step", title=f"{word} {axis}", **aria)


def choice(name: str, title: str, data: Sequence[Mapping[str, Any]], value: str | None, none: str = "") -> dmc.Select:
    """A small select that is a parameter of the URL by itself; with `none`, it can be empty and then says that."""
    return dmc.Select(
        id=param(name),
        data=list(data),
        value=value,
        size="xs",
        label=title,
        placeholder=none or None,
        clearable=bool(none),
        allowDeselect=bool(none),
        searchable=len(data) > 8,
        className="choice",
        checkIconPosition="right",
        comboboxProps={"width": "max-content", "position": "bottom-start"},
        maxDropdownHeight=420,
    )


def param(name: str) -> dict[str, str]:
    """The id of a control whose value is the URL's parameter of that name; it needs no callback (shell.js)."""
    return {"type": "param", "name": name.replace(".", ":")}  # Dash ids have no dots


def walk(axis: str, labels: Sequence[str], label: str, to: Callable[[str], State], name: str = "") -> html.Div:
    """A select of an axis's label, as the parameter `name` (default: `at.<axis>`), with links to both neighbours."""
    at = labels.index(label) if label in labels else 0
    before, after = KEYS.get(axis, ("", ""))
    steps = [to(labels[i]) if 0 <= i < len(labels) else None for i in (at - 1, at + 1)]
    data = [{"value": text, "label": text} for text in labels]
    select = choice(name or f"at.{axis}", axis, data, label)
    if len(labels) < 2:
        return html.Div(select, className="walk")
    return html.Div([stepper(axis, -1, steps[0], before), select, stepper(axis, 1, steps[1], after)], className="walk")


def plot(scheme: str | None = None, **layout: Any) -> go_.Layout:
    """The quiet look of all plots, for "light" or "dark"; without either, axes and grid follow the page (app.css)."""
    greys = {"light": ("#495057", "#e3e3e3"), "dark": ("#c9c9c9", "#3a3a3a")}
    ink, line = greys.get(scheme or "", ("#7b828a", "rgba(128,128,128,0.25)"))
    axis: dict[str, Any] = dict.fromkeys(("gridcolor", "zerolinecolor", "linecolor"), line)
    axis |= {"ticks": "", "title": {"font": {"size": 11}}}
    base: dict[str, Any] = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": ink, "size": 12},
        "margin": {"l": 44, "r": 8, "t": 8, "b": 36},
        "xaxis": axis,
        "yaxis": axis,
        "hovermode": "closest",
        "colorway": ["#228be6", "#f76707", "#2b8a3e", "#ae3ec9", "#e03131", "#0c8599", "#f59f00", "#868e96"],
    }
    merged = {**base, **layout}
    for name in ("xaxis", "yaxis"):
        title = {**axis["title"], **layout.get(name, {}).get("title", {})}
        merged[name] = {**axis, **layout.get(name, {}), "title": title}
    return go_.Layout(merged)
