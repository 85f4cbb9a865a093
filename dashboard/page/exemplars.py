"""Natural exemplars: pictures of a folder that a layer answers to most as to the input, beside the caricature."""

from collections.abc import Mapping
from typing import Any

from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import columns
from distcari.dashboard.data.addresses import exemplar_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.exemplars import sentence, square


def exemplars(catalog: Catalog, row: Mapping[str, Any]) -> list[Component]:
    """The section of a cell's exemplars; nothing where none were looked for."""
    found = [{str(name): value for name, value in one.items()} for one in catalog.exemplars(row).to_dict("records")]
    if not found:
        return []
    shown = [
        html.Figure(
            [
                html.Img(src=exemplar_url(one["thumbnail"]), alt=f"Exemplar {one['rank']}: {one['file']}"),
                html.Figcaption(columns.number(one["cosine"])),
            ],
            title=square(one),
        )
        for one in found
    ]
    strip = html.Div(shown, className="exemplar-row", tabIndex=0, role="group", **{"aria-label": "Natural exemplars"})
    return [
        html.Section(
            [html.H2("Natural exemplars"), strip, html.P(sentence(found[0]), className="quiet")], className="exemplars"
        )
    ]
