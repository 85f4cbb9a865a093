"""The charts of the chosen cells: gain over steps, colours, power over spatial frequency. One colour for each slot."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component
from numpy.typing import NDArray
from plotly import graph_objects as go
from plotly.subplots import make_subplots

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.histograms import SPACES, histograms
from distcari.dashboard.data.pictures import PictureError, array, input_at, values
from distcari.dashboard.data.state import SLOTS
from distcari.dashboard.page import components
from distcari.dashboard.views.side.cards import badge
from distcari.dashboard.views.side.panes import slot_summary
from distcari.dashboard.views.side.slots import COLOURS
from distcari.figures import radial_spectrum

INPUT = "#868e96"
HEIGHT = 230  # pixels, before and after the curves are there
AXES = {"a*": "a*, green – red", "b*": "b*, blue – yellow", "L*": "L*, dark – light"}
TICKS = {"rgb": [0, 0.5, 1], "lab": [-50, 0, 50, 100]}
CHARTS = {  # id: (heading, what it shows)
    "side-gain": ("Gain over steps", "1 = as strong as the input"),
    "side-colours": ("Colours", "share of pixels in each of 64 bins"),
    "side-spectrum": ("Radial spectrum", "power of the grey picture"),
}


def frames(space: Component) -> list[Component]:
    """The charts' places, of fixed height; `space` chooses the colours' space."""
    config = {"displayModeBar": False, "responsive": True}
    return [
        html.Figure(
            [
                html.Figcaption([html.H2(title), html.Span(text), *([space] if name == "side-colours" else [])]),
                dcc.Graph(id=name, config=config, figure=go.Figure(layout=components.plot()), style={"height": HEIGHT}),
            ],
            className=f"{name} side-chart-frame",
        )
        for name, (title, text) in CHARTS.items()
    ]


def gain(catalog: Catalog, found: Sequence[Slot]) -> go.Figure:
    """The gain of each step, of every slot that is done."""
    figure = go.Figure(layout=components.plot(showlegend=False))
    for name, slot, row in _done(found):
        curve = np.asarray(array(catalog, row, "gain_curve"), np.float32)
        known = np.flatnonzero(~np.isnan(curve))
        figure.add_scatter(x=known + 1, y=curve[known], **_line(name, slot), hovertemplate="step %{x}: %{y:.3g}")
    figure.update_xaxes(title=_title("step"), rangemode="tozero").update_yaxes(title=_title("gain"))
    return _small(figure)


def colours(catalog: Catalog, found: Sequence[Slot], space: str) -> go.Figure:
    """Histograms of three channels, one beside the other; the input of slot A in grey."""
    channels = SPACES[space]
    figure = make_subplots(1, len(channels), shared_yaxes=True, horizontal_spacing=0.05)
    figure.update_layout(components.plot(showlegend=False))
    highest = 0.0
    for picture, line in _pictures(catalog, found):
        for i, (_, centres, share) in enumerate(histograms(picture, space)):
            figure.add_scatter(x=centres, y=share, row=1, col=i + 1, **line, hovertemplate="%{x:.2f}: %{y:.2f} %")
            highest = max(highest, share.max()) if line["line"]["color"] != INPUT else highest
    for i, (channel, low, high) in enumerate(channels):
        title = _title(AXES.get(channel, channel))
        figure.update_xaxes(title=title, range=[low, high], tickvals=TICKS[space], row=1, col=i + 1)
    figure.update_xaxes(zeroline=False).update_yaxes(zeroline=False, range=[0, 1.08 * highest or 1])
    figure.update_yaxes(title=_title("% of pixels"), row=1, col=1)
    return _small(figure)


def spectra(catalog: Catalog, found: Sequence[Slot]) -> go.Figure:
    """Mean power over frequency, both logarithmic; the input of slot A in grey."""
    figure = go.Figure(layout=components.plot(showlegend=False))
    for picture, line in _pictures(catalog, found):
        frequency, power = radial_spectrum(picture)
        figure.add_scatter(
            x=frequency, y=np.where(power > 0, power, np.nan), **line, hovertemplate="%{x:.3f} cycles/pixel: %{y:.2g}"
        )
    figure.update_xaxes(type="log", title=_title("cycles/pixel"), tickvals=[0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5])
    figure.update_yaxes(type="log", title=_title("power"), exponentformat="power", dtick=1)
    return _small(figure)


def key(found: Sequence[Slot]) -> list[Component]:
    """What the colours mean, for all charts at once."""
    image = found[0].labels.get("image", "") if found else ""
    parts = [
        html.Span([badge(SLOTS[i]), slot_summary(slot) + ("" if slot.row is not None else f" ({slot.status})")])
        for i, slot in enumerate(found)
    ]
    return [*parts, html.Span([html.I(style={"background": INPUT}), f"input {image}"])]


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "standoff": 4, "font": {"size": 12}}


def _small(figure: go.Figure) -> go.Figure:
    return figure.update_xaxes(tickfont_size=11).update_yaxes(tickfont_size=11)


def _done(found: Sequence[Slot]) -> list[tuple[str, Slot, Mapping[str, Any]]]:
    return [(SLOTS[i], slot, slot.row) for i, slot in enumerate(found) if slot.row is not None]


def _line(name: str, slot: Slot) -> dict[str, Any]:
    text = f"{name.upper()} {slot_summary(slot)}"
    return {"mode": "lines", "name": text, "line": {"color": COLOURS[name], "width": 1.8}}


def _pictures(catalog: Catalog, found: Sequence[Slot]) -> list[tuple[NDArray[Any], dict[str, Any]]]:
    """The input of slot A at the pictures' size, then every picture that can be read, each with its line."""
    pictures = []
    for name, slot, row in _done(found):
        try:
            pictures.append((values(catalog, row), _line(name, slot)))
        except PictureError:  # it is being computed anew; its pane says so
            continue
    image = found[0].labels.get("image", "") if found else ""
    if pictures:
        height, width = pictures[0][0].shape[:2]
        shown = input_at(catalog, found[0].experiment, image, (width, height))
        if shown is not None:
            line = {"mode": "lines", "name": f"input {image}", "line": {"color": INPUT, "width": 1.2}}
            pictures.insert(0, (shown, line))
    return pictures
