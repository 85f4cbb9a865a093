"""Pictures by key, over HTTP: encoded once, kept in memory, cached by the browser.

    /picture/<key>.png|.webp?size=N   PNG: the stored picture rounded to 8 bit; WebP: lossy, for looking
    /input/<experiment>/<image>.webp  the input image (also .png)
    /mean/<key>.<key>…webp            the mean of several pictures' sRGB values
    /match/<key>.webp                 cosine at each position of the layer, scale fixed: blue -1, white 0, red 1
    /npy/<key>.npy                    the picture as stored, for numpy.load
    /exemplar/<name>.webp             the thumbnail of a natural exemplar

`size` is one of SIZES and never enlarges a picture (the browser does). With `?v=` and the right start of the content's
SHA-256 an answer is immutable.
"""

from flask import Flask, Response, request

from distcari.dashboard.data import folding, pictures
from distcari.dashboard.data.addresses import shas
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.encoding import SIZES, encode, match_colours, npy
from distcari.dashboard.pictures.answers import Memory, Refused, answer, in_one_line, one_of
from distcari.store.arrays import to_8_bit

KINDS = {"png": "image/png", "webp": "image/webp"}
MEMORY = 256 << 20  # bytes of encoded pictures


def register(server: Flask, catalog: Catalog) -> None:
    """Add the routes."""
    memory = Memory(MEMORY)

    def picture(key: str, kind: str) -> Response:
        size, row = _size(), pictures.place(catalog, key)
        if kind not in KINDS:
            raise Refused(404, "A picture is .png or .webp.")
        return answer(
            memory,
            str(row["pixels_sha256"]),
            ("picture", key, kind, size),
            KINDS[kind],
            lambda: encode(to_8_bit(pictures.stored(catalog, row)), kind, size),
        )

    def mean(keys: str) -> Response:
        size, names = _size(), keys.split(".")
        if len(names) > folding.MOST:
            raise Refused(400, f"A mean is of at most {folding.MOST} pictures.")
        rows = [pictures.place(catalog, key) for key in names]
        return answer(
            memory,
            shas(rows),
            ("mean", keys, size),
            KINDS["webp"],
            lambda: encode(to_8_bit(pictures.mean(catalog, rows)), "webp", size),
        )

    def match(key: str) -> Response:
        size, row = _size() or 224, pictures.place(catalog, key)
        return answer(
            memory,
            str(row["pixels_sha256"]),
            ("match", key, size),
            KINDS["webp"],
            lambda: encode(match_colours(pictures.array(catalog, row, "match"), size), "webp"),
        )

    def npy_file(key: str) -> Response:
        row = pictures.place(catalog, key)
        found = answer(
            memory,
            str(row["pixels_sha256"]),
            ("npy", key),
            "application/octet-stream",
            lambda: npy(pictures.stored(catalog, row)),
        )
        found.headers["Content-Disposition"] = f'attachment; filename="{key}.npy"'
        return found

    def input_image(experiment: str, image: str, kind: str) -> Response:
        size, info = _size(), catalog.experiment(experiment)
        if info is None or image not in info.raw.get("image", {}) or kind not in KINDS:
            raise Refused(404, "There is no such input image.")
        return answer(
            memory,
            info.input_sha(image),
            ("input", experiment, image, kind, size),
            KINDS[kind],
            lambda: encode(pictures.input_pixels(info, image), kind, size),
        )

    def exemplar(name: str) -> Response:
        return answer(memory, name, ("exemplar",), KINDS["webp"], lambda: pictures.exemplar(catalog, name))

    def nothing(rest: str) -> Response:
        raise Refused(404, "There is nothing at this address.")

    for kind in ("picture", "mean", "match", "npy", "input", "exemplar"):  # else the page itself would answer
        server.add_url_rule(f"/{kind}/<path:rest>", f"no {kind}", in_one_line(nothing))
    server.add_url_rule("/picture/<key>.<kind>", "picture", in_one_line(picture))
    server.add_url_rule("/mean/<keys>.webp", "mean", in_one_line(mean))
    server.add_url_rule("/match/<key>.webp", "match", in_one_line(match))
    server.add_url_rule("/npy/<key>.npy", "npy", in_one_line(npy_file))
    server.add_url_rule("/exemplar/<name>.webp", "exemplar", in_one_line(exemplar))
    server.add_url_rule("/input/<experiment>/<path:image>.<kind>", "input", in_one_line(input_image))


def _size() -> int | None:
    return int(one_of("size", tuple(map(str, SIZES)))) if "size" in request.args else None
