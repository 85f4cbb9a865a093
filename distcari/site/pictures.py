"""The pictures of a site: WebP in two sizes, named by their content, encoded only if they are not there yet."""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.pictures import PictureError, stored
from distcari.errors import InputError
from distcari.site.folder import SiteFolder
from distcari.site.parts import Part
from distcari.store.arrays import to_8_bit

SMALL = 160  # pixels of the longer side; the large picture is as it is stored
QUALITY, SMALL_QUALITY = 90, 80  # WebP's
_AT_ONCE = 4  # pictures read and encoded at a time


class Pictures:
    """Puts pictures into a site's folder; their names tell them apart by content and encoding."""

    def __init__(self, folder: SiteFolder, *, lossless: bool) -> None:
        self.folder, self.lossless = folder, lossless

    def name(self, content: str) -> str:
        """What a picture of this content hash is called: 16 hex digits."""
        how = "lossless" if self.lossless else f"webp {QUALITY}"
        return hashlib.sha256(f"{content} {how} {SMALL} {SMALL_QUALITY}".encode()).hexdigest()[:16]

    def files(self, name: str) -> tuple[str, str]:
        """A picture's two files, small and large."""
        return f"pictures/{name[:2]}/{name}-small.webp", f"pictures/{name[:2]}/{name}-large.webp"

    def put(self, name: str, pixels: NDArray[np.uint8] | None) -> None:
        """Have both files of a picture, (y, x, 3), in the site; no pixels are needed where they are there."""
        small, large = self.files(name)
        self.folder.put(small, lambda: _webp(_needed(pixels), SMALL, quality=SMALL_QUALITY))
        how: dict[str, Any] = {"lossless": True} if self.lossless else {"quality": QUALITY}
        self.folder.put(large, lambda: _webp(_needed(pixels), None, **how))

    def cells(self, catalog: Catalog, part: Part, done: Callable[[], None]) -> tuple[list[str], dict[int, str]]:
        """Put the finished cells' pictures; their names in the rows' order, "" of what cannot be read, and why not."""
        names = [self.name(str(sha)) for sha in part.rows["pixels_sha256"]]
        unread: dict[int, str] = {}

        def read(i: int) -> NDArray[np.uint8] | str | None:
            if all(self.folder.has(file) for file in self.files(names[i])):
                return None
            row = {str(column): part.rows[column].iat[i] for column in ("experiment", "pixels_sha256", *part.info.axes)}
            try:
                return to_8_bit(stored(catalog, row))
            except (PictureError, InputError, OSError, ValueError) as error:
                return str(error)

        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for i, pixels in enumerate(_ahead(threads, read, range(len(names)))):
                if isinstance(pixels, str):
                    unread[i], names[i] = pixels, ""
                else:
                    self.put(names[i], pixels)
                done()
        return names, unread

    def inputs(self, part: Part) -> dict[str, str]:
        """Put the input images that were kept; their pictures' names by label."""
        found = {}
        for label in map(str, part.labels["image"]):
            if (pixels := part.info.input(label)) is not None:
                found[label] = self.name(part.info.input_sha(label))
                self.put(found[label], pixels)
        return found


def _ahead(threads: ThreadPoolExecutor, work: Callable[[int], Any], items: Sequence[int]) -> Iterator[Any]:
    """The results in order, a few of them made ahead: never all pictures in memory."""
    coming = iter(items)
    running = [threads.submit(work, item) for item in islice(coming, 2 * _AT_ONCE)]
    while running:
        yield running.pop(0).result()
        running += [threads.submit(work, item) for item in islice(coming, 1)]


def _needed(pixels: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if pixels is None:
        raise InputError("pictures", "were taken away while they were looked at", "Publish again.")
    return pixels


def _webp(pixels: NDArray[np.uint8], side: int | None, **how: Any) -> bytes:
    image, file = Image.fromarray(pixels), io.BytesIO()
    if side is not None:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
    image.save(file, "WEBP", **how)
    return file.getvalue()
