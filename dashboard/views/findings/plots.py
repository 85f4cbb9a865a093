"""The plots of Findings: every figure at every layer as a heat map of effects; one square's units and images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from plotly import graph_objects as go

from distcari.dashboard.data import columns
from distcari.dashboard.data.evidence import Evidence
from distcari.dashboard.data.findings import Answer
from distcari.dashboard.page import components

MOST = 5.0  # standard deviations at which the colours end
SHORT = 16  # letters of a unit that has room beside an axis; the sentence above names it anyway
A, B = "#228be6", "#f76707"
_ENDS = {"light": ["#2166ac", "#f4f4f4", "#b2182b"], "dark": ["#5aa2e0", "#2a2a2a", "#e8695f"]}


def squares(answer: Answer, chosen: dict[str, Any] | None, scheme: str | None) -> go.Figure:
    """Layers down, figures across; the number is the effect, a star what is significant, a frame what is chosen."""
    frame = answer.squares
    place = pd.Series([" · ".join(row) for row in frame[list(answer.axes)].itertuples(index=False)], frame.index)
    down, across = list(dict.fromkeys(place)), list(dict.fromkeys(frame["figure"]))
    shape = len(down), len(across)
    value, words = np.full(shape, np.nan), np.full(shape, "", object)
    texts, custom = np.full(shape, "", object), [[["", ""] for _ in across] for _ in down]
    for at, row in zip(place, frame.to_dict("records"), strict=True):
        i, j = down.index(at), across.index(row["figure"])
        value[i, j], words[i, j] = row["value"], _wrapped(row["told"])
        texts[i, j] = _effect(row["value"]) + ("*" if row["significant"] else "")
        custom[i][j] = [str(i), row["figure"]]
    reach = MOST if answer.measure == "standard deviations" else max(1e-9, min(1.0, float(np.nanmax(np.abs(value)))))
    low, middle, high = _ENDS[scheme or "light"]
    trace = go.Heatmap(
        z=value,
        x=[columns.title(name) for name in across],
        y=down,
        zmin=-reach,
        zmax=reach,
        colorscale=[[0, low], [0.5, middle], [1, high]],
        xgap=2,
        ygap=2,
        text=texts,
        texttemplate="%{text}" if len(across) <= 16 and len(down) <= 40 else None,
        textfont={"size": 11},
        customdata=custom,
        hovertext=words,
        hovertemplate="<b>%{y}</b><br>%{hovertext}<extra></extra>",
        hoverongaps=False,
        colorbar={
            "thickness": 8,
            "outlinewidth": 0,
            "len": 1,
            "title": {"text": _short(answer.measure), "side": "top"},
        },
    )
    ticks: dict[str, Any] = {
        "type": "category",
        "showgrid": False,
        "automargin": True,
        "tickmode": "linear",
        "dtick": 1,
    }
    look = components.plot(
        scheme,
        xaxis={**ticks, "tickangle": -45, "side": "top"},
        yaxis={**ticks, "autorange": "reversed"},
        margin={"l": 60, "r": 6, "t": 60, "b": 8},
        clickmode="event",
    )
    found = go.Figure(trace, look)
    if chosen is not None:
        name = " · ".join(str(chosen[axis]) for axis in answer.axes)
        i, j = down.index(name), across.index(chosen["figure"])
        edge = {"color": "#ffffff" if scheme == "dark" else "#212529", "width": 2}
        found.add_shape(type="rect", x0=j - 0.5, x1=j + 0.5, y0=i - 0.5, y1=i + 0.5, line=edge)
    return found


def height(answer: Answer) -> str:
    """The heat map's height: lines that a finger can hit."""
    lines = len(answer.squares[list(answer.axes)].drop_duplicates()) if answer.axes else 1
    return f"{150 + lines * (44 if lines <= 12 else 28)}px"


def units(evidence: Evidence, scheme: str | None) -> go.Figure:
    """The value of every unit: A's and B's beside each other, or over the tag with the slope that was found."""
    frame, title = evidence.units, _titled(evidence.figure)
    if evidence.answer.asked.kind == "trend":
        return _over_tag(evidence, frame, title, scheme)
    traces = []
    for x, (side, colour) in enumerate((("A", A), ("B", B))):
        here = frame[frame["side"] == side]
        jitter = np.linspace(-0.16, 0.16, len(here)) if len(here) > 1 else np.zeros(len(here))
        mean = float(here["value"].mean())
        traces += [
            go.Scatter(
                x=x + jitter,
                y=here["value"],
                text=here["unit"],
                mode="markers",
                marker={"size": 8, "color": colour, "opacity": 0.85},
                hovertemplate="%{text}<br>%{y:.4g}<extra></extra>",
                showlegend=False,
            ),
            go.Scatter(
                x=[x - 0.3, x + 0.3],
                y=[mean, mean],
                mode="lines",
                line={"color": colour, "width": 2},
                hovertemplate=f"mean of {side} %{{y:.4g}}<extra></extra>",
                showlegend=False,
            ),
        ]
    axis = {"tickvals": [0, 1], "ticktext": ["A", "B"], "range": [-0.6, 1.6], "showgrid": False, "zeroline": False}
    return go.Figure(traces, _small(scheme, xaxis=axis, yaxis={"title": {"text": title}, "zeroline": False}))


