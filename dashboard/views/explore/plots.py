"""The plots of Explore: one figure over columns as violins, scatter or heat map. Every mark knows its cells.

A point's `customdata` is (start of the key, group on x, group of colour), a heat map's field has its two labels: a
click finds the pictures. What is drawn is bounded: violins of large groups stand on quantiles, which keep the
distribution; a scatter of many cells shows some of them and says so.
"""

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from plotly import graph_objects as go

from distcari.dashboard.data import columns
from distcari.dashboard.data.columns import NUMBERS
from distcari.dashboard.data.grouping import ALL, Groups, spread, summaries
from distcari.dashboard.data.labels import text
from distcari.dashboard.page import components
from distcari.store.schema import SETTINGS

MOST_POINTS, MOST_IN_VIOLIN, ALL_POINTS = 3000, 300, 60
KEY = 12  # hex digits of a key that stand for it
_SYMBOLS = ("circle", "diamond", "cross", "triangle-up", "star")  # for every eight groups another
_FEW = ("#228be6", "#f76707", "#2b8a3e", "#ae3ec9", "#e03131", "#0c8599", "#f59f00", "#868e96")


def colours(count: int) -> list[str]:
    """So many colours that can be told apart; beyond eight around the hues, lighter and darker in turn."""
    if count <= len(_FEW):
        return list(_FEW[:count])
    return [f"hsl({360 * i / count:.0f}, 62%, {(46, 60, 38)[i % 3]}%)" for i in range(count)]


def violins(frame: pd.DataFrame, x: Groups, by: Groups, name: str, column: str, scheme: str | None) -> go.Figure:
    """A figure's distribution in each group on x (called `name`) and of colour; of few cells each is a point."""
    values = frame[column].to_numpy(float)
    inked = x if by.labels == (ALL,) else by
    known = (x.codes >= 0) & np.isfinite(values)
    traces = []
    for j, (label, colour) in enumerate(zip(inked.labels, colours(len(inked.labels)), strict=True)):
        mine = np.flatnonzero((inked.codes == j) & known)
        if not mine.size:
            continue
        groups = [mine[x.codes[mine] == i] for i in np.unique(x.codes[mine])]
        at = np.concatenate([group[spread(values[group], MOST_IN_VIOLIN)] for group in groups])
        few = max(map(len, groups)) <= ALL_POINTS
        traces.append(
            go.Violin(
                x=np.array(x.labels, object)[x.codes[at]],
                y=values[at],
                name=label,
                scalegroup=f"{j}",
                scalemode="width",
                customdata=_table(
                    [key[:KEY], x.labels[x.codes[i]], by.labels[by.codes[i]]]
                    for i, key in zip(at, frame["key"].iloc[at], strict=True)
                ),
                points="all" if few else False,
                pointpos=0,
                jitter=0.35,
                marker={"size": 4.5, "opacity": 0.8},
                line={"color": colour, "width": 1.2},
                spanmode="hard",
                box={"visible": True, "width": 0.14},
                hoveron="violins+points" if few else "violins",
                hoverinfo="y",
                showlegend=inked is not x,
            )
        )
    ticks = _counted(values, x, frame["failed"].to_numpy(bool))
    look = _look(
        scheme,
        name,
        column,
        legend=inked is not x,
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(x.labels),
            "range": [-0.5, len(ticks) - 0.5],
            "tickvals": list(x.labels),
            "ticktext": ticks,
            **({"tickangle": 45} if sum(map(len, ticks)) > 110 else {}),  # straight, long names run into each other
        },
        violinmode="overlay" if inked is x else "group",
        violingap=0.25,
    )
    return go.Figure(traces, look)


def _table(rows: Iterable[Sequence[str]]) -> NDArray[Any]:
    """As an array, which plotly takes as it is; lists it looks through, value by value."""
    return np.array(list(rows), object)


