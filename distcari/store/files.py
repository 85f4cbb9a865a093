"""Small whole files of a store (index parts, notes of runs) on a folder or an object store, replaced atomically.

A folder: temporary name, fsync, rename. An object store (through obstore): one PUT, which is atomic by itself.
"""

import contextlib
import errno
import io
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import filelock
import tenacity

from distcari.errors import InputError, one_line

log = logging.getLogger("distcari.store")
_HOST = re.sub(r"[^A-Za-z0-9.]", ".", socket.gethostname()) or "host"
_TEMPORARY = re.compile(r"_tmp-(?P<host>[A-Za-z0-9.]+)-(?P<pid>\d+)-")
_FSSPEC = {"key": "access_key_id", "secret": "secret_access_key", "token": "session_token", "region_name": "region",
           "endpoint_url": "endpoint", "anon": "skip_signature"}
PATIENCE, HASTE = 180.0, 5.0  # seconds for which a request to an object store is tried again; at the first contact
LOCKED = 10.0  # seconds to wait for a folder's lock
_TRIES = 5
_NO_STORE = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENOTEMPTY, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES,
             errno.EPERM)
_OLD = 3600.0  # seconds after which another machine's temporary file is nobody's
_writing: set[Path] = set()  # this process's temporaries
T = TypeVar("T")


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


