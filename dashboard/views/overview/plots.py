"""The two plots of the overview: a map of the models, and their distances with the tree of what sees alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.colors import sample_colorscale

from distcari.dashboard.data.labels import short, unlike
from distcari.dashboard.data.overview import scaled
from distcari.dashboard.page import components
from distcari.dashboard.views.explore.plots import colours
from distcari.dashboard.views.overview.names import positions

Floats = NDArray[np.float64]
BETWEEN, NONE = " ↔ ", "—"
TREE = 0.16  # of the height
MOST_NAMED = 24
SIDE = 380  # pixels of the map, about: names are placed for it


def model_map(
    models: Sequence[str], distance: Floats, groups: Mapping[str, Sequence[str]], ordered: bool, scheme: str | None
) -> tuple[go.Figure, float]:
    """A point for each model, near what sees alike, coloured by group; and the share of squared distance it keeps.

    `ordered`: the groups are steps of one thing, and their colours those of a scale.
    """
    flat, kept = scaled(distance)
    at = {model: i for i, model in enumerate(models)}
    traces = []
    reach = 1.15 * max(1e-9, float(np.abs(flat).max()))
    names = unlike(models)
    placed = positions(flat, names, SIDE / (2 * reach))
    for (label, members), colour in zip(groups.items(), _inks(groups, ordered), strict=True):
        here = [at[m] for m in members if m in at]
        traces.append(
            go.Scatter(
                x=flat[here, 0],
                y=flat[here, 1],
                name=label,
                text=[names[i] if placed[i] else "" for i in here],
                hovertext=[models[i] for i in here],
                customdata=[[models[i]] for i in here],
                mode="markers+text" if len(models) <= MOST_NAMED else "markers",
                textposition=[placed[i] or "top center" for i in here],
                textfont={"size": 10.5},
                cliponaxis=False,
                marker={"size": 10, "color": colour, "line": {"width": 1, "color": "rgba(128,128,128,0.6)"}},
                hovertemplate="%{hovertext}" + (f"<br>{label}" if len(groups) > 1 else "") + "<extra></extra>",
                showlegend=len(groups) > 1,
            )
        )
    axis = {"range": [-reach, reach], "zeroline": False, "showticklabels": True, "title": {"text": "ΔE2000"}}
    look = components.plot(
        scheme,
        xaxis=axis,
        yaxis={**axis, "scaleanchor": "x"},
        clickmode="event",
        showlegend=len(groups) > 1,
        margin={"l": 48, "r": 10, "t": 26 if len(groups) > 1 else 12, "b": 40},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
    )
    return go.Figure(traces, look), kept


def tree_matrix(models: Sequence[str], distance: Floats, scheme: str | None) -> go.Figure:
    """The distances of every pair, models that see alike beside each other, under the tree (average linkage)."""
    order, lines = _tree(distance)
    names = [models[i] for i in order]
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, distance[np.ix_(order, order)])
    trace = go.Heatmap(
        z=shown,
        colorscale="Viridis",
        xgap=1,
        ygap=1,
        customdata=[[[a, b] for b in names] for a in names],
        texttemplate="%{z:.1f}" if len(names) <= 12 else None,
        hoverongaps=False,
        hovertemplate="%{customdata[0]}" + BETWEEN + "%{customdata[1]}<br>mean ΔE2000 %{z:.2f}<extra></extra>",
        colorbar={
            "thickness": 8,
            "outlinewidth": 0,
            "len": 1 - TREE,
            "y": 0,
            "yanchor": "bottom",
            "title": {"text": "ΔE"},
        },
    )
    tree = [
        go.Scatter(
            x=x,
            y=y,
            yaxis="y2",
            mode="lines",
            line={"width": 1, "color": "#868e96"},
            hoverinfo="skip",
            showlegend=False,
        )
        for x, y in lines
    ]
    ticks = {"tickvals": list(range(len(names))), "ticktext": [short(n) for n in unlike(names)], "showgrid": False}
    ticks |= {"range": [-0.5, len(names) - 0.5], "zeroline": False, "automargin": True, "tickfont": {"size": 10.5}}
    look = components.plot(
        scheme,
        xaxis={**ticks, "tickangle": -60 if len(names) > 6 else 0},
        yaxis={**ticks, "range": [len(names) - 0.5, -0.5], "domain": [0, 1 - TREE if lines else 1]},
        clickmode="event",
        margin={"l": 60, "r": 6, "t": 8, "b": 60},
    )
    look.update(yaxis2={"domain": [1 - TREE, 1], "visible": False, "rangemode": "tozero"})
    return go.Figure([trace, *tree], look)


def _tree(distance: Floats) -> tuple[list[int], list[tuple[list[float], list[float]]]]:
    """The order of the leaves, and the lines of the tree; none where distances are unknown."""
    if len(distance) < 3 or np.isnan(distance).any():
        return list(range(len(distance))), []
    from scipy.cluster.hierarchy import dendrogram, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    flat = squareform(distance, checks=False)
    drawn: dict[str, Any] = dendrogram(optimal_leaf_ordering(linkage(flat, "average"), flat), no_plot=True)
    lines = [([(x - 5) / 10 for x in xs], list(ys)) for xs, ys in zip(drawn["icoord"], drawn["dcoord"], strict=True)]
    return list(drawn["leaves"]), lines


def _inks(groups: Mapping[str, Sequence[str]], ordered: bool) -> list[str]:
    """A colour for each group; of what has no value grey."""
    known = [label for label in groups if label != NONE]
    scale = sample_colorscale("Viridis", np.linspace(0, 0.95, max(1, len(known)))) if ordered else colours(len(known))
    return [*scale[: len(known)], *["#adb5bd"] * (len(groups) - len(known))]
