"""The table of figures: each slot's, and how far it is from slot A's."""

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html
from dash.development.base_component import Component

from distcari.dashboard.data import columns, differences
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.facets import Slot
from distcari.dashboard.data.pictures import PictureError, between
from distcari.dashboard.data.state import SLOTS
from distcari.dashboard.views.side.cards import badge

Line = tuple[str, str, str, list[Any]]  # name, unit, meaning, cells
PIXELS = {
    "delta_e": ("ΔE2000 from A, mean", "ΔE, 1 ≈ just visible", "CIEDE2000 of each pixel (scikit-image)"),
    "absolute": ("|value − A|, mean", "0 … 1", "of all pixels and channels, sRGB values"),
}


def table(catalog: Catalog, found: Sequence[Slot]) -> Component:
    """All figures with units; a difference stands behind its value."""
    head: list[Any] = [html.Th("figure", scope="col")]
    for i in range(len(found)):
        head.append(html.Th(badge(SLOTS[i]), scope="col"))
        if i:
            head.append(html.Th([badge(SLOTS[i]), " − ", badge("a")], scope="col"))
    head.append(html.Th("unit or range", scope="col", className="unit"))
    figures = catalog.figures([slot.experiment for slot in found])
    lines = [*(_pixels(catalog, found, kind) for kind in PIXELS), *(_figure(found, name) for name in figures)]
    rows = [
        html.Tr(
            [
                html.Th(name, scope="row", title=meaning),
                *(html.Td(cell) for cell in cells),
                html.Td(unit, className="unit"),
            ]
        )
        for name, unit, meaning, cells in lines
    ]
    return dmc.Table(
        [html.Thead(html.Tr(head)), html.Tbody(rows)],
        className="side-table",
        verticalSpacing=2,
        withRowBorders=True,
        highlightOnHover=True,
    )


def _figure(found: Sequence[Slot], name: str) -> Line:
    first, cells = found[0].figure(name), []
    for i, slot in enumerate(found):
        value = slot.row.get(name) if slot.row is not None else None
        cells.append(columns.number(value))
        if i:
            cells.append(columns.signed(slot.figure(name) - first))
    return columns.title(name), columns.unit(name), columns.meaning(name), cells


def _pixels(catalog: Catalog, found: Sequence[Slot], kind: str) -> Line:
    name, unit, meaning = PIXELS[kind]
    cells: list[Any] = [""]
    for slot in found[1:]:
        mean = float("nan")
        if found[0].row is not None and slot.row is not None:
            try:
                mean = differences.summary(between(catalog, found[0].row, slot.row, kind), 1).mean
            except PictureError:  # of another size; the pane of the difference says so
                mean = float("nan")
        cells += ["", columns.number(mean)]
    return name, unit, meaning, cells
