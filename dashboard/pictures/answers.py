"""How pictures are answered: cached by content, refusals and failures as one line of plain text.

What an address names is looked up in the catalog; no part of it reaches a file system.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cachetools import LRUCache
from flask import Response, request

from distcari.dashboard.data.pictures import ChangedPicture, PictureError, SizesDiffer, UnknownPicture

_FOREVER, _ASK = "public, max-age=31536000, immutable", "no-cache"
_STATUS: dict[type[PictureError], int] = {UnknownPicture: 404, SizesDiffer: 400, ChangedPicture: 503}
log = logging.getLogger(__name__)


class Refused(Exception):
    """An answer that is not the picture: status and one line of text."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


class Memory:
    """The most recently used answers, by name, up to a number of bytes. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._items: LRUCache[tuple[Any, ...], bytes] = LRUCache(limit, getsizeof=len)
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return int(self._items.currsize)

    def get(self, name: tuple[Any, ...], make: Callable[[], bytes]) -> bytes:
        """What is known by that name, or what `make` gives."""
        with self._lock:
            known = self._items.get(name)
        if known is not None:
            return known
        content = make()
        with self._lock:
            if len(content) <= self._items.maxsize:
                self._items[name] = content
        return content


def answer(memory: Memory, sha: str, name: tuple[Any, ...], mime: str, make: Callable[[], bytes]) -> Response:
    """The file, or 304 if the browser has it; immutable if the address holds the content's hash."""
    etag = hashlib.sha256(repr((sha, *name)).encode()).hexdigest()[:32]
    version = request.args.get("v", "")
    headers = {"Cache-Control": _FOREVER if len(version) >= 8 and sha.startswith(version) else _ASK}
    if request.if_none_match.contains_weak(etag):
        found = Response(status=304, headers=headers)
    else:
        found = Response(memory.get((sha, *name), make), mimetype=mime, headers=headers)
    found.set_etag(etag)
    return found


def in_one_line(view: Callable[..., Response]) -> Callable[..., Response]:
    """A view whose refusals and failures are one line of plain text."""

    def answered(**parts: str) -> Response:
        try:
            return view(**parts)
        except Refused as refusal:
            status, line = refusal.status, refusal.line
        except PictureError as error:
            status, line = _STATUS.get(type(error), 503), str(error)
        except Exception as error:
            log.warning("%s: %s: %s", request.path, type(error).__name__, error)
            status, line = 503, "This cannot be read now; the server's log says why."
        return Response(line + "\n", status, mimetype="text/plain", headers={"Cache-Control": "no-store"})

    return answered


def one_of(name: str, known: Sequence[str] | Mapping[str, Any], default: str | None = None) -> str:
    """A parameter of the address that is one of these. Raises Refused (400)."""
    given = request.args.get(name, default)
    if given is None or given not in known:
        raise Refused(400, f"{name} is one of {', '.join(known)}.")
    return given
