"""Notes as Markdown and as CSV. What somebody wrote stays text there: no link, no picture, no HTML, no formula."""

import csv
import html
import io
import re
from collections.abc import Sequence

from distcari.dashboard.data import columns
from distcari.dashboard.data.csv_text import as_text
from distcari.dashboard.data.notes import Note
from distcari.dashboard.data.state import parse

_MARKS = re.compile(r"[\\`*_\[\]<>!]")


def view_title(url: str) -> str:
    """A view in words: "Compare · demo · model by image · image chelsea"."""
    state = parse(url)
    parts = [{"side": "Side by side"}.get(state.view, state.view.capitalize()), " + ".join(state.experiments)]
    parts += [" by ".join(name for name in (state.rows, state.cols) if name)]
    parts += [f"{axis} {label}" for axis, label in state.at.items()]
    if state.view == "side":
        slots = (" ".join(v for k, v in s.items() if k not in ("experiment", "seed")) for s in state.slots)
        parts.append(" | ".join(slots))
    parts += [state.cell[:8] if state.view == "cell" else ""]
    parts += [
        f"{columns.title(name.partition('.')[2])} {value}"
        for name, value in state.extra.items()
        if name.startswith(f"{state.view}.") and len(value) <= 40
    ]
    return " · ".join(part for part in parts if part)


def markdown(notes: Sequence[Note], host: str) -> str:
    """The notes as Markdown, newest first; links lead to this dashboard alone: those in a note's text are text."""
    parts = ["# Notes\n"]
    for note in notes:
        quoted = "\n".join(f"> {_plain(line)}" for line in note.text.splitlines())
        link = f"[{_plain(view_title(note.url))}](<{host.rstrip('/')}/{note.url}>)"
        parts.append(f"## {_plain(note.stamp)}\n\n{link}\n\n{quoted}\n")
    return "\n".join(parts)


def as_csv(notes: Sequence[Note]) -> str:
    """The notes as CSV, newest first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "time", "edited", "view", "url", "text"])
    for note in notes:
        cells = [note.id, note.time, note.edited, parse(note.url).view, note.url, note.text]
        writer.writerow([as_text(cell) for cell in cells])
    return out.getvalue()


def _plain(text: str) -> str:
    """Text that Markdown shows as it is: no `[…](javascript:…)`, no `![…](…)`, no HTML, no autolink."""
    return _MARKS.sub(r"\\\g<0>", html.escape(text, quote=False))
