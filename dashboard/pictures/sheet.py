"""The contact sheet of what Compare shows: `/sheet.png?<state>`, one PNG with its headings and settings printed on it.

The same rows, columns, order and page as in the browser; the input at the margin; a place without a picture says why.
Bounded: pictures shrink so that the sheet has at most MOST_PIXELS.
"""

import io
import textwrap
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, request
from PIL import Image, ImageDraw

from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.columns import FIGURES
from distcari.dashboard.data.facets import Facets, Slot
from distcari.dashboard.data.pictures import input_pixels, inputs_of, mean, stored
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.data.window import Shown, resolve, window
from distcari.dashboard.pictures.answers import Refused, in_one_line
from distcari.exchange.contact_sheet import GAP, HEAD, _font, _write
from distcari.store.arrays import to_8_bit

LARGEST, SMALLEST = 224, 64
MOST_PIXELS = 24_000_000
LEFT = 130  # pixels for row headings, at most
_PAPER, _INK, _FAINT, _BAD = (255, 255, 255), (30, 30, 30), (125, 125, 125), (179, 38, 30)


def register(server: Flask, catalog: Catalog) -> None:
    """Add the route."""

    def sheet() -> Response:
        state = parse(request.query_string.decode("ascii", "replace")).with_(view="compare")
        if catalog.problem() or not catalog.chosen(state):
            raise Refused(404, "There is nothing here to draw.")
        file = io.BytesIO()
        draw(catalog, state).save(file, "PNG", compress_level=4)
        name = f'attachment; filename="{filename(catalog, state)}"'
        return Response(
            file.getvalue(), mimetype="image/png", headers={"Content-Disposition": name, "Cache-Control": "no-store"}
        )

    server.add_url_rule("/sheet.png", "sheet", in_one_line(sheet))


def filename(catalog: Catalog, state: State) -> str:
    """A name that says what is on the sheet, of letters that every file system takes."""
    shown = resolve(catalog, state)
    name = "_".join([*shown.scope, shown.rows, shown.cols, *shown.at.values()])
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in name)[:120] + ".png"


def draw(catalog: Catalog, state: State) -> Image.Image:
    """The sheet, RGB."""
    shown = resolve(catalog, state)
    grid = window(catalog, state, shown).grid
    label = state.own("label") if state.own("label") in FIGURES else ""
    margins = _inputs(catalog, shown, grid)
    across = shown.cols == "image"  # the inputs are a line of their own, else they stand at the margin
    tile = side(len(grid.rows) + across, len(grid.cols), bool(margins) and not across)
    high = tile + GAP + (16 if label else 0)
    heads = min(LEFT, 16 + max((int(_font(14).getlength(name)) for name in ("input", *grid.rows)), default=0))
    left = heads + GAP + (tile + GAP if margins and not across else 0)
    width = max(left + len(grid.cols) * (tile + GAP), 560)
    lines = [part for line in settings(catalog, state, shown) for part in textwrap.wrap(line, max(40, width // 7))]
    top = 10 + 18 * len(lines) + HEAD
    first = top + (tile + GAP) * across
    page = Image.new("RGB", (width, first + max(1, len(grid.rows)) * high + GAP), _PAPER)
    pen = ImageDraw.Draw(page)
    for i, text in enumerate(lines):
        pen.text((GAP, 6 + 18 * i), text.replace("−", "-"), fill=_INK if i == 0 else _FAINT, font=_font(13))
    if across:
        _write(pen, (GAP, top + tile // 2 - 8), "input", heads - GAP)
    for x, name in enumerate(grid.cols):
        _write(pen, (left + x * (tile + GAP), top - HEAD + 6), name, tile)
        if across and (seen := margins.get(name)):
            page.paste(seen.resize((tile, tile), Image.Resampling.LANCZOS), (left + x * (tile + GAP), top))
    for y, line in enumerate(grid.slots):
        at = first + y * high
        seen = margins.get(grid.rows[y] if shown.rows == "image" else shown.at.get("image", ""))
        if seen is not None and not across and (y == 0 or shown.rows == "image"):
            page.paste(seen.resize((tile, tile), Image.Resampling.LANCZOS), (GAP, at))
        _write(pen, (left - heads, at + tile // 2 - 8), grid.rows[y], heads - GAP)
        for x, slot in enumerate(line):
            _place(catalog, page, pen, slot, (left + x * (tile + GAP), at), tile, label)
    return page


def side(rows: int, cols: int, margin: bool) -> int:
    """How large the pictures are, so that the sheet stays within its bound."""
    for size in range(LARGEST, SMALLEST, -8):
        if (LEFT + (cols + margin) * (size + GAP)) * (100 + rows * (size + GAP + 16)) <= MOST_PIXELS:
            return size
    return SMALLEST


def settings(catalog: Catalog, state: State, shown: Shown) -> list[str]:
    """What is on the sheet and how it was made, in lines."""
    held = [f"{axis} {label}" for axis, label in shown.at.items()]
    order = [
        f"{name} sorted by {columns.title(sort[0])} {'descending' if sort[1] else 'ascending'}"
        for name, sort in ((shown.rows, state.sort_rows), (shown.cols, state.sort_cols))
        if sort
    ]
    label = [f"shown: {columns.title(state.own('label'))}"] if state.own("label") else []
    first = " · ".join([" + ".join(shown.scope), f"{shown.rows} by {shown.cols}", *held, *order, *label])
    lines = [first]
    for name in shown.scope:
        info = catalog.experiment(name)
        made: Mapping[str, Any] = info.meta.get("settings", {}) if info else {}
        version = info.meta.get("distcari_version", "") if info else ""
        values = [f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in made.items()]
        lines.append(" · ".join([f"{name}: distcari {version}", *values]))
    return [*lines, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {state.with_(view='compare', slots=()).search()}"]


def _inputs(catalog: Catalog, shown: Shown, grid: Facets) -> dict[str, Image.Image]:
    """The input images that the margin or the headings show, by label."""
    wanted = grid.rows if shown.rows == "image" else grid.cols if shown.cols == "image" else [shown.at.get("image", "")]
    infos = inputs_of(catalog, shown.scope, wanted)
    return {label: Image.fromarray(input_pixels(info, label)) for label, info in infos.items()}


def _place(
    catalog: Catalog,
    page: Image.Image,
    pen: ImageDraw.ImageDraw,
    slot: Slot,
    at: tuple[int, int],
    tile: int,
    label: str,
) -> None:
    """One place: the picture and its figure, or why there is none."""
    why = [slot.status, *textwrap.wrap(slot.reason, max(8, tile // 7))]
    if slot.row is not None:
        try:
            pixels = mean(catalog, slot.members) if slot.members else stored(catalog, slot.row)
            picture = Image.fromarray(to_8_bit(pixels))
        except Exception as error:
            why = ["unreadable", type(error).__name__]
        else:
            page.paste(picture.resize((tile, tile), Image.Resampling.LANCZOS), at)
            if label:
                figure = columns.number(slot.row.get(label)).replace("−", "-")
                pen.text((at[0], at[1] + tile + 1), figure, fill=_INK, font=_font(12))
            return
    pen.rectangle((*at, at[0] + tile - 1, at[1] + tile - 1), outline=_BAD if slot.status == "failed" else (205,) * 3)
    for i, line in enumerate(why[: max(1, tile // 16)]):
        pen.text(
            (at[0] + 5, at[1] + 5 + 14 * i),
            line,
            fill=_BAD if slot.status == "failed" and not i else _FAINT,
            font=_font(11),
        )
