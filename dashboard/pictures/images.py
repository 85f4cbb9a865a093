"""Pictures by key, over HTTP: read lazily from Zarr (one chunk), encoded once, kept in memory, cached by the browser.

    /picture/<key>.png|.webp?size=N   PNG: the stored picture rounded to 8 bit; WebP: lossy, for looking
    /input/<experiment>/<image>.webp  the input image (also .png)
    /match/<key>.webp                 cosine at each position of the layer, scale fixed: blue -1, white 0, red 1
    /npy/<key>.npy                    the picture as stored, for numpy.load

`size` is one of SIZES and never enlarges a picture (the browser does). With `?v=` and the right start of the content's
SHA-256 an answer is immutable. What a URL names is looked up in the catalog; no part of it reaches a file system.
"""

import hashlib
import io
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
from flask import Flask, Response, request
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.reading import About, text
from distcari.store.arrays import pixels_sha256

SIZES = (96, 160, 224, 320, 448, 640, 896)
KINDS = {"png": "image/png", "webp": "image/webp"}
MEMORY = 256 << 20  # bytes of encoded pictures
_KEY = re.compile(r"[0-9a-f]{32}")
_FOREVER, _ASK = "public, max-age=31536000, immutable", "no-cache"
_MAP = np.array([[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]], np.float32)
log = logging.getLogger(__name__)


def picture_url(row: Mapping[str, Any], size: int | None = None, kind: str = "webp") -> str:
    """Address of a finished cell's picture, given its row; PNG without a size is exact to 8 bit."""
    return f"/picture/{row['key']}.{kind}?" + (f"size={size}&" if size else "") + f"v={str(row['pixels_sha256'])[:12]}"


def match_url(row: Mapping[str, Any], size: int = 224) -> str:
    """Address of a finished cell's match map."""
    return f"/match/{row['key']}.webp?size={size}&v={str(row['pixels_sha256'])[:12]}"


def npy_url(row: Mapping[str, Any]) -> str:
    """Address of a finished cell's picture as a NumPy file."""
    return f"/npy/{row['key']}.npy?v={str(row['pixels_sha256'])[:12]}"


def input_url(catalog: Catalog, experiment: str, image: str, size: int | None = None) -> str:
    """Address of an input image."""
    version = _input_sha(catalog, experiment, image)[:12]
    query = "&".join([f"size={size}"] * bool(size) + [f"v={version}"] * bool(version))
    return f"/input/{quote(experiment, safe='')}/{quote(image, safe='')}.webp?{query}"


