"""Cell: one picture, large, with everything that is known of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import yaml
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate
from plotly import graph_objects as go

from distcari.dashboard.data import columns
from distcari.dashboard.data.addresses import input_url, match_url, npy_url, picture_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.columns import OF_DIFFERENCES, of_groups
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.state import Labels, State, parse
from distcari.dashboard.page import components
from distcari.dashboard.page.exemplars import exemplars
from distcari.grid import BASE_AXES
from distcari.store.schema import SETTINGS
from distcari.yardsticks import remarks

NAME, TITLE = "cell", "Cell"


def layout(catalog: Catalog, state: State) -> Component:
    """The cell of the URL, else the first that there is."""
    return html.Div(draw(catalog, state), id="cell-body", className="cell")


def register(app: Dash, catalog: Catalog) -> None:
    """The whole view follows the URL."""

    @app.callback(Output("cell-body", "children"), Input("url", "search"), prevent_initial_call=True)
    def follow(search: str | None) -> Any:
        state = parse(search)
        if state.view != NAME or catalog.problem():
            raise PreventUpdate
        return draw(catalog, state)


def draw(catalog: Catalog, state: State) -> list[Component]:
    """Everything about the state's cell."""
    row = find(catalog, state)
    if row is None:
        return [html.P("No finished cell has this key. Pictures in Compare lead here.", className="quiet")]
    experiment = str(row["experiment"])
    info = catalog.experiment(experiment)
    assert info is not None
    at = {axis: text(row[axis]) for axis in info.axes if axis in row}
    slot = catalog.slot(experiment, at)
    return [
        html.Div(
            [
                html.Div([_walk(catalog, state, slot, axis) for axis in info.axes], className="tools"),
                html.H1(
                    [
                        html.B(at["model"]),
                        " at ",
                        html.B(at["layer"]),
                        " seeing ",
                        html.B(at["image"]),
                        *(part for axis in at if axis not in BASE_AXES for part in (f", {axis} ", html.B(at[axis]))),
                    ]
                ),
            ],
            className="cell-head",
        ),
        html.Div([_pictures(catalog, row, at), _facts(catalog, row, at)], className="cell-columns"),
    ]


def find(catalog: Catalog, state: State) -> dict[str, Any] | None:
    """The row of the state's cell; without a key, the first cell of the chosen experiments; None for an unknown key."""
    if state.cell:
        return catalog.row(state.cell)
    frame = catalog.frame(catalog.chosen(state)) if not catalog.problem() else catalog.frame()
    return catalog.row(str(frame["key"].iloc[0])) if len(frame) else None


def _walk(catalog: Catalog, state: State, slot: Slot, axis: str) -> Component:
    """An axis: the label here and links to its neighbours, done cells only."""
    labels = catalog.labels([slot.experiment], axis)
    grid = catalog.grid(
        [slot.experiment],
        axis,
        next(a for a in slot.labels if a != axis),
        slot.labels,
        labels,
        [slot.labels[next(a for a in slot.labels if a != axis)]],
    )
    keys = {label: line[0].key for label, line in zip(labels, grid.slots, strict=True) if line[0].status == "done"}
    at = labels.index(slot.labels[axis])
    before = next((keys[label] for label in reversed(labels[:at]) if label in keys), "")
    after = next((keys[label] for label in labels[at + 1 :] if label in keys), "")
    back, forth = components.KEYS.get(axis, ("", ""))
    links = [state.with_(cell=key) if key else None for key in (before, after)]
    return html.Div(
        [
            components.stepper(axis, -1, links[0], back),
            html.Span(
                [html.Small(axis), slot.labels[axis]], className="walk-label", title=f"{at + 1} of {len(labels)}"
            ),
            components.stepper(axis, 1, links[1], forth),
        ],
        className="walk",
    )


def _pictures(catalog: Catalog, row: Mapping[str, Any], at: Labels) -> Component:
    image = str(row["image"])
    seen, matched = input_url(catalog, str(row["experiment"]), image, 448), match_url(row, 448)
    return html.Div(
        [
            html.Figure(html.Img(src=picture_url(row, kind="png"), alt=components.alt(row, at)), className="large"),
            html.Div(
                [
                    html.Figure(
                        [html.Img(src=seen, alt=f"Input image {image}"), html.Figcaption(["input ", html.B(image)])]
                    ),
                    *(
                        []
                        if row.get("layer_kind") == "adopted"
                        else [
                            html.Figure(
                                [
                                    html.Img(
                                        src=matched, alt="Cosine of picture and input at each position of the layer"
                                    ),
                                    html.Figcaption(
                                        [
                                            html.Span("−1"),
                                            html.Span(className="scale"),
                                            html.Span("1"),
                                            " match: cosine by position",
                                        ]
                                    ),
                                ]
                            )
                        ]
                    ),
                ],
                className="beside",
            ),
            html.Div(
                [
                    html.A("PNG", href=picture_url(row, kind="png"), download=f"{_name(at)}.png", className="button"),
                    html.A("NPY", href=npy_url(row), download=f"{_name(at)}.npy", className="button"),
                ],
                className="downloads",
            ),
            *exemplars(catalog, row),
            html.Section([html.H2("Fetch it"), _code(catalog, row, at)], className="fetch"),
        ],
        className="cell-pictures",
    )


