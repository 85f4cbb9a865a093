"""A contact sheet: for each image the grid models × layers, the input beside, as one PNG to look at.

Where settings are swept, there is such a grid for each of their values.
"""

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import islice, product

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from distcari.grid import BASE_AXES, Label, label_text
from distcari.store import Store

TILE, GAP, HEAD = 176, 6, 26
MOST_MODELS, MOST_LAYERS, MOST_IMAGES, MOST_SECTIONS = 24, 12, 8, 24
_PAPER, _INK, _FAINT = (255, 255, 255), (30, 30, 30), (150, 150, 150)


def contact_sheet(store: Store, experiment: str, seed: Label | None = None) -> Image.Image:
    """The sheet of an experiment's finished cells for one seed; missing cells are named as such."""
    arrays = store.arrays(experiment)
    axes = arrays.axes
    frame = store.table(["key", "experiment", *axes])
    done = {tuple(row) for row in frame[frame["experiment"] == experiment][axes].itertuples(index=False)}
    labels = {axis: arrays.labels(axis) for axis in axes}
    chosen = labels["seed"][0] if seed is None else seed
    models, layers = labels["model"][:MOST_MODELS], labels["layer"][:MOST_LAYERS]
    swept = [axis for axis in axes if axis not in BASE_AXES]
    images = labels["image"][:MOST_IMAGES]
    sections = []
    for image, *values in islice(product(images, *(labels[axis] for axis in swept)), MOST_SECTIONS):
        held = dict(zip(swept, values, strict=True))
        pictures = {}
        for model in models:
            for layer in layers:
                at = {"model": model, "image": image, "layer": layer, "seed": chosen, **held}
                cell = tuple(at[axis] for axis in axes)
                if cell in done:
                    pictures[model, layer] = arrays.picture(arrays.place(cell))
        name = " · ".join([str(image), *(f"{axis} {label_text(value)}" for axis, value in held.items())])
        sections.append(_section(name, arrays.input(str(image)), models, layers, pictures))
    cut = [
        f"{len(labels[a])} {a}s, the first {n} shown"
        for a, n in (("model", MOST_MODELS), ("layer", MOST_LAYERS), ("image", MOST_IMAGES))
        if len(labels[a]) > n
    ]
    total = len(images) * math.prod(len(labels[axis]) for axis in swept)
    cut += [f"{total} images and settings, the first {MOST_SECTIONS} shown"] if total > MOST_SECTIONS else []
    about = arrays.description
    power = about.settings.get("cossim_pow")
    title = " · ".join(
        [
            experiment,
            f"seed {chosen}",
            *([f"cossim_pow {power:g}"] if power is not None else []),
            f"distcari {about.distcari_version}",
            *cut,
        ]
    )
    return _stack(title, sections)


def save_contact_sheet(store: Store, experiment: str) -> str:
    """Put the sheet into the store as `contact_sheets/<experiment>.png`; that path."""
    buffer = BytesIO()
    contact_sheet(store, experiment).save(buffer, format="PNG")
    path = sheet_path(experiment)
    store.files.write(path, buffer.getvalue())
    return f"{store.url.rstrip('/')}/{path}"


def sheet_path(experiment: str) -> str:
    """Where in the store the sheet lies."""
    return f"contact_sheets/{experiment}.png"


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
