"""Pictures of a folder as squares, for those who look at many: a file that cannot be read is left out, not an error."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distcari.errors import InputError
from distcari.sources.images import ENDINGS, read_rgb
from distcari.sources.validation import user_path

Box = tuple[int, int, int]  # left, top, side in pixels of the upright picture


@dataclass
class PictureFolder:
    """A folder's picture files, those of folders below as well; `broken` has why, by file, of those left out.

    Raises InputError for a folder that is not there, and without a picture that can be read.
    """

    given: str
    where: str
    broken: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = user_path(self.given, self.where)
        if not self.path.is_dir():
            raise InputError(self.where, f"no folder at {self.path}", "Give a folder of pictures.")
        paths = sorted(p for p in self.path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
        self.files: list[str] = [p.relative_to(self.path).as_posix() for p in paths]
        if not self.files:
            raise InputError(self.where, f"no pictures in {self.path}", f"Put some there: {', '.join(ENDINGS)}.")
        if not any(self.open(file) is not None for file in self.files):
            why = next(iter(self.broken.values()))
            raise InputError(
                self.where, f"none of the {len(self.files)} pictures can be read: {why}", "Save them as PNG or JPEG."
            )

    def open(self, file: str) -> Image.Image | None:
        """A file's picture as upright RGB, or None if it is broken."""
        if file not in self.broken:
            try:
                return read_rgb(self.path / file, self.where)
            except InputError as error:
                self.broken[file] = error.problem
        return None

    def squares(self, size: int, crops: bool) -> Iterator[tuple[int, Box, NDArray[np.uint8]]]:
        """Number of the file, box and pixels (size, size, 3) of each square, file by file."""
        for number, file in enumerate(self.files):
            if (picture := self.open(file)) is not None:
                for box in boxes(*picture.size, crops):
                    yield number, box, square(picture, box, size)


def boxes(width: int, height: int, crops: bool) -> Sequence[Box]:
    """The central square; with `crops` nine of half its side as well, which overlap by half."""
    side = min(width, height)
    left, top, half = (width - side) // 2, (height - side) // 2, side // 2
    parts = [(left + x * half // 2, top + y * half // 2, half) for y in range(3) for x in range(3)]
    return [(left, top, side), *(parts if crops and half else [])]


def square(picture: Image.Image, box: Box, size: int) -> NDArray[np.uint8]:
    """A square of a picture, Lanczos-resized as inputs are: uint8 (size, size, 3)."""
    left, top, side = box
    part = picture.crop((left, top, left + side, top + side))
    if side != size:
        part = part.resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(part).copy()