class Memory:
    """The most recently used answers, by name, up to a number of bytes. Thread-safe."""

    def __init__(self, limit: int = MEMORY) -> None:
        self.limit, self.bytes = limit, 0
        self._items: OrderedDict[tuple[Any, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: tuple[Any, ...], make: Callable[[], bytes]) -> bytes:
        """What is known by that name, or what `make` gives."""
        with self._lock:
            if name in self._items:
                self._items.move_to_end(name)
                return self._items[name]
        content = make()
        with self._lock:
            if name not in self._items and len(content) <= self.limit:
                self._items[name] = content
                self.bytes += len(content)
            while self.bytes > self.limit:
                self.bytes -= len(self._items.popitem(last=False)[1])
        return content


class Refused(Exception):
    """An answer that is not the picture: status and one line of text."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


def register(server: Flask, catalog: Catalog) -> None:
    """Add the routes."""
    memory = Memory()

    def picture(key: str, kind: str) -> Response:
        size, row = _size(), _row(catalog, key)
        if kind not in KINDS:
            raise Refused(404, "A picture is .png or .webp.")
        return _answer(memory, str(row["pixels_sha256"]), ("picture", key, kind, size), KINDS[kind],
                       lambda: encode(to_8_bit(_stored(catalog, row)), kind, size))

    def match(key: str) -> Response:
        size, row = _size() or 224, _row(catalog, key)
        return _answer(memory, str(row["pixels_sha256"]), ("match", key, size), KINDS["webp"],
                       lambda: encode(coloured(_cell(catalog, row, "match"), size), "webp", None))

    def npy(key: str) -> Response:
        row = _row(catalog, key)
        answer = _answer(memory, str(row["pixels_sha256"]), ("npy", key), "application/octet-stream",
                         lambda: _npy(_stored(catalog, row)))
        answer.headers["Content-Disposition"] = f'attachment; filename="{key}.npy"'
        return answer

    def input_image(experiment: str, image: str, kind: str) -> Response:
        size, about = _size(), catalog.about(experiment)
        if about is None or image not in about.raw.get("image", {}) or kind not in KINDS:
            raise Refused(404, "There is no such input image.")
        sha = _input_sha(catalog, experiment, image)
        return _answer(memory, sha, ("input", experiment, image, kind, size), KINDS[kind],
                       lambda: encode(input_pixels(about, image), kind, size))

    def nothing(rest: str) -> Response:
        raise Refused(404, "There is nothing at this address.")

    for kind in ("picture", "match", "npy", "input"):  # else the page itself would answer
        server.add_url_rule(f"/{kind}/<path:rest>", f"no {kind}", _plain(nothing))
    server.add_url_rule("/picture/<key>.<kind>", "picture", _plain(picture))
    server.add_url_rule("/match/<key>.webp", "match", _plain(match))
    server.add_url_rule("/npy/<key>.npy", "npy", _plain(npy))
    server.add_url_rule("/input/<experiment>/<path:image>.<kind>", "input", _plain(input_image))


def to_8_bit(stored: NDArray[Any]) -> NDArray[np.uint8]:
    """A stored picture (y, x, 3), float in [0, 1] or uint8, as uint8, rounded."""
    if stored.dtype == np.uint8:
        return stored
    return np.asarray(np.round(np.clip(np.nan_to_num(stored.astype(np.float32)), 0, 1) * 255), np.uint8)


def input_pixels(about: About, image: str) -> NDArray[np.uint8]:
    """An input image, uint8 (y, x, 3); a grey one that says so where none was kept."""
    pixels = about.input(image)
    if pixels is not None:
        return pixels
    grey = Image.new("RGB", (224, 224), (128, 128, 128))
    ImageDraw.Draw(grey).multiline_text((112, 112), "input not kept:\nadopt again\nwith --inputs", (255, 255, 255),
                                        ImageFont.load_default(18), anchor="mm", align="center")
    return np.asarray(grey)


def coloured(match: NDArray[np.floating[Any]], size: int) -> NDArray[np.uint8]:
    """A match map (v, u) in [-1, 1] as uint8 (size, size, 3): blue -1, white 0, red 1, grey unknown."""
    smooth = Image.fromarray(match.astype(np.float32)).resize((size, size), Image.Resampling.BILINEAR)
    values = np.asarray(smooth)
    at = (np.clip(np.nan_to_num(values), -1, 1) + 1) / 2 * (len(_MAP) - 1)
    colours = np.stack([np.interp(at, np.arange(len(_MAP)), channel) for channel in _MAP.T], axis=-1)
    return np.asarray(np.where(np.isnan(values)[..., None], 128, np.round(colours)), np.uint8)


def encode(pixels: NDArray[np.uint8], kind: str, size: int | None) -> bytes:
    """Pixels (y, x, 3) as a PNG or WebP file, made smaller to `size` on the longer side if they are larger."""
    image = Image.fromarray(pixels)
    if size and max(image.size) > size:
        scale = size / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if kind == "png":
        image.save(file, "PNG", compress_level=4)
    else:
        image.save(file, "WEBP", quality=92, method=2)
    return file.getvalue()


def _plain(view: Callable[..., Response]) -> Callable[..., Response]:
    """A view whose refusals and failures are one line of plain text."""
    def answer(**parts: str) -> Response:
        try:
            return view(**parts)
        except Refused as refusal:
            status, line = refusal.status, refusal.line
        except Exception as error:
            log.warning("%s: %s: %s", request.path, type(error).__name__, error)
            status, line = 503, "This cannot be read now; the server's log says why."
        return Response(line + "\n", status, mimetype="text/plain", headers={"Cache-Control": "no-store"})

    return answer


def _size() -> int | None:
    given = request.args.get("size")
    if given is None:
        return None
    if given not in map(str, SIZES):
        raise Refused(400, f"size is one of {', '.join(map(str, SIZES))}.")
    return int(given)


def _row(catalog: Catalog, key: str) -> Mapping[str, Any]:
    row = catalog.place(key) if _KEY.fullmatch(key) else None
    if row is None:
        raise Refused(404, "There is no finished cell with this key.")
    return row


def _answer(memory: Memory, sha: str, name: tuple[Any, ...], mime: str, make: Callable[[], bytes]) -> Response:
    """The file, or 304 if the browser has it; immutable if the address holds the content's hash."""
    etag = hashlib.sha256(repr((sha, *name)).encode()).hexdigest()[:32]
    version = request.args.get("v", "")
    headers = {"Cache-Control": _FOREVER if len(version) >= 8 and sha.startswith(version) else _ASK}
    if request.if_none_match.contains_weak(etag):
        answer = Response(status=304, headers=headers)
    else:
        answer = Response(memory.get((sha, *name), make), mimetype=mime, headers=headers)
    answer.set_etag(etag)
    return answer


def _cell(catalog: Catalog, row: Mapping[str, Any], array: str) -> NDArray[Any]:
    about = catalog.about(row["experiment"])
    if about is None:
        raise Refused(404, "Its experiment is gone.")
    place = about.arrays.place([about.raw[axis][text(row[axis])] for axis in about.axes])
    return about.arrays.read(array, place)


def _stored(catalog: Catalog, row: Mapping[str, Any]) -> NDArray[Any]:
    """The stored picture, verified: pixels that are being computed anew are not shown under the old hash."""
    stored = _cell(catalog, row, "caricature")
    if pixels_sha256(stored) != row["pixels_sha256"]:
        raise Refused(503, "This picture is being computed anew, or is damaged: its pixels are not those of the index.")
    return stored


def _npy(stored: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, stored)
    return file.getvalue()


def _input_sha(catalog: Catalog, experiment: str, image: str) -> str:
    about = catalog.about(experiment)
    return "" if about is None else about.input_sha(image)
