"""Images from the web: fetched once, checked, and only then cached; with limits on size and time."""

import hashlib
import http.client
import logging
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

from platformdirs import user_cache_path

from distcari.errors import InputError, typed_line

MOST_BYTES = 32 * 2**20
SECONDS = 10.0  # without a byte
SECONDS_IN_ALL = 60.0
_CHUNK = 2**16
_OFFLINE = "Offline? Save the image here and give `file:`."
log = logging.getLogger(__name__)
T = TypeVar("T")


class _HttpOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Any:
        """Refuse a redirect to a file or the like."""
        if not newurl.startswith(("http://", "https://")):
            raise urllib.error.URLError(f"redirected to {newurl}, which is not http(s)")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def cache_folder() -> Path:
    """Where downloads are kept: `$DISTCARI_CACHE`, else the user's cache folder."""
    base = os.environ.get("DISTCARI_CACHE")
    return Path(base) if base else user_cache_path("distcari")


def download(url: str, sha256: str | None, where: str, read: Callable[[bytes], T]) -> T:
    """What `read` makes of the bytes behind an http(s) URL; they are cached once it has taken them.

    Raises InputError, as `read` may: not http(s), offline, too slow, over 32 MiB, cut short, another checksum.
    """
    _check_url(url, where)
    kept = cache_folder() / "images" / hashlib.sha256(url.encode()).hexdigest()[:32]
    with suppress(OSError, InputError):  # what is damaged in the cache is fetched again
        content = kept.read_bytes()
        if _is(content, sha256):
            return read(content)
    content = _fetch(url, where)
    if not _is(content, sha256):
        found = hashlib.sha256(content).hexdigest()
        raise InputError(
            where,
            f"{url} has SHA-256 {found}, not {str(sha256).lower()}",
            "The file has changed there; check it and correct `sha256`.",
        )
    result = read(content)
    _keep(kept, content)
    return result


def _check_url(url: str, where: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise InputError(where, f"{url[:200]!r} is not an http(s) address", "Give `file:` for files.")
    strange = next((c for c in url if not "!" <= c <= "~"), None)
    if strange is not None:
        raise InputError(
            where,
            f"{url[:200]!a} holds {strange!a}, which no address may",
            "Percent-encode it, as browsers do in their address bar: %20 for a space.",
        )
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0 or len(url) > 8000:
            raise ValueError("no host, a wrong port, or too long")
        parts.hostname.encode("idna")
    except ValueError as error:
        raise InputError(where, f"{url[:200]} is not an address: {error}", "Correct it.") from None


def _is(content: bytes, sha256: str | None) -> bool:
    return sha256 is None or hashlib.sha256(content).hexdigest() == sha256.lower()


def _keep(path: Path, content: bytes) -> None:
    """Put a file into the cache at once or not at all; a cache that takes none costs another download, no more."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        log.warning("the cache takes no file: %s", error)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _fetch(url: str, where: str) -> bytes:
    """The bytes behind a URL, within the total time. In a thread of its own, since a server may drip even headers."""
    found: list[bytes | BaseException] = []

    def attempt() -> None:
        try:
            found.append(_answer(url, time.monotonic() + SECONDS_IN_ALL))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=attempt, name="download", daemon=True)
    thread.start()
    thread.join(SECONDS_IN_ALL)
    content = found[0] if found else TimeoutError(f"not whole after {SECONDS_IN_ALL:g} s")
    if isinstance(content, OSError | ValueError | http.client.HTTPException):
        raise InputError(where, f"{url} cannot be fetched: {typed_line(content)}", _OFFLINE) from None
    if isinstance(content, BaseException):
        raise content
    if len(content) > MOST_BYTES:
        raise InputError(where, f"{url} is larger than {MOST_BYTES >> 20} MiB", "Give a smaller copy as `file:`.")
    if not content:
        raise InputError(where, f"{url} answers with nothing", _OFFLINE)
    return content


def _answer(url: str, deadline: float) -> bytes:
    """The body of the answer, of one that is too large a little more than allowed. Raises OSError, HTTPException."""
    request = urllib.request.Request(url, headers={"User-Agent": "distcari"})
    content = bytearray()
    with urllib.request.build_opener(_HttpOnly).open(request, timeout=SECONDS) as answer:
        while len(content) <= MOST_BYTES and (more := answer.read1(_CHUNK)):
            content += more
            if time.monotonic() > deadline:
                raise TimeoutError(f"not whole after {SECONDS_IN_ALL:g} s")
        told = answer.headers.get("Content-Length")
    if told is not None and told.strip().isdigit() and len(content) < min(int(told), MOST_BYTES + 1):
        raise http.client.IncompleteRead(bytes(content), int(told) - len(content))
    return bytes(content)
