"""Contact sheets: for each image one picture of the grid models × layers, the input beside, as WebP to look at.

Where settings are swept, an image's sheet has such a grid for each of their values. What a sheet leaves out it says.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from distcari.exchange.file_names import file_names
from distcari.grid import BASE_AXES, Label, label_text
from distcari.store import Store

TILE, GAP, HEAD = 176, 6, 26
MOST_MODELS, MOST_LAYERS, MOST_IMAGES = 24, 12, 16
MOST_BYTES = 2_000_000  # of a file
TALLEST = 16_000  # pixels; WebP ends at 16,383
QUALITIES = (86, 74, 62, 50)
_PAPER, _INK, _FAINT = (255, 255, 255), (30, 30, 30), (150, 150, 150)


def contact_sheets(store: Store, experiment: str, seed: Label | None = None) -> Iterator[tuple[str, Image.Image]]:
    """Of an experiment's finished cells for one seed (default: the first): an image's label and its sheet, in turn.

    The first MOST_IMAGES images, of each the first MOST_MODELS × MOST_LAYERS; missing cells are named as such.
    """
    arrays = store.arrays(experiment)
    axes = arrays.axes
    labels = {axis: arrays.labels(axis) for axis in axes}
    chosen = labels["seed"][0] if seed is None else seed
    shown = {
        "model": labels["model"][:MOST_MODELS],
        "layer": labels["layer"][:MOST_LAYERS],
        "image": labels["image"][:MOST_IMAGES],
        "seed": [chosen],
    }
    frame = store.table(["experiment", *axes])
    frame = frame[frame["experiment"] == experiment]
    for axis, wanted in shown.items():
        frame = frame[frame[axis].isin(wanted)]
    done = {tuple(row) for row in frame[axes].itertuples(index=False)}
    swept = [axis for axis in axes if axis not in BASE_AXES]
    total = math.prod(len(labels[axis]) for axis in swept)
    most = max(1, TALLEST // (HEAD + len(shown["model"]) * (TILE + GAP) + GAP))
    cut = [
        f"{len(labels[a])} {a}s, the first {len(n)} shown"
        for a, n in shown.items()
        if a != "seed" and len(labels[a]) > len(n)
    ]
    cut += [f"{total} settings, the first {most} shown"] if total > most else []
    power = arrays.description.settings.get("cossim_pow")
    title = [experiment, f"seed {chosen}", *([f"cossim_pow {power:g}"] if power is not None else [])]
    title += [f"distcari {arrays.description.distcari_version}", *cut]
    for image in shown["image"]:
        sections = []
        for values in islice(product(*(labels[axis] for axis in swept)), most):
            held = dict(zip(swept, values, strict=True))
            pictures = {}
            for model, layer in product(shown["model"], shown["layer"]):
                at = {"model": model, "image": image, "layer": layer, "seed": chosen, **held}
                cell = tuple(at[axis] for axis in axes)
                if cell in done:
                    pictures[model, layer] = arrays.picture(arrays.place(cell))
            name = " · ".join([str(image), *(f"{axis} {label_text(value)}" for axis, value in held.items())])
            sections.append(_section(name, arrays.input(str(image)), shown["model"], shown["layer"], pictures))
        yield str(image), _stack(" · ".join(title), sections)


def save_contact_sheets(store: Store, experiment: str) -> str:
    """Put the sheets into the store as `contact_sheets/<experiment>/<image>.webp`; their folder."""
    folder = sheet_folder(experiment)
    store.files.sweep(folder)
    images = [str(image) for image in store.arrays(experiment).labels("image")]
    names = dict(zip(images, file_names([(image,) for image in images]), strict=True))
    for image, sheet in contact_sheets(store, experiment):
        store.files.write(f"{folder}/{names[image]}.webp", encoded(sheet))
    store.files.delete(f"contact_sheets/{experiment}.png")  # an older version's, which would go stale
    return f"{store.url.rstrip('/')}/{folder}"


def sheet_folder(experiment: str) -> str:
    """Where in the store the sheets lie."""
    return f"contact_sheets/{file_names([(experiment,)])[0]}"


def encoded(sheet: Image.Image) -> bytes:
    """A sheet as WebP of at most MOST_BYTES: as good as that allows, then smaller."""
    while True:
        for quality in QUALITIES:
            buffer = BytesIO()
            sheet.save(buffer, format="WEBP", quality=quality)
            if buffer.tell() <= MOST_BYTES:
                return buffer.getvalue()
        sheet = sheet.resize((max(1, sheet.width * 3 // 4), max(1, sheet.height * 3 // 4)), Image.Resampling.LANCZOS)


def _section(
    image: str,
    pixels: NDArray[np.uint8],
    models: Sequence[Label],
    layers: Sequence[Label],
    pictures: Mapping[tuple[Label, Label], NDArray[np.float32]],
) -> Image.Image:
    left = TILE + 2 * GAP + 90
    width = left + len(layers) * (TILE + GAP)
    sheet = Image.new("RGB", (width, HEAD + len(models) * (TILE + GAP)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    sheet.paste(_tile(Image.fromarray(pixels)), (GAP, HEAD))
    _write(draw, (GAP, 4), image, TILE)
    for x, layer in enumerate(layers):
        _write(draw, (left + x * (TILE + GAP), 4), str(layer), TILE)
    for y, model in enumerate(models):
        top = HEAD + y * (TILE + GAP)
        _write(draw, (TILE + 2 * GAP, top + TILE // 2 - 8), str(model), 86)
        for x, layer in enumerate(layers):
            at = (left + x * (TILE + GAP), top)
            picture = pictures.get((model, layer))
            if picture is None:
                draw.rectangle((*at, at[0] + TILE - 1, at[1] + TILE - 1), outline=_FAINT)
                draw.text((at[0] + 8, at[1] + 8), "not done", fill=_FAINT, font=_font(13))
            else:
                sheet.paste(_tile(Image.fromarray(np.round(picture * 255).astype(np.uint8))), at)
    return sheet


def _stack(title: str, sections: Sequence[Image.Image]) -> Image.Image:
    width = max(s.width for s in sections) + GAP
    sheet = Image.new("RGB", (width, 30 + sum(s.height + GAP for s in sections)), _PAPER)
    _write(ImageDraw.Draw(sheet), (GAP, 6), title, width - 2 * GAP)
    y = 30
    for section in sections:
        sheet.paste(section, (0, y))
        y += section.height + GAP
    return sheet


def _tile(image: Image.Image) -> Image.Image:
    return image.resize((TILE, TILE), Image.Resampling.LANCZOS)


def _write(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, width: int) -> None:
    """Text as large as fits the width, from 14 pixels down; cut at the front if even 9 is too large."""
    # Pillow's font has no minus, and it cannot measure lines that break.
    text = "".join(c if c.isprintable() else "\ufffd" for c in text.replace("−", "-"))
    for size in range(14, 8, -1):
        if draw.textlength(text, font=_font(size)) <= width:
            break
    while len(text) > 4 and draw.textlength(text, font=_font(size)) > width:
        text = "…" + text[2:]
    draw.text(at, text, fill=_INK, font=_font(size))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