class ObjectFiles:
    """Files below a prefix of an object store.

    obstore tries reads and plain writes again whatever happens to the line, but a conditional write, a deletion, a copy
    or a listing only where the server itself asked for it; those are repeated here.
    """

    def __init__(self, objects: Any, patience: float = PATIENCE) -> None:
        self.objects, self.patience = objects, patience

    def list(self, folder: str) -> list[str]:
        """Names of the objects directly below a prefix, sorted."""
        import obstore

        found = _again(lambda: obstore.list_with_delimiter(self.objects, folder + "/")["objects"], self.patience)
        return sorted(entry["path"].rpartition("/")[2] for entry in found)

    def read(self, path: str) -> bytes:
        """An object's bytes."""
        import obstore

        return _again(lambda: bytes(obstore.get(self.objects, path).bytes()), self.patience)

    def source(self, path: str) -> Any:
        """The object's bytes: parts are read whole, with one request each."""
        return io.BytesIO(self.read(path))

    def write(self, path: str, content: bytes) -> None:
        """One PUT."""
        import obstore

        _again(lambda: obstore.put(self.objects, path, content), self.patience)

    def delete(self, path: str) -> None:
        """Remove an object."""
        import obstore

        with contextlib.suppress(FileNotFoundError):
            _again(lambda: obstore.delete(self.objects, path), self.patience)

    def rename(self, path: str, to: str) -> None:
        """A copy on the server, then a deletion: the copy appears whole."""
        import obstore

        _again(lambda: obstore.copy(self.objects, path, to), self.patience)
        self.delete(path)

    def swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        """A conditional PUT (If-None-Match or If-Match), which S3, GCS and Azure decide atomically."""
        return _again(lambda: self._swap(path, old, new), self.patience)

    def _swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        content, tag = self._tagged(path)
        if content != old:
            return content == new  # ours, and only its answer was lost
        try:
            obstore.put(self.objects, path, new, mode="create" if old is None else {"e_tag": tag})
        except FileNotFoundError:
            if old is None:  # there is no such bucket
                raise
            return False
        except (AlreadyExistsError, PreconditionError):
            return self._tagged(path)[0] == new
        return True

    def _tagged(self, path: str) -> tuple[bytes | None, str | None]:
        import obstore

        try:
            found = obstore.get(self.objects, path)
            return bytes(found.bytes()), found.meta["e_tag"]
        except FileNotFoundError:
            return None, None

    def sweep(self, folder: str) -> None:
        """Nothing: an object store has no half-written objects."""

    def locked(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Nothing to hold: see `Lease.held`, which looks again afterwards."""
        return contextlib.nullcontext()


def _again(action: Callable[[], T], patience: float) -> T:
    """Do it, and again for so many seconds if the line to the object store breaks."""
    return tenacity.Retrying(stop=_enough(patience), **_RETRY)(action)


async def again_async(action: Callable[[], Awaitable[T]]) -> T:
    """As `_again`."""
    async def attempt() -> T:  # tenacity awaits what is a coroutine function alone, no lambda
        return await action()

    return await tenacity.AsyncRetrying(stop=_enough(PATIENCE), **_RETRY)(attempt)


def _enough(patience: float) -> Any:
    return tenacity.stop_after_attempt(_TRIES) | tenacity.stop_after_delay(patience)


def _line_broke(error: BaseException) -> bool:
    """Whether an error is the connection's or the server's passing trouble, no answer to the request."""
    from obstore.exceptions import GenericError

    return isinstance(error, GenericError) and re.search(r"status code: [34]\d\d", str(error)) is None


_RETRY: dict[str, Any] = {
    "retry": tenacity.retry_if_exception(_line_broke), "reraise": True,
    "wait": tenacity.wait_exponential(multiplier=0.1, exp_base=4, max=6.4) + tenacity.wait_random(0, 0.1),
    "before_sleep": tenacity.before_sleep_log(log, logging.DEBUG),
}


def summary(error: BaseException) -> str:
    """What an error says, in a line; of an object store's page of text the server's own word for it."""
    text = one_line(error, 100_000)
    code = re.search(r"<Code>(\w+)</Code>", text)
    return f"the server says {code[1]} ({type(error).__name__})" if code else text.partition(" Debug source:")[0][:300]


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
        errno.EISDIR: "is a folder where a file should be", errno.ENOTEMPTY: "is a folder where a file should be",
        errno.ELOOP: "is a loop of symbolic links", errno.ENAMETOOLONG: "has a name that is too long",
        errno.EACCES: "may not be read or written by this user", errno.EPERM: "may not be read or written by this user",
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


def object_store(url: str, options: Mapping[str, Any], patience: float = PATIENCE) -> Any:
    """The obstore store for `s3://bucket/prefix` (or gs, az); credentials from the environment or `options`.

    Throttling (429, 503), server errors and lost connections are tried again for `patience` seconds.
    """
    from obstore.store import from_url

    try:
        return from_url(url, **_obstore_options(options, patience))
    except Exception as error:
        raise InputError(
            f"store {url}", f"cannot be opened: {summary(error)}",
            "Give a folder, or s3://bucket/prefix with credentials in the environment or in `store_options`.",
        ) from None


def _obstore_options(options: Mapping[str, Any], patience: float) -> dict[str, Any]:
    """Options of obstore as they are, those of fsspec's s3fs under obstore's names, retries if none are given."""
    given = {name: value for name, value in options.items() if value is not None}
    given = dict(given.pop("client_kwargs", {})) | given
    flat: dict[str, Any] = {_FSSPEC.get(name, name): value for name, value in given.items()}
    flat = {name: str(value) if type(value) in (int, float) else value for name, value in flat.items()}
    endpoint = str(flat.get("endpoint", "http://"))
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"the endpoint {endpoint!r} does not begin with http:// or https://")
    if "use_ssl" in flat:
        flat["client_options"] = {"allow_http": not flat.pop("use_ssl"), **flat.get("client_options", {})}
    if endpoint.startswith("http://"):
        flat["client_options"] = {"allow_http": True, **flat.get("client_options", {})}
    # Each pause is drawn from 0.1 s … 4 × the last one, so they double on average; the number of tries is no limit.
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=15), "base": 4}
    retries = {"max_retries": 1000, "retry_timeout": timedelta(seconds=patience), "backoff": backoff}
    return {"retry_config": retries, **flat}


def open_files(url: str, options: Mapping[str, Any], patience: float = PATIENCE) -> Files:
    """The store's small files."""
    if is_local(url):
        return FolderFiles(local_path(url))
    return ObjectFiles(object_store(url, options, patience), patience)
