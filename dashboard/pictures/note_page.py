"""The notes as one HTML page with the pictures of their views, to hand on: it needs no dashboard, no store, no network.

What somebody wrote stays text. A view whose pictures cannot be had says why in their place.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from time import monotonic
from typing import Any

import numpy as np

from distcari import __version__, markup
from distcari.dashboard.data import columns
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.evidence import Evidence
from distcari.dashboard.data.findings import findings_of
from distcari.dashboard.data.labels import text
from distcari.dashboard.data.note_exports import view_title
from distcari.dashboard.data.notes import Note
from distcari.dashboard.data.pictures import input_pixels, stored
from distcari.dashboard.data.questions import question
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.pictures.sheet import draw as sheet
from distcari.errors import typed_line
from distcari.store.arrays import to_8_bit

SIDE, SHEET = 200, 960  # pixels at which a picture, and a sheet, is shown
MOST_PICTURED = 60  # notes with pictures; later ones are text
MOST_LINES = 12  # findings told of one view
PATIENCE = 60.0  # seconds that all comparisons of a page may take together
_LOOK = (
    "<style>:root{color-scheme:light dark}body{max-width:1000px;margin:32px auto;padding:0 16px;"
    "font:15px/1.5 system-ui,sans-serif}article{border-top:1px solid #8886;padding:14px 0}h1{font-size:22px}"
    "h2{font-size:15px;margin:0}.words{white-space:pre-wrap;font-size:16px;margin:8px 0;overflow-wrap:anywhere}"
    ".row{display:flex;flex-wrap:wrap;gap:8px;margin:6px 0}figure{margin:0;max-width:200px;font-size:12px}"
    "figcaption{overflow-wrap:anywhere}img{max-width:100%;height:auto}</style>"
)


def page(catalog: Catalog, notes: Sequence[Note], host: str) -> str:
    """The whole page, newest note first; links lead back to this dashboard."""
    made = f"{len(notes)} notes · {datetime.now(UTC):%Y-%m-%d %H:%M} UTC · distcari {__version__}"
    until = monotonic() + PATIENCE
    articles = "".join(_article(catalog, note, host, until, i < MOST_PICTURED) for i, note in enumerate(notes))
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Notes</title>'
        f"{_LOOK}</head><body><main>{markup.page('<h1>Notes</h1>', markup.paragraph(made, 'quiet'), articles)}"
        "</main></body></html>"
    )


def _article(catalog: Catalog, note: Note, host: str, until: float, pictured: bool) -> str:
    title, link = escape(view_title(note.url)), escape(f"{host.rstrip('/')}/{note.url}", quote=True)
    parts = [f"<h2>{title}</h2>", f'<p class="words">{escape(note.text)}</p>']
    if pictured:
        try:
            parts += list(_shown(catalog, parse(note.url), until))
        except Exception as error:  # a cell that is gone or damaged loses no note
            parts.append(markup.paragraph(f"Its pictures cannot be shown: {typed_line(error)}", "quiet"))
    foot = f'<p class="quiet">{escape(note.stamp)} · <a href="{link}">this view in the dashboard</a></p>'
    return f"<article>{''.join(parts)}{foot}</article>"


def _shown(catalog: Catalog, state: State, until: float) -> Iterator[str]:
    """What the view of a note shows, as HTML; a comparison is waited for up to the moment `until`."""
    if state.view == "cell" and (row := catalog.row(state.cell)) is not None:
        info, image = catalog.experiment(str(row["experiment"])), text(row["image"])
        seen = [_figure(markup.picture(input_pixels(info, image), SIDE, image), f"the image {image}")] if info else []
        yield _row([*seen, _cell(catalog, row)])
    elif state.view == "side":
        slots = [catalog.slot(slot.get("experiment", ""), slot) for slot in state.slots]
        yield _row([_cell(catalog, slot.row) for slot in slots if slot.row is not None])
    elif state.view == "findings":
        yield from _findings(catalog, state, until)
    elif state.view == "compare" and catalog.chosen(state):
        yield markup.picture(np.asarray(sheet(catalog, state)), SHEET, view_title(state.search()))


def _findings(catalog: Catalog, state: State, until: float) -> Iterator[str]:
    """The finding's sentence, the pictures that show it, the surest others, and what may be concluded."""
    job = findings_of(catalog).ask(question(catalog, state))
    if not job.ended.wait(max(0.0, until - monotonic())) or job.answer is None:
        yield markup.paragraph(job.refused or "It was still being compared when this page was made.", "quiet")
        return
    answer = job.answer
    row = answer.square(state.at, state.own("figure"))
    if row is not None:
        evidence = Evidence(answer, {axis: str(row[axis]) for axis in answer.axes}, str(row["figure"]))
        place = " · ".join(evidence.at.values())
        yield markup.heading(place, str(row["told"]) + (" — significant" if row["significant"] else ""))
        for title, image in evidence.shown:
            yield markup.paragraph(f"{title}: {image}")
            yield _row(
                [
                    _cell(catalog, one, f"{answer.asked.over} {text(side)}" if isinstance(side, float) else side)
                    for side, rows in evidence.cells(image)
                    for one in rows
                ]
            )
    sure = answer.rows[answer.rows["significant"]].head(MOST_LINES)
    if len(sure):
        lines = [[" · ".join(str(r[a]) for a in answer.axes), r["told"]] for r in sure.to_dict("records")]
        yield markup.table(["where", "what is significant"], lines)
    yield from (markup.paragraph(note, "notes") for note in answer.notes)


def _cell(catalog: Catalog, row: Any, side: str = "") -> str:
    """One picture and what it is of."""
    info = catalog.experiment(str(row["experiment"]))
    labels = [text(row[axis]) for axis in info.axes] if info else []
    name = " / ".join(labels)
    caption = f"{side}: {name}" if side else name
    told = f"{caption}, gain {columns.number(row.get('gain'))}, cosine {columns.number(row.get('cosine'))}"
    return _figure(markup.picture(to_8_bit(stored(catalog, row)), SIDE, name), told)


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _row(figures: Sequence[str]) -> str:
    return f'<div class="row">{"".join(figures)}</div>'
