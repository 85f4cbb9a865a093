"""Input images from files, folders, URLs and samples, as square RGB of one size, whatever they were before."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from distcari.config.experiment import Experiment, ImageSource
from distcari.errors import InputError, last_resort, typed_line
from distcari.grid import alike, check_label, image_digest
from distcari.sources.download import download
from distcari.sources.globs import expand, has_magic
from distcari.sources.validation import check_file, open_file, user_path

T = TypeVar("T")
ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
# What is read, whatever a file is called: no format for which pillow would start another program (EPS).
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "TGA", "ICO")
MOST_PIXELS = 178_956_970  # where pillow itself speaks of a decompression bomb
# Photographs that scikit-image's wheel holds (the others it would download).
SAMPLES = {
    "astronaut": "astronaut.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "moon": "moon.png",
    "page": "page.png",
    "rocket": "rocket.jpg",
}


@dataclass(frozen=True)
class LoadedImage:
    """An input image: its label, uint8 pixels (side, side, 3), their SHA-256 (hex), and where it came from."""

    name: str
    pixels: NDArray[np.uint8]
    sha256: str
    origin: str


def load_images(experiment: Experiment, where: str = "config") -> list[LoadedImage]:
    """All images of an experiment, cropped and resized to its `input_size`. Raises InputError for one that is unfit."""
    images: list[LoadedImage] = []
    for i, source in enumerate(experiment.images):
        here = f"{where}: images[{i}]"
        with last_resort(here, "the image cannot be read", "Correct the entry, or save the image as PNG."):
            images += _load(source, here, experiment.input_size)
    seen: set[str] = set()
    for image in images:
        if image.name in seen:
            raise InputError(
                f"{where}: images", f"duplicate image name {image.name!r}", "Give each image a `name` of its own."
            )
        seen.add(image.name)
    if pair := alike(seen):
        raise InputError(
            f"{where}: images",
            f"the names {pair[0]!r} and {pair[1]!r} cannot be told apart",
            "Give one of the images another `name`.",
        )
    return images


def prepare(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Any image as uint8 RGB (size, size, 3): turned upright, over white, central square, Lanczos-resized.

    Transparent parts become white, as in a viewer. An RGB image of that size passes through bit for bit.
    """
    rgb = upright(image)
    side = min(rgb.size)
    left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
    square = rgb.crop((left, top, left + side, top + side))
    if side != size:
        square = square.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(square).copy()


def upright(image: Image.Image) -> Image.Image:
    """Any image as RGB in its own size, turned as its metadata say, over white."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image).astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("it has pixels that are no number (NaN or inf)")
        most = 65535 if image.mode != "F" else max(1.0, float(values.max()))
        image = Image.fromarray(np.round(np.clip(values / most, 0, 1) * 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return image.convert("RGB")


def _load(source: ImageSource, where: str, size: int) -> Iterator[LoadedImage]:
    if source.sample is not None:
        yield _file(
            _sample(source.sample, f"{where}.sample"),
            source.name or source.sample,
            f"{where}.sample",
            size,
            f"scikit-image {source.sample}",
        )
    elif source.url is not None:
        yield _from_web(source, source.url, f"{where}.url", size)
    else:
        files = _files(str(source.file), f"{where}.file")
        if source.name and len(files) > 1 and "{stem}" not in source.name:
            raise InputError(
                f"{where}.name",
                f"{len(files)} images would all be called {source.name!r}",
                "Use {stem} in the name, or leave it out.",
            )
        for path in files:
            name = (source.name or "{stem}").replace("{stem}", path.stem)
            yield _file(path, name, f"{where}.file", size, str(path))


def _from_web(source: ImageSource, url: str, where: str, size: int) -> LoadedImage:
    def read(content: bytes) -> LoadedImage:
        name = source.name or Path(url.partition("?")[0]).stem
        return _one(BytesIO(content), name, where, size, url)

    return download(url, source.sha256, where, read)


def _file(path: Path, name: str, where: str, size: int, origin: str) -> LoadedImage:
    with open_file(path, where) as file:
        return _one(file, name, where, size, origin)


def _one(file: BinaryIO, name: str, where: str, size: int, origin: str) -> LoadedImage:
    """The image in an open file; `origin` is what messages call it."""
    try:
        check_label(name)
    except ValueError as error:
        raise InputError(where, f"{origin}: {error}", "Give the image a `name` of its own.") from None
    pixels = _decoded(file, where, origin, partial(prepare, size=size))
    return LoadedImage(name, pixels, image_digest(pixels), origin)


def read_rgb(path: Path, where: str) -> Image.Image:
    """A picture file as RGB, upright, over white, in its own size. Raises InputError for one that is unfit."""
    with open_file(path, where) as file:
        return _decoded(file, where, str(path), upright)


def _decoded(file: BinaryIO, where: str, origin: str, use: Callable[[Image.Image], T]) -> T:
    """What `use` makes of the image in an open file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pillow, on bombs (checked below) and on odd metadata
            with Image.open(file, formats=_formats()) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError(f"{image.width} × {image.height} pixels")
                return use(image)
    except Image.DecompressionBombError as error:
        raise InputError(where, f"{origin} is huge: {error}", "Give a smaller copy.") from None
    except UnidentifiedImageError:
        raise InputError(where, f"{origin} is not an image", f"Give one of {', '.join(ENDINGS)}.") from None
    except Exception as error:
        raise InputError(where, f"{origin} is broken: {typed_line(error)}", "Save or download it again.") from None


@cache
def _formats() -> tuple[str, ...]:
    """Those of the formats that this pillow was built with."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _files(text: str, where: str) -> list[Path]:
    path = user_path(text, where)
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS)
        if not found:
            raise InputError(where, f"no images in the folder {path}", f"Put some there: {', '.join(ENDINGS)}.")
    elif path.exists():
        found = [path]
    elif has_magic(text):
        found = [p for p in expand(str(path)) if p.suffix.lower() in ENDINGS]
        if not found:
            raise InputError(where, f"nothing matches {text}", f"Put images there: {', '.join(ENDINGS)}.")
    else:
        there = sorted(p.name for p in path.parent.iterdir()) if path.parent.is_dir() else []
        near = get_close_matches(path.name, there, n=3, cutoff=0.4) or there[:5]
        raise InputError(
            where,
            f"no image at {path}",
            f"Put it there, or correct the path. There now: {', '.join(near) or 'nothing'}.",
        )
    for one in found:
        check_file(one, where)
    return found


def _sample(name: str, where: str) -> Path:
    import skimage.data

    if name not in SAMPLES:
        near = get_close_matches(name, SAMPLES, n=3, cutoff=0.3) or sorted(SAMPLES)
        raise InputError(
            where, f"no sample {name!r}", f"Nearest: {', '.join(near)}. All: {', '.join(sorted(SAMPLES))}."
        )
    return Path(skimage.data.__file__).parent / SAMPLES[name]
