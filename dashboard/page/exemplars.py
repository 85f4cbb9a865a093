"""Natural exemplars: pictures of a folder that a layer answers to most as to the input, beside the caricature."""

from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import columns
from distcari.dashboard.data.addresses import exemplar_url
from distcari.dashboard.data.catalog import Catalog


def exemplars(catalog: Catalog, row: Mapping[str, Any]) -> list[Component]:
    """The section of a cell's exemplars; nothing where none were looked for."""
    found = catalog.exemplars(row).to_dict("records")
    if not found:
        return []
    first = found[0]
    shown = [
        html.Figure(
            [
                html.Img(src=exemplar_url(one["thumbnail"]), alt=f"Exemplar {one['rank']}: {one['file']}"),
                html.Figcaption(columns.number(one["cosine"])),
            ],
            title=f"{one['file']}, {one['side']} pixels from ({one['left']}, {one['top']})",
        )
        for one in found
    ]
    how = "place by place" if first["by"] == "places" else "wherever in the picture"
    words = (
        f"Of {first['files']:,} pictures in {first['folder']}, those that {row['layer']} answers to most as to "
        f"{row['image']}, {how}: cosine (median of all {columns.number(first['median'])})."
    )
    strip = html.Div(shown, className="exemplar-row", tabIndex=0, role="group", **{"aria-label": "Natural exemplars"})
    return [
        html.Section([html.H2("Natural exemplars"), strip, html.P(words, className="quiet")], className="exemplars")
    ]