def _name(at: Labels) -> str:
    return "_".join(at.values()).replace("/", "-")


def _held_against(row: Mapping[str, Any]) -> list[Component]:
    """The cell's yardsticks, and what is to be said of them; nothing in rows written before there were any."""
    known = tuple(name for name in of_groups("yardstick") if pd.notna(row.get(name)))
    said = remarks(row)
    words = [html.P(f"{text[0].upper()}{text[1:]}.", className="remark") for text in said]
    return [*words, _figures("Held against grey and other photographs", known, row)] if known else []


def _facts(catalog: Catalog, row: Mapping[str, Any], at: Labels) -> Component:
    strength = (*of_groups("match"), *(name for name in OF_DIFFERENCES if pd.notna(row.get(name))))
    return html.Div(
        [
            html.Div(
                [
                    _figures("Strength", strength, row),
                    *_held_against(row),
                    _figures("Colour and texture", of_groups("colour", "texture"), row),
                ],
                className="cell-figures",
            ),
            html.Section([html.H2("Gain while optimised"), _curve(catalog, row, at)]),
            html.Section([html.H2("Where it comes from"), _provenance(catalog, row)]),
        ],
        className="cell-facts",
    )


def _figures(title: str, names: tuple[str, ...], row: Mapping[str, Any]) -> Component:
    lines = [
        html.Tr(
            [html.Th(columns.title(n), scope="row"), html.Td(columns.number(row.get(n))), html.Td(columns.unit(n))],
            title=columns.meaning(n),
        )
        for n in names
    ]
    return html.Section([html.H2(title), html.Table(html.Tbody(lines), className="figures")])


def _curve(catalog: Catalog, row: Mapping[str, Any], at: Labels) -> Component:
    info = catalog.experiment(str(row["experiment"]))
    assert info is not None
    try:
        place = info.arrays.place([info.raw[axis][label] for axis, label in at.items()])
        curve = np.asarray(info.arrays.read("gain_curve", place), float)
    except (KeyError, IndexError, OSError, ValueError):
        return html.P("No curve.", className="quiet")
    if np.isnan(curve).all():
        return html.P("Not recorded: this picture was adopted from old results.", className="quiet")
    curve = curve[: int(np.flatnonzero(~np.isnan(curve)).max(initial=-1)) + 1]
    line = go.Scatter(
        x=np.arange(1, len(curve) + 1),
        y=curve,
        mode="lines",
        line={"width": 1.6},
        hovertemplate="step %{x}: gain %{y:.3f}<extra></extra>",
    )
    look = components.plot(height=190, xaxis={"title": {"text": "step"}}, yaxis={"title": {"text": "gain"}})
    return dcc.Graph(
        figure=go.Figure(line, look), config={"displayModeBar": False}, className="curve", style={"height": "190px"}
    )


def _code(catalog: Catalog, row: Mapping[str, Any], at: Labels) -> Component:
    url = catalog.store.url.rstrip("/")
    info = catalog.experiment(str(row["experiment"]))
    raw = {axis: info.raw[axis][label] for axis, label in at.items()} if info else dict(at)
    chosen = ", ".join(f"{axis}={label!r}" for axis, label in raw.items())
    code = "\n".join(
        [
            "import pandas as pd, xarray as xr",
            "",
            f'ds = xr.open_zarr("{url}/arrays.zarr", group="{row["experiment"]}", consolidated=False)',
            f"picture = ds.caricature.sel({chosen})  # (y, x, channel)",
            f'row = pd.read_parquet("{url}/index").set_index("key").loc["{row["key"]}"]',
        ]
    )
    copy = dcc.Clipboard(content=code, title="Copy", className="copy")
    return html.Div([html.Pre(html.Code(code), tabIndex=0), copy], className="code")


def _provenance(catalog: Catalog, row: Mapping[str, Any]) -> Component:
    info = catalog.experiment(str(row["experiment"]))
    names = ("key", "experiment", *of_groups("provenance", "settings", "layer"))
    lines = [
        html.Tr([html.Th(columns.title(n), scope="row"), html.Td(_shown(row.get(n)))], title=columns.meaning(n))
        for n in names
        if row.get(n) is not None and not (n in SETTINGS and pd.isna(row[n]))
    ]
    config = yaml.safe_dump(_plain(info.meta.get("config", {})), sort_keys=False, allow_unicode=True) if info else ""
    return html.Div(
        [
            html.Table(html.Tbody(lines), className="figures provenance"),
            html.Details([html.Summary("The experiment's config"), html.Pre(html.Code(config), tabIndex=0)]),
        ]
    )


def _plain(value: Any) -> Any:
    """Without what is empty: a config as its author would write it."""
    if isinstance(value, Mapping):
        kept = {name: _plain(part) for name, part in value.items()}
        return {name: part for name, part in kept.items() if part not in (None, {}, [], "")}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _shown(value: Any) -> str:
    if hasattr(value, "strftime"):
        return "—" if value != value else f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return columns.number(value) if isinstance(value, int | float | np.number) else str(value)