def scatter(frame: pd.DataFrame, x: Groups | None, by: Groups, name: str, column: str, scheme: str | None) -> go.Figure:
    """A point for each cell; `x` are groups if the column called `name` holds no numbers, drawn with some jitter."""
    values = frame[column].to_numpy(float)
    across = frame[name].to_numpy(float) if x is None else np.where(x.codes < 0, np.nan, x.codes.astype(float))
    if x is not None:
        across = across + np.random.default_rng(0).uniform(-0.28, 0.28, len(across))
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(across))
    shown = known if len(known) <= MOST_POINTS else known[np.linspace(0, len(known) - 1, MOST_POINTS).astype(int)]
    keys = frame["key"].to_numpy(object)
    names = _cell_names(frame.iloc[shown])
    template = "%{text}<br>" + ("%{x:.3g}, " if x is None else "") + "%{y:.4g}<extra></extra>"
    traces = []
    for j, (label, colour) in enumerate(zip(by.labels, cycle(_FEW), strict=False)):
        mine = by.codes[shown] == j
        at = shown[mine]
        if at.size:
            traces.append(
                go.Scatter(
                    x=across[at],
                    y=values[at],
                    mode="markers",
                    name=label,
                    showlegend=len(by.labels) > 1,
                    marker={
                        "color": colour,
                        "symbol": _SYMBOLS[j // len(_FEW) % len(_SYMBOLS)],
                        "size": 8 if len(shown) < 500 else 5,
                        "opacity": 0.8,
                    },
                    customdata=_table([keys[i][:KEY]] for i in at),
                    text=names[mine],
                    hovertemplate=template,
                    selected={"marker": {"opacity": 1}},
                    unselected={"marker": {"opacity": 0.18}},
                )
            )
    axis: dict[str, Any] = {}
    if x is not None:
        axis = {
            "tickvals": list(range(len(x.labels))),
            "ticktext": _counted(values, x, frame["failed"].to_numpy(bool)),
            "range": [-0.6, len(x.labels) - 0.4],
        }
    return go.Figure(traces, _look(scheme, name, column, len(by.labels) > 1, xaxis=axis, dragmode="select"))


def mark_reference(figure: go.Figure, kind: str, column: str, reference: str) -> None:
    """Say that a plot shows differences to a model; a heat map's colours part at 0."""
    title = f"{columns.title(column)} − that of {reference}"
    if kind != "heat":
        figure.update_layout(yaxis_title_text=title)
        return
    figure.update_traces(colorscale="RdBu", reversescale=True, zmid=0)
    figure.update_traces(colorbar_title_text="difference")


def heat(
    frame: pd.DataFrame, x: Groups, rows: Groups, name: str, by: str, column: str, scheme: str | None
) -> go.Figure:
    """The mean of a figure for each pair of groups; a pair without any cell stays empty."""
    values = frame[column].to_numpy(float)
    width, height = len(x.labels), len(rows.labels)
    pairs = np.where((x.codes < 0) | (rows.codes < 0), -1, rows.codes * width + x.codes)
    found = summaries(values, pairs, frame["failed"].to_numpy(bool), width * height)
    mean = np.array([s.mean for s in found]).reshape(height, width)
    lost = [f", {s.failed} failed" if s.failed else "" for s in found]
    text = np.array([f"n {s.n}, sd {columns.number(s.sd)}{f}" for s, f in zip(found, lost, strict=True)])
    size = width * height <= 150 and width <= 14
    trace = go.Heatmap(
        z=mean,
        x=list(x.labels),
        y=list(rows.labels),
        colorscale="Viridis",
        xgap=2,
        ygap=2,
        text=text.reshape(mean.shape),
        texttemplate="%{z:.3g}" if size else None,
        hovertemplate="%{y}, %{x}<br>mean %{z:.4g}<br>%{text}<extra></extra>",
        hoverongaps=False,
        colorbar={"thickness": 8, "outlinewidth": 0, "len": 1, "tickfont": {"size": 10}},
    )
    look = _look(
        scheme,
        name,
        by,
        xaxis={"type": "category", "showgrid": False},
        yaxis={"type": "category", "autorange": "reversed", "showgrid": False, "title": {"text": columns.title(by)}},
    )
    return go.Figure(trace, look)


def _counted(values: NDArray[np.float64], x: Groups, failed: NDArray[np.bool_]) -> list[str]:
    """The groups' labels, with how many cells each has and how many failed."""
    found = summaries(values, x.codes, failed, len(x.labels))
    lost = [f" · {s.failed:,} failed" if s.failed else "" for s in found]
    names = [f"{label} · n {s.n:,}{f}" for label, s, f in zip(x.labels, found, lost, strict=True)]
    return names if sum(map(len, names)) < 110 else list(x.labels)  # else the table below has the numbers


def _cell_names(frame: pd.DataFrame) -> NDArray[Any]:
    """For each cell its labels."""
    axes = [name for name in ("model", "layer", "image", "seed", *SETTINGS) if name in frame]
    return np.array([" · ".join(map(text, row)) for row in frame[axes].to_numpy(object)], object)


def _look(scheme: str | None, x: str, y: str, legend: bool = False, **more: Any) -> go.Layout:
    across = {"title": {"text": titled(x)}, "automargin": True, **more.pop("xaxis", {})}
    up = {"title": {"text": titled(y)}, "automargin": True, "hoverformat": ".3g", **more.pop("yaxis", {})}
    return components.plot(
        scheme,
        xaxis=across,
        yaxis=up,
        showlegend=legend,
        clickmode="event",
        margin={"l": 48, "r": 6, "t": 10 if not legend else 28, "b": 40},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
        **more,
    )


def titled(name: str) -> str:
    """A column's name with its unit."""
    unit = columns.unit(name) if name in NUMBERS else ""
    return columns.title(name) + (f" ({unit})" if unit else "")