def images(evidence: Evidence, scheme: str | None) -> go.Figure:
    """The effect image by image, with its interval where there is one: does it hold for each?"""
    frame = evidence.images.iloc[::-1]
    known = frame["low"].notna().to_numpy()
    bars = {
        "type": "data",
        "symmetric": False,
        "array": np.where(known, frame["high"] - frame["value"], 0),
        "arrayminus": np.where(known, frame["value"] - frame["low"], 0),
        "thickness": 1,
        "width": 0,
    }
    trace = go.Scatter(
        x=frame["value"],
        y=frame["place"],
        error_x=bars if known.any() else None,
        mode="markers",
        marker={"size": 8, "color": "#868e96" if scheme == "dark" else "#495057"},
        hovertemplate="%{y}<br>%{x:+.4g}<extra></extra>",
        showlegend=False,
    )
    trend = evidence.answer.asked.kind == "trend"
    title = "rank correlation" if trend else f"A − B, {_titled(evidence.figure)}"
    reached = frame[["value", "low", "high"]].to_numpy(float)
    low, high = (-1.0, 1.0) if trend else (float(np.nanmin(reached, initial=0)), float(np.nanmax(reached, initial=0)))
    room = 0.05 * max(high - low, 1e-9)  # with 0 in view, whole
    ends = {"range": [low - room, high + room]}
    axis = {"title": {"text": title}, "zeroline": True, "zerolinewidth": 1.5, **ends}
    rows = {"type": "category", "automargin": True, "showgrid": True, "tickmode": "linear", "dtick": 1}
    return go.Figure(trace, _small(scheme, xaxis=axis, yaxis=rows))


def _over_tag(evidence: Evidence, frame: pd.DataFrame, title: str, scheme: str | None) -> go.Figure:
    asked, at = evidence.answer.asked, evidence.answer.square(evidence.at, evidence.figure)
    x, y = frame["side"].to_numpy(float), frame["value"].to_numpy(float)
    traces = [
        go.Scatter(
            x=x,
            y=y,
            text=frame["unit"],
            mode="markers",
            marker={"size": 9, "color": A, "opacity": 0.85},
            hovertemplate=f"%{{text}}<br>{asked.over} %{{x:.4g}}, %{{y:.4g}}<extra></extra>",
            showlegend=False,
        )
    ]
    if at is not None and not asked.held and np.isfinite(at["difference"]):
        ends = np.array([x.min(), x.max()])
        line = float(np.median(y - at["difference"] * x)) + at["difference"] * ends
        look = {"color": B, "width": 1.5, "dash": "dot"}
        traces.append(go.Scatter(x=ends, y=line, mode="lines", line=look, hoverinfo="skip", showlegend=False))
    across = {"title": {"text": asked.over}, "zeroline": False}
    reach = 0.08 * max(1e-9, float(y.max() - y.min()))  # by the models: a slope's line may leave, not stretch it
    up = {"title": {"text": title}, "zeroline": False, "range": [float(y.min()) - reach, float(y.max()) + reach]}
    return go.Figure(traces, _small(scheme, xaxis=across, yaxis=up))


def _small(scheme: str | None, **layout: Any) -> go.Layout:
    return components.plot(scheme, margin={"l": 52, "r": 10, "t": 8, "b": 38}, **layout)


def _titled(figure: str) -> str:
    unit = columns.unit(figure)
    return f"{columns.title(figure)}{f' [{unit}]' if unit and len(unit) <= SHORT else ''}"


def _effect(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if np.isfinite(value) else "—"


def _short(measure: str) -> str:
    return {"standard deviations": "SD", "rank correlation": "ρ"}.get(measure, "share")


def _wrapped(told: str, width: int = 70) -> str:
    """A sentence with line breaks, for a hover label."""
    lines: list[list[str]] = [[]]
    for word in told.split():
        if sum(map(len, lines[-1])) + len(lines[-1]) + len(word) > width:
            lines.append([])
        lines[-1].append(word)
    return "<br>".join(" ".join(line) for line in lines)


def legend(sides: Sequence[str]) -> list[tuple[str, str]]:
    """A's and B's colours, for words beside the plots."""
    return list(zip(sides, (A, B), strict=False))
