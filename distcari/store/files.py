"""Small whole files of a store (index parts, notes of runs) on a folder or an object store, replaced atomically.

A folder: temporary name, fsync, rename. An object store (through obstore): one PUT, which is atomic by itself.
"""

import contextlib
import errno
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import filelock

from distcari.errors import InputError, one_line
from distcari.store.object_files import PATIENCE, ObjectFiles, object_store

_HOST = re.sub(r"[^A-Za-z0-9.]", ".", socket.gethostname()) or "host"
_TEMPORARY = re.compile(r"_tmp-(?P<host>[A-Za-z0-9.]+)-(?P<pid>\d+)-")
LOCKED = 10.0  # seconds to wait for a folder's lock
_NO_STORE = (
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTEMPTY,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
)
_OLD = 3600.0  # seconds after which another machine's temporary file is nobody's
_writing: set[Path] = set()  # this process's temporaries


class Files(Protocol):
    """Flat folders of small files, by relative path."""

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; empty if there is no such folder."""

    def read(self, path: str) -> bytes:
        """A file's bytes; FileNotFoundError if there is none."""

    def source(self, path: str) -> Any:
        """What pyarrow can read a file from without more of it than it needs; FileNotFoundError if there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Put a whole file there, or leave what was there: nothing in between is ever seen."""

    def delete(self, path: str) -> None:
        """Remove a file; no error if it is gone already."""

    def rename(self, path: str, to: str) -> None:
        """Give a file another name, over whatever has it; FileNotFoundError if there is none."""

    def swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        """Put `new`, unlike what anybody else puts, there if the file still is `old` (None: absent); whether it was.

        Atomic among all callers.
        """

    def sweep(self, folder: str) -> None:
        """Remove temporaries that a crash left; those of living writers stay."""

    def locked(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Keep `swap` of a path waiting meanwhile, where the storage can (a folder); else nothing."""


class FolderFiles:
    """Files below a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted."""
        with contextlib.suppress(FileNotFoundError), self._sound(folder):
            return sorted(entry.name for entry in os.scandir(self.root / folder) if not entry.is_dir())
        return []

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        with self._sound(path):
            return (self.root / path).read_bytes()

    def source(self, path: str) -> Any:
        """The file's path."""
        with self._sound(path):
            (self.root / path).stat()
        return str(self.root / path)

    def write(self, path: str, content: bytes) -> None:
        """Temporary file whose name readers ignore (`_tmp-`), fsync, rename, fsync of the folder."""
        with self._sound(path):
            self._write(self.root / path, content)

    def _write(self, target: Path, content: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"_tmp-{_HOST}-{os.getpid()}-{threading.get_ident()}-{target.name}")
        _writing.add(temporary)
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError:  # a full disk: let go of the room that the attempt took
            temporary.unlink(missing_ok=True)
            raise
        finally:
            _writing.discard(temporary)
        sync_folder(target.parent)

    def delete(self, path: str) -> None:
        """Remove a file."""
        with self._sound(path):
            (self.root / path).unlink(missing_ok=True)

    def rename(self, path: str, to: str) -> None:
        """Rename, then fsync of the folder."""
        with self._sound(path):
            (self.root / path).replace(self.root / to)
            sync_folder((self.root / to).parent)

    def swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        """Compare and replace under an advisory lock (flock) beside the file."""
        with self.locked(path):
            try:
                found: bytes | None = self.read(path)
            except FileNotFoundError:
                found = None
            if found != old:
                return False
            self.write(path, new)
            return True

    def sweep(self, folder: str) -> None:
        """Remove temporaries of dead processes, and of other machines if they are old."""
        for name in self.list(folder):
            if name.startswith("_tmp-") and not self._alive(f"{folder}/{name}", _TEMPORARY.match(name)):
                self.delete(f"{folder}/{name}")

    @contextlib.contextmanager
    def locked(self, path: str) -> Iterator[None]:
        """Hold the path's lock; TimeoutError if somebody keeps it for `LOCKED` s (a process stopped in the middle)."""
        beside = self.root / path
        lock = filelock.FileLock(beside.with_name(f"_lock-{beside.name}"), timeout=LOCKED, poll_interval=0.01)
        try:
            with self._sound(path):
                beside.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
        except filelock.Timeout:
            raise TimeoutError(f"{beside} is locked by another process that does not let go") from None
        try:
            yield
        finally:
            lock.release()

    def _sound(self, path: str) -> contextlib.AbstractContextManager[None]:
        return sound_path(self.root / path)

    def _alive(self, path: str, made_by: re.Match[str] | None) -> bool:
        if made_by is None:
            return False
        if made_by["host"] == _HOST:
            pid = int(made_by["pid"])
            return process_lives(pid) if pid != os.getpid() else self.root / path in _writing
        try:
            return time.time() - (self.root / path).stat().st_mtime < _OLD
        except FileNotFoundError:
            return False


@contextlib.contextmanager
def sound_path(path: Path) -> Iterator[None]:
    """Turn what no folder of a store does (a file in a folder's place, a name too long) into an InputError."""
    try:
        yield
    except (OSError, ValueError) as error:
        if "null" in str(error) if isinstance(error, ValueError) else error.errno in _NO_STORE:
            raise _misplaced(path, error) from None
        raise


def _misplaced(path: Path, error: Exception) -> InputError:
    path = Path(getattr(error, "filename", None) or path)
    problem = {
        errno.ENOTDIR: "is a file where a folder should be, or lies below one",
        errno.EEXIST: "is a file where a folder should be",
        errno.EISDIR: "is a folder where a file should be",
        errno.ENOTEMPTY: "is a folder where a file should be",
        errno.ELOOP: "is a loop of symbolic links",
        errno.ENAMETOOLONG: "has a name that is too long",
        errno.EACCES: "may not be read or written by this user",
        errno.EPERM: "may not be read or written by this user",
    }.get(getattr(error, "errno", 0), f"is no path of a file: {one_line(error)}")
    shown = str(path).replace("\0", "\\0")
    return InputError(f"store {shown[:300]}", problem, "Move it away or mend it, or give another place for the store.")


def process_lives(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_local(url: str) -> bool:
    """Whether the URL names a folder of this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> Path:
    """The folder that a local URL names, absolute. Raises InputError for what names none."""
    if not url.strip() or "\0" in url:
        raise InputError(f"store {url!r}", "names no folder", "Give a folder, or s3://bucket/prefix.")
    try:
        return Path(urlsplit(url).path if url.startswith("file://") else url).expanduser().absolute()
    except (RuntimeError, ValueError) as error:  # ~nosuchuser
        raise InputError(f"store {url}", one_line(error), "Give a folder, or s3://bucket/prefix.") from None


def open_files(url: str, options: Mapping[str, Any], patience: float = PATIENCE) -> Files:
    """The store's small files."""
    if is_local(url):
        return FolderFiles(local_path(url))
    return ObjectFiles(object_store(url, options, patience), patience)
