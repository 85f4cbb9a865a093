"""The bar above the stage: modes, the choices of each mode, zoom; and the line that says how pictures are shown."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import differences
from distcari.dashboard.data.encoding import MATCH_STOPS
from distcari.dashboard.data.state import SLOTS, State
from distcari.dashboard.page import components
from distcari.dashboard.views.side.slots import BACKGROUNDS, MODES, Options

KEYS = {"side": "s", "swipe": "w", "flicker": "f", "difference": "d"}
WHY_SHARED = "One range holds the middle 99 % of the values of all slots: a range for each would invent differences."
CHANNEL_WORDS = {"all": "R, G, B", "red": "red", "green": "green", "blue": "blue"}


def tools(state: State, options: Options, count: int) -> list[Component]:
    """Modes as links, then the mode's own choices, then how pictures are shown."""
    modes = [
        components.link(
            text,
            state.with_extra(mode=mode if mode != "side" else None),
            className="side-mode",
            title=f"{text} ({KEYS[mode]})",
            **{"data-key": KEYS[mode]},
            **({"aria-current": "true"} if mode == options.mode else {}),
        )
        for mode, text in MODES.items()
    ]
    norms = [{"value": "none", "label": "as stored"}, {"value": "shared", "label": "one range"}]
    return [
        html.Nav(modes, className="side-modes", **{"aria-label": "How to compare"}),
        *_of_mode(options, count),
        components.choice("side.norm", "values", norms, options.norm or "none"),
        components.choice("side.background", "background", _plain(BACKGROUNDS), options.background),
    ]


def _of_mode(options: Options, count: int) -> list[Component]:
    if options.mode in ("swipe", "flicker"):
        sides = [{"value": n, "label": n if n == "input" else n.upper()} for n in (*SLOTS[:count], "input")]
        titles = ("left", "right") if options.mode == "swipe" else ("first", "second")
        return [
            components.choice("side.left", titles[0], sides, options.left),
            components.choice("side.right", titles[1], sides, options.right),
        ]
    if options.mode != "difference":
        return []
    kinds = [{"value": kind, "label": text} for kind, (text, _) in differences.KINDS.items()]
    unit = " ΔE" if options.kind == "delta_e" else ""
    steps = [
        {"value": f"{step:g}", "label": f"{_ends(options.kind, step)}{unit}"}
        for step in differences.STEPS[options.kind]
    ]
    steps.append({"value": "fit", "label": "that fits all"})
    channels = [{"value": name, "label": text} for name, text in CHANNEL_WORDS.items()]
    found = [
        components.choice("side.kind", "difference from A", kinds, options.kind),
        components.choice("side.scale", "scale, for all", steps, options.scale),
    ]
    if options.kind != "delta_e":
        found.append(components.choice("side.channel", "channel", channels, options.channel))
    return found


def fixed() -> Component:
    """What no choice changes: zoom, flicker, the match map's opacity. Ids and marks for assets/side.js."""
    zooms = (
        ("−", "Zoom out", "out", "-"),
        ("+", "Zoom in", "in", "+ ="),
        ("Fit", "Fit", "fit", "0"),
        ("1:1", "1:1, a picture pixel on one of the screen", "one", "9"),
    )
    buttons: list[Any] = [
        html.Button(
            sign,
            className="plain-button",
            title=f"{word} ({key.split()[0]})",
            **{"aria-label": word, "data-zoom": what, "data-key": key},
        )
        for sign, word, what, key in zooms
    ]
    buttons.insert(1, html.Output(id="side-percent", title="Screen pixels for each picture pixel; sharp above 100 %"))
    hold = html.Button(["Hold to flicker", dmc.Kbd("Space", size="xs")], id="side-hold", className="plain-button")
    return html.Div(
        [html.Div(buttons, className="side-zooms", role="group", **{"aria-label": "Zoom of all pictures"}), hold],
        className="fixed-tools",
    )


def match_slider(match: int) -> Component:
    """The match map's opacity and its fixed scale."""
    slider = dmc.Slider(
        id="side-match",
        value=match,
        min=0,
        max=100,
        step=5,
        size="xs",
        updatemode="drag",
        label=None,
        w=110,
        attributes={"thumb": {"aria-label": "Opacity of the match map, percent"}},
    )
    return html.Div(
        [
            html.Span("match map", title="Cosine of the picture's and the input's activations at each position"),
            slider,
            gradient(MATCH_STOPS, ("−1", "0", "1"), "cosine"),
        ],
        className="match-tools",
    )


def gradient(colours: Sequence[str], ticks: Sequence[str], unit: str) -> Component:
    """A colour scale with its numbers and unit."""
    bar = html.Div(className="side-scale", style={"background": f"linear-gradient(to right, {', '.join(colours)})"})
    numbers = html.Div([html.Span(tick) for tick in ticks], className="side-ticks")
    aria = {"aria-label": f"Colour scale, {unit}: {' to '.join(ticks)}"}
    return html.Div([html.Div([bar, numbers]), html.Span(unit)], className="side-legend", role="img", **aria)


def summary(options: Options, scale: float, stretch: tuple[int, int] | None) -> list[Component]:
    """How pictures and differences are shown, in words and with the colour scale."""
    text = (
        "Pictures as stored, not normalised."
        if stretch is None
        else f"Pictures stretched over one range for all, {stretch[0]} – {stretch[1]} of 255."
    )
    if options.mode != "difference":
        return [html.Span(text, title=WHY_SHARED)]
    unit = "ΔE2000" if options.kind == "delta_e" else f"{CHANNEL_WORDS[options.channel]}; 1 = full range"
    low = scale if options.kind == "signed" else 0.0
    ticks = ("−" + f"{low:g}", "0", f"{scale:g}") if low else ("0", f"{scale / 2:g}", f"{scale:g}")
    shown = f"{_ends(options.kind, scale)}{' ΔE' if options.kind == 'delta_e' else ''}"
    how = f"{shown}, same scale for all, of stored values."
    scale_bar = gradient(differences.stops(options.kind, options.channel), ticks, unit)
    return [scale_bar, html.Span(f"{how} {text}", title=WHY_SHARED)]


def _ends(kind: str, step: float) -> str:
    return f"−{step:g} – {step:g}" if kind == "signed" else f"0 – {step:g}"


def _plain(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": name, "label": name} for name in names]
