"""Images from the web: fetched once, cached, with a limit on size and, if given, a checksum."""

import hashlib
import os
import urllib.error
import urllib.request
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any

from distcari.errors import InputError

MOST_BYTES = 32 * 2**20
SECONDS = 10.0


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
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return Path(base) if base else home / "distcari"


def download(url: str, sha256: str | None, where: str) -> Path:
    """The file behind an http(s) URL. Raises InputError: not http(s), offline, over 32 MiB, another checksum."""
    if not url.startswith(("http://", "https://")):
        raise InputError(where, f"{url} is not an http(s) address", "Give `file:` for files.")
    target = cache_folder() / "images" / hashlib.sha256(url.encode()).hexdigest()[:32]
    if not target.is_file():
        content = _fetch(url, where)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        temporary.write_bytes(content)
        temporary.replace(target)
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    if sha256 and found != sha256.lower():
        target.unlink()
        raise InputError(where, f"{url} has SHA-256 {found}, not {sha256.lower()}",
                         "The file has changed there; check it and correct `sha256`.")
    return target


def _fetch(url: str, where: str) -> bytes:
    opener = urllib.request.build_opener(_HttpOnly)
    request = urllib.request.Request(url, headers={"User-Agent": "distcari"})
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            content: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(where, f"{url} cannot be fetched: {error}",
                         "Offline? Save the image here and give `file:`.") from None
    if len(content) > MOST_BYTES:
        raise InputError(where, f"{url} is larger than {MOST_BYTES >> 20} MiB", "Give a smaller copy as `file:`.")
    return content
