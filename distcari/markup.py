"""HTML for notebooks: tables and grids of pictures, readable in light and dark, that need nothing but the page."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

_STYLE = (
    "<style>.distcari{font:13px/1.45 system-ui,sans-serif}.distcari table{border-collapse:collapse;width:auto}"
    ".distcari th,.distcari td{padding:3px 10px 3px 0;text-align:left;vertical-align:top;border:0;background:none}"
    ".distcari thead th{border-bottom:1px solid #8888}.distcari .number{text-align:right}"
    ".distcari .quiet{opacity:.75}.distcari img{display:block;image-rendering:auto;max-width:none}"
    ".distcari .gap{display:flex;align-items:center;justify-content:center;border:1px dashed #8888;opacity:.75}"
    ".distcari .notes{border-left:3px solid #8888;padding-left:10px}</style>"
)


def page(*parts: str) -> str:
    """Parts of HTML as one output of a notebook."""
    return f'{_STYLE}<div class="distcari">{"".join(parts)}</div>'


def heading(text: str, after: str = "") -> str:
    """A bold line, with something quieter behind it."""
    return f'<p><b>{escape(text)}</b> <span class="quiet">{escape(after)}</span></p>'


def paragraph(text: str, kind: str = "") -> str:
    """A line of text."""
    return f'<p class="{kind}">{escape(text)}</p>'


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Plain values as a table; numbers stand to the right, floats with three digits."""
    numbers = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    top = "".join(
        f"<th{' class=number' if right else ''}>{escape(text)}</th>" for text, right in zip(head, numbers, strict=True)
    )
    lines = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=number' if right else ''}>{escape(_text(value))}</td>"
            for value, right in zip(row, numbers, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def picture(pixels: NDArray[np.uint8], side: int, alt: str) -> str:
    """A picture (y, x, 3), shown `side` pixels wide, in the page as WebP (twice as many pixels, for fine screens)."""
    shape = f'width="{side}" height="{round(side * pixels.shape[0] / pixels.shape[1])}"'
    return f'<img src="{inline(pixels, 2 * side)}" {shape} alt="{escape(alt, quote=True)}">'


def inline(pixels: NDArray[np.uint8], most: int | None = None) -> str:
    """A picture (y, x, 3) as a data URL: WebP, of at most so many pixels on the longer side."""
    from PIL import Image

    image, file = Image.fromarray(pixels), io.BytesIO()
    if most is not None:
        image.thumbnail((most, most), Image.Resampling.LANCZOS)
    image.save(file, "WEBP", quality=90, method=2)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def gap(side: int, text: str) -> str:
    """The place of a picture that is not there, and why."""
    return f'<div class="gap" style="width:{side}px;height:{side}px">{escape(text)}</div>'


def grid(corner: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Cells of HTML under and beside labels, which are text; `corner` is HTML."""
    top = "".join(f"<th>{escape(label)}</th>" for label in columns)
    lines = "".join(
        f"<tr><th>{escape(label)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for label, cells in rows
    )
    return f"<table><thead><tr><th>{corner}</th>{top}</tr></thead><tbody>{lines}</tbody></table>"


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
