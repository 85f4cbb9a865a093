"""Explore's matrix: how far apart each pair of models sees, and the pair's pictures, on the way into side by side."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from dash import html
from dash.development.base_component import Component
from plotly import graph_objects as go

from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.distances import SIDE, Matrix
from distcari.dashboard.data.state import State
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.state import PICKED
from distcari.dashboard.views.explore.strip import labels_of, slot

MOST_PAIRS = 16
BETWEEN = " ↔ "


def plot(matrix: Matrix, scheme: str | None) -> go.Figure:
    """The matrix as a heat map; the diagonal is left out, so that the colours span the distances that there are."""
    models, mean = list(matrix.models), matrix.mean.copy()
    np.fill_diagonal(mean, np.nan)
    counts = (~np.isnan(matrix.each)).sum(axis=0)
    trace = go.Heatmap(
        z=mean,
        x=models,
        y=models,
        colorscale="Viridis",
        xgap=2,
        ygap=2,
        text=counts,
        texttemplate="%{z:.1f}" if len(models) <= 14 else None,
        hoverongaps=False,
        hovertemplate="%{y}" + BETWEEN + "%{x}<br>mean ΔE2000 %{z:.2f} over %{text} pictures<extra></extra>",
        colorbar={"thickness": 8, "outlinewidth": 0, "len": 1, "title": {"text": "ΔE", "side": "top"}},
    )
    square: dict[str, Any] = {"type": "category", "showgrid": False, "automargin": True}
    square |= {"tickmode": "linear", "dtick": 1, "tickfont": {"size": 12 if len(models) <= 14 else 9}}  # every name
    return go.Figure(
        trace,
        components.plot(
            scheme,
            xaxis={**square, "constrain": "domain"},
            clickmode="event",
            yaxis={**square, "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
            margin={"l": 48, "r": 6, "t": 10, "b": 40},
        ),
    )


def summary(matrix: Matrix, noise: Mapping[str, float]) -> str:
    """What was compared, what was left out, and the noise of seeds (ΔE2000 by layer) to hold it against."""
    n = len(matrix.places)
    over = (
        f"{n} of {matrix.total:,} pictures of each model, taken evenly"
        if n < matrix.total
        else f"{n} pictures of each model"
    )
    text = f"Mean ΔE2000 at {SIDE} × {SIDE} over {over}."
    if matrix.models_left_out:
        text += f" The first {len(matrix.models)} models; {matrix.models_left_out} are left out."
    text += f" {_floor(noise)} 1 is just noticeable; 0 the same picture."
    if len(matrix.models) < 2 or not n:
        text = "Two models with finished pictures of the same image, layer and seed are needed; there are none here."
    return text


def _floor(noise: Mapping[str, float]) -> str:
    """What two seeds of one model differ by, the least that a distance has to exceed."""
    if not noise:
        return (
            "One seed only, or no picture finished with two: "
            "nothing here tells a difference between models from that between two starts."
        )
    low, high = min(noise.values()), max(noise.values())
    span = columns.number(low) if len(noise) == 1 else f"{columns.number(low)} to {columns.number(high)} by layer"
    return f"Two seeds of one model differ by {span}: a smaller distance is no more than chance."


def pair(state: State, matrix: Matrix) -> tuple[int, int] | None:
    """The picked pair's positions; without a pick the pair that lies farthest apart."""
    names = state.own("pair"), state.own("pair_b")
    if all(name in matrix.models for name in names) and names[0] != names[1]:
        return matrix.models.index(names[0]), matrix.models.index(names[1])
    if len(matrix.models) < 2 or np.isnan(matrix.mean).all() or not matrix.places:
        return None
    i, j = np.unravel_index(int(np.nanargmax(matrix.mean)), matrix.mean.shape)
    return (int(i), int(j)) if i != j else None


def picked(state: State, point: dict[str, Any]) -> State:
    """The state with the pair of a clicked field."""
    a, b = str(point["y"]), str(point["x"])
    clean = state.with_extra(**dict.fromkeys(PICKED))
    return clean.with_extra(pair=a, pair_b=b) if a != b else clean


def strip(catalog: Catalog, state: State, matrix: Matrix) -> list[Component]:
    """The pair's pictures of each place, farthest apart first; each leads into side by side."""
    found = pair(state, matrix)
    if found is None:
        return [html.P("Click a field to see the pictures of both models.", className="quiet hint")]
    a, b = found
    values = matrix.each[:, a, b]
    order = np.argsort(-np.where(np.isnan(values), -np.inf, values))[: int((~np.isnan(values)).sum())]
    one, two = matrix.models[a], matrix.models[b]
    lines = [_line(catalog, state, matrix, one, two, int(p)) for p in order[:MOST_PAIRS]]
    more = f"farthest apart first, {len(lines)} of {len(order)}" if len(order) > len(lines) else "farthest apart first"
    head = html.Div(
        [
            html.B(f"{one}{BETWEEN}{two}"),
            html.Span(f"mean ΔE {columns.number(float(matrix.mean[a, b]))}, {more}; click to compare"),
        ]
    )
    return [html.Div(head, className="strip-head"), html.Div(lines, className="strip-pairs")]


def _line(catalog: Catalog, state: State, matrix: Matrix, one: str, two: str, p: int) -> Component:
    place = matrix.places[p]
    slots = [slot(catalog, matrix.rows[model, place]) for model in (one, two)]
    side = State("side", experiments=state.experiments, slots=tuple(labels_of(s) for s in slots))
    value = matrix.each[p, matrix.models.index(one), matrix.models.index(two)]
    where = " · ".join(label for axis, label in zip(matrix.axes, place, strict=True) if axis != "experiment")
    pictures = [components.picture(s.row, 160, s.labels) for s in slots if s.row is not None]
    caption = html.Span([where, html.B(f"ΔE {columns.number(float(value))}")], className="caption")
    title = f"{one}{BETWEEN}{two} side by side"
    return components.link([*pictures, caption], side, className="strip-pair", title=title)
