"""SHA-256 of files, by threads while others work."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from distcari.sources.validation import check_file

_PIECE = 2**23  # bytes: between two pieces a thread waits for Python, milliseconds where others compute


class Digests:
    """Digests of files, begun early by threads of its own; what is not asked for is given up at its end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor()
        self._of: dict[str, Future[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def begin(self, file: Path, where: str) -> None:
        """Let a thread read the file, once. Raises InputError for what is no file: a device would never end."""
        if str(file) not in self._of:
            check_file(file, where)
            self._of[str(file)] = self._pool.submit(file_sha256, file)

    def of(self, file: str) -> str:
        """The digest (hex) of a file that was begun, waited for."""
        return self._of[file].result()


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file, streamed."""
    total, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total.update(buffer[:count])
    return total.hexdigest()
