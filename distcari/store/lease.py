"""One driver at a time: a lease with a heartbeat in the store, the same on folders and object stores.

The lease is a small file that is only ever changed by compare-and-swap. Its holder renews it every few seconds. Who
finds one that is not renewed for `TTL` seconds, or whose process is dead on this machine, takes it over; the former
holder, should it wake up again, notices before its next commit and stops.
"""

import contextlib
import getpass
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from distcari.errors import InputError, is_full
from distcari.store.files import Files, process_lives
from distcari.store.object_files import summary

log = logging.getLogger("distcari.lease")
BEAT, TTL = 5.0, 30.0
_FIELDS = {
    "owner": str,
    "host": str,
    "machine": str,
    "pid": int,
    "user": str,
    "taken_at": str,
    "beat_at": str,
    "beat": int,
}
_AGAIN = "See that nobody else works on it, then give the same command again."


class LeaseLost(RuntimeError):
    """Another driver has taken the lease over, or it could not be renewed in time: nothing more may be committed.

    `remedy` says what to do next.
    """

    def __init__(self, problem: str, remedy: str = "The other run does the rest.") -> None:
        super().__init__(problem)
        self.remedy = remedy


class Lease:
    """A lease that is held; use as a context manager."""

    def __init__(self, files: Files, name: str, record: dict[str, Any], beat: float, ttl: float) -> None:
        self.files, self.name, self.beat, self.ttl = files, name, beat, ttl
        self.path = _path(name)
        self._record = record
        self._renewed = time.monotonic()
        self._lost: LeaseLost | None = None
        self._mutex = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Lease":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Commit something inside: raises LeaseLost before it if the lease is no longer ours, or after it if it was
        taken meanwhile. On a folder nobody can take it meanwhile."""
        with self._mutex, self.files.locked(self.path):
            self._check()
            yield
            self._check()

    def release(self) -> None:
        """Let the next driver have it at once."""
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        with contextlib.suppress(Exception):  # it lapses by itself
            self._put({"owner": "", "released_at": _now()})

    def _check(self) -> None:
        if self._lost is None:
            try:
                self._found()
            except LeaseLost as error:
                self._lost = error
        if self._lost is not None:
            raise LeaseLost(str(self._lost), self._lost.remedy)

    def _found(self) -> bytes:
        """The lease as it lies there. Raises LeaseLost unless it is ours, be it by a renewal whose answer was lost."""
        found = _read(self.files, self.path)
        if found is None:
            raise LeaseLost(f"the lease of {self.name} is gone from the store: somebody deleted {self.path}", _AGAIN)
        record = _record(found)
        if record.get("owner") != self._record["owner"]:
            if not record.get("owner"):
                raise LeaseLost(f"the lease of {self.name} is nobody's any more: {self.path} was written over", _AGAIN)
            raise LeaseLost(f"the lease of {self.name} was taken over by {_holder(record)}")
        return found

    def _put(self, changes: dict[str, Any]) -> None:
        record = self._record | changes
        if not self.files.swap(self.path, self._found(), _encoded(record)):
            raise LeaseLost(f"the lease of {self.name} was taken over by {_who(self.files, self.path)}")
        self._record = record

    def _keep(self) -> None:
        while not self._over.wait(self.beat):
            try:
                with self._mutex:
                    if self._lost is None:
                        self._renew()
            except LeaseLost as error:
                self._lost = error
            except Exception as error:
                log.warning("the lease of %s could not be renewed: %s", self.name, error)
                if time.monotonic() - self._renewed > self.ttl:
                    self._lost = LeaseLost(
                        f"the lease of {self.name} could not be renewed for {self.ttl:g} s: {error}",
                        "Mend the store, then give the same command again.",
                    )

    def _renew(self) -> None:
        self._put({"beat": self._record["beat"] + 1, "beat_at": _now()})
        self._renewed = time.monotonic()


def take(files: Files, name: str, *, beat: float = BEAT, ttl: float = TTL) -> Lease:
    """Take the lease called `name`, over a stale one if need be.

    Raises InputError naming who holds it, or saying why the store lets nobody have it.
    """
    try:
        return _take(files, name, beat, ttl)
    except InputError:
        raise
    except Exception as error:  # an object store's errors are no OSError
        if is_full(error):
            raise InputError(
                f"store lease {name!r}",
                f"there is no room in the store: {summary(error)}",
                "Make room, then give the same command again.",
            ) from error
        raise InputError(
            f"store lease {name!r}", f"cannot be taken: {summary(error)}", "See that the store may be written."
        ) from error


def _take(files: Files, name: str, beat: float, ttl: float) -> Lease:
    found = _read(files, _path(name))
    if found is not None and not _free(files, name, found, ttl):
        record = _record(found)
        raise InputError(
            f"store lease {name!r}",
            f"is held by {_holder(record)}, whose last sign of life came {max(0.0, _age(record)):.0f} s ago",
            f"Wait for it to end, or stop it; if it is dead, its lease lapses {ttl:.0f} s after that sign.",
        )
    record = {
        "owner": uuid.uuid4().hex,
        "host": socket.gethostname(),
        "machine": _machine(),
        "pid": os.getpid(),
        "user": _user(),
        "taken_at": _now(),
        "beat_at": _now(),
        "beat": 0,
    }
    try:
        won = files.swap(_path(name), found, _encoded(record))
    except TimeoutError:
        raise InputError(
            f"store lease {name!r}",
            f"is in the hands of {_holder(_record(found or b''))}, which was stopped in the middle of a commit",
            "Let that process go on, or kill it.",
        ) from None
    if not won:
        raise InputError(
            f"store lease {name!r}",
            f"was taken at this moment by {_who(files, _path(name))}",
            "Wait for it to end, or stop it.",
        )
    return Lease(files, name, record, beat, ttl)


def _free(files: Files, name: str, found: bytes, ttl: float) -> bool:
    record = _record(found)
    if not record.get("owner"):
        return True
    if record["machine"] == _machine() and not process_lives(record["pid"]):
        return True
    if abs(_age(record)) < ttl:
        return False
    # Clocks of two machines may differ by more than that: see whether it still beats.
    log.warning(
        "the lease of %s was last renewed at %s by %s; looking whether it is still alive",
        name,
        record["beat_at"],
        _holder(record),
    )
    time.sleep(2 * BEAT if record["machine"] != _machine() else 0.0)
    return _read(files, _path(name)) == found


def _path(name: str) -> str:
    if {"/", "\\", "\0"} & set(name):
        raise InputError(f"experiment {name!r}", "is no name of an experiment", "Use letters, digits, dots and dashes.")
    return f"leases/{name}.json"


def _read(files: Files, path: str) -> bytes | None:
    try:
        return files.read(path)
    except FileNotFoundError:
        return None


def _record(content: bytes) -> dict[str, Any]:
    """A lease's record; one that cannot be read (a torn copy of a store) counts as nobody's."""
    try:
        record = dict(json.loads(content))
        sound = all(isinstance(record.get(name), kind) for name, kind in _FIELDS.items())
        return record if sound and _age(record) is not None else {}
    except (TypeError, ValueError, RecursionError):
        return {}


def _encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def _age(record: dict[str, Any]) -> float:
    """Seconds since the last sign of life, by this machine's clock."""
    return (datetime.now(UTC) - datetime.fromisoformat(record["beat_at"])).total_seconds()


def _who(files: Files, path: str) -> str:
    return _holder(_record(_read(files, path) or b"{}"))


def _holder(record: dict[str, Any]) -> str:
    if not record.get("owner"):
        return "nobody"
    return f"process {record['pid']} of {record['user']} on {record['host']} (since {record['taken_at'][:19]} UTC)"


def _machine() -> str:
    """This machine, boot and process namespace: where a process number means the same."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _now() -> str:
    return datetime.now(UTC).isoformat()
