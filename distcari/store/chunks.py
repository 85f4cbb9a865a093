"""Chunks of a local folder, written and verified without zarr's own machinery, which takes twice as long for each.

The files are zarr's to the byte. Shards, object stores and arrays of other codecs go through zarr itself.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

_CHECKSUM = 4  # bytes


@dataclass(frozen=True)
class ChunkFormat:
    """How an array's chunks stand in their files: little-endian values, zstd, then the crc32c of what that made."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fill: Any
    level: int

    @classmethod
    def of(cls, array: Any) -> "ChunkFormat | None":
        """An array's; None if its chunks are no files of their own in a folder, or are made in any other way."""
        codecs = [codec.to_dict() for codec in array.metadata.codecs]
        if not isinstance(array.store_path.store, zarr.storage.LocalStore) or len(codecs) != 3:
            return None
        values, packed, checked = codecs
        little = values == {"name": "bytes", "configuration": {"endian": "little"}} or (
            array.dtype.itemsize == 1 and values["name"] == "bytes"
        )
        if not little or packed["name"] != "zstd" or packed["configuration"]["checksum"] or checked["name"] != "crc32c":
            return None
        dtype = array.dtype.newbyteorder("<")
        return cls(tuple(array.chunks), dtype, array.fill_value, packed["configuration"]["level"])

    def encoded(self, chunk: NDArray[Any]) -> tuple[bytes, bytes]:
        """A file's content: the packed chunk, and its checksum."""
        packed = Zstd(level=self.level).encode(self._plain(chunk))
        return packed, _checksum(packed)

    def holds(self, content: bytes, chunk: NDArray[Any]) -> bool:
        """Whether a file's content is this chunk, bit for bit."""
        packed, checksum = content[:-_CHECKSUM], content[-_CHECKSUM:]
        return _checksum(packed) == checksum and np.array_equal(
            np.frombuffer(Zstd().decode(packed), np.uint8), self._plain(chunk).reshape(-1).view(np.uint8)
        )

    def _plain(self, chunk: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(chunk, self.dtype)


def _checksum(packed: bytes) -> bytes:
    value: int = google_crc32c.value(packed)
    return value.to_bytes(_CHECKSUM, "little")


def write_verified(path: Path, chunk: NDArray[Any], kind: ChunkFormat) -> bool:
    """Put a chunk there, whole or not at all, and read it back; whether it came back as it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")  # named as zarr's, and swept with them
    try:
        with temporary.open("wb") as file:
            file.writelines(kind.encoded(chunk))
        temporary.replace(path)
    except OSError:  # a full disk: let go of the room that the attempt took
        temporary.unlink(missing_ok=True)
        raise
    return kind.holds(path.read_bytes(), chunk)
