"""What the pages of the analysis share: their templates, pictures as part of the page, numbers in words."""

import base64
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distcari import __version__
from distcari.analysis.result import chance, interval
from distcari.analysis.study import Study
from distcari.store.schema import COLUMNS


def rendered(template: str, **context: Any) -> str:
    """One self-contained HTML page of a template, which extends page.html."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("distcari.analysis", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(chance=chance, interval=interval, number=number, p=_p)
    return environment.get_template(template).render(
        version=__version__,
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        units={name: column.unit for name, column in COLUMNS.items()},
        meanings={name: column.meaning for name, column in COLUMNS.items()},
        **context,
    )


def input_images(study: Study, images: Iterable[str]) -> dict[str, str]:
    """Input images by name, as data URLs."""
    return {image: inline(study.arrays.input(image)) for image in sorted(set(images))}


def inline(pixels: NDArray[np.uint8]) -> str:
    """A picture as a data URL; small ones without loss, others as good JPEG."""
    small = pixels.shape[0] <= 96
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG" if small else "JPEG", quality=92)
    return data_url("png" if small else "jpeg", sink.getvalue())


def data_url(kind: str, content: bytes) -> str:
    """The content of an image file as a URL."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def number(value: float) -> str:
    """Three digits; a dash where there is no value."""
    return "–" if isnan(value) else f"{value if abs(value) > 1e-12 else 0:.3g}"


def _p(value: float) -> str:
    return "–" if isnan(value) else ("< 0.0001" if value < 1e-4 else f"{value:.2g}")
