"""The pictures beside a plot: those of the points, the violin, the heat map's field or the pair of models picked there.

What is picked stands in the URL: `sel` the starts of at most 48 keys (`of` how many there were), or `group` and
`group_by`, the labels of a group; `pair` two models. Of many cells some are shown, evenly from lowest to highest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.grouping import ALL, Groups, spread
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.state import Labels, State
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.plots import KEY
from distcari.dashboard.views.explore.state import PICKED, Shown

MOST = 48
UNPICKED = 18  # shown while nothing is picked
HINT = {
    "violin": "Click a violin, a point or a line of the table to see its pictures.",
    "scatter": "Draw a box or a lasso around points, or click one, to see their pictures.",
    "heat": "Click a field to see its pictures.",
}


def picked(state: State, selected: Sequence[Mapping[str, Any]], kind: str, figure: str) -> State:
    """The state with the marks selected in a plot of `figure` as its pick; without any, with none."""
    clean = state.with_extra(**dict.fromkeys(PICKED))
    if kind == "heat" and selected:
        return clean.with_extra(group=str(selected[0]["x"]), group_by=str(selected[0]["y"]), fig=figure)
    found = [point["customdata"] for point in selected if point.get("customdata")]
    if not found:
        return clean
    if kind == "violin":
        return clean.with_extra(group=found[0][1], group_by=found[0][2] if found[0][2] != ALL else None, fig=figure)
    keys = list(dict.fromkeys(str(data[0]) for data in found))
    values = np.array([float(point.get("y", 0)) for point in selected if point.get("customdata")])[: len(keys)]
    some = [keys[i] for i in spread(values, MOST)] if len(keys) > MOST else keys
    return clean.with_extra(sel=".".join(some), of=str(len(keys)) if len(keys) > len(some) else None, fig=figure)


def strip(catalog: Catalog, state: State, shown: Shown, frame: pd.DataFrame, x: Groups, by: Groups) -> list[Component]:
    """The pictures of what is picked, lowest first, with a heading; some of all cells, and a hint, if nothing is."""
    figure = state.own("fig") if state.own("fig") in shown.y else next(iter(shown.y), "")
    at, total, name = _cells(state, frame, x, by)
    nothing = at is None
    if not figure or not len(frame):
        return [html.P("No finished cells here.", className="quiet hint")]
    if nothing:
        at, name = np.arange(len(frame)), "All cells"
    lost = int(frame["failed"].to_numpy(bool)[at].sum())
    at = at[~frame["failed"].to_numpy(bool)[at]]
    values = frame[figure].to_numpy(float)[at]
    order = spread(np.where(np.isnan(values), 1e300, values), UNPICKED if nothing else MOST)
    keys = frame["key"].to_numpy(object)[at[order]]
    total = max(total, len(at))
    some = f"{len(keys)} of {total:,}" if total > len(keys) else f"{len(keys)}"
    message = f"{some} {'picture' if total == 1 else 'pictures'}{', evenly' if total > len(keys) else ''}"
    message += f", lowest {columns.title(figure)} first"
    message += f"; {lost:,} failed" if lost else ""
    tiles = [
        components.tile(slot(catalog, row), state, size=160, label=figure, role="listitem")
        for key in keys
        if (row := catalog.row(str(key))) is not None
    ]
    close = components.link(
        "✕",
        state.with_extra(**dict.fromkeys(PICKED)),
        className="step",
        title="All cells again",
        **{"aria-label": "All cells again"},
    )
    head = html.Div([html.Div([html.B(name), html.Span(message)]), None if nothing else close], className="strip-head")
    hint = html.P(HINT[shown.kind], className="quiet small") if nothing and not state.slots else side_link(state)
    return [head, hint, html.Div(tiles, className="strip-tiles", role="list")]


def slot(catalog: Catalog, row: Mapping[str, Any]) -> Slot:
    """A finished cell's row as a place of a grid."""
    axes = catalog.axes([str(row["experiment"])])
    labels = {axis: text(row[axis]) for axis in axes if axis in row}
    return Slot(str(row["experiment"]), labels, "done", "", str(row["key"]), row)


def side_link(state: State) -> Component:
    """What is marked for side by side in the URL, and the way there."""
    names = " ".join("ABCD"[: len(state.slots)])
    if len(state.slots) < 2:
        more = "Shift-click pictures to compare them" if not state.slots else f"{names} picked, Shift-click another"
        return html.P(more, className="quiet small")
    side = components.link("Compare side by side", state.with_(view="side"), className="go")
    clear = components.link("clear", state.with_(slots=()), className="go")
    return html.P([f"{names} picked · ", side, " · ", clear], className="small")


def labels_of(slot_: Slot) -> Labels:
    """A slot's labels as side by side wants them."""
    return {"experiment": slot_.experiment, **slot_.labels}


def _cells(state: State, frame: pd.DataFrame, x: Groups, by: Groups) -> tuple[Any, int, str]:
    """Positions of the picked cells (None: nothing picked), how many there were, a name."""
    if sel := state.own("sel"):
        wanted = [part for part in sel.split(".") if part][:MOST]
        at = np.flatnonzero(frame["key"].str[:KEY].isin(wanted).to_numpy(bool))
        of = state.own("of")
        return at, int(of) if of.isdecimal() and len(of) < 9 else len(at), "Selected"
    if group := state.own("group"):
        mask = np.zeros(len(frame), bool) if group not in x.labels else x.codes == x.labels.index(group)
        over = state.own("group_by")
        if over and over in by.labels:
            mask = mask & (by.codes == by.labels.index(over))
        at = np.flatnonzero(mask)
        name = f"{group} · {over}" if over and over in by.labels and over != group else group
        return (at, 0, name) if at.size else (None, 0, "")
    return None, 0, ""
