"""Who may ask, and what browsers may do with the answers. The dashboard has no log-in: it is meant for one machine.

A page of another site can make a browser ask here, also under a name that it has just pointed at this machine (DNS
rebinding): so the Host must be known, and a question that writes must come from the dashboard's own page. Bodies are
small. Whatever is malformed gets a line of text and a status below 500; the log has the rest.
"""

import hashlib
import ipaddress
import logging
import socket
from base64 import b64encode
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from dash import Dash
from dash.exceptions import DependencyException, InvalidCallbackReturnValue, PreventUpdate
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from distcari.dashboard.page import shell

MOST_BODY = 2 << 20  # bytes; a lasso around 3,000 points sends 0.8 MB
_SAFE = ("GET", "HEAD", "OPTIONS")
log = logging.getLogger(__name__)


def register(app: Dash, host: str = "127.0.0.1", allowed: Sequence[str] = ()) -> None:
    """Guard an app that listens on `host`; `allowed` are further names under which browsers reach it."""
    server: Flask = app.server
    server.config["MAX_CONTENT_LENGTH"] = MOST_BODY
    hosts, written = Hosts(host, allowed), policy(app)

    @server.before_request
    def known() -> Response | None:
        if not hosts.serves(request.headers.get("Host", "")):
            name = _name(request.headers.get("Host", ""))
            return line(
                403,
                f"This dashboard does not answer under the name {name[:100]!r}. "
                "Start it with --allow-host NAME if that is meant.",
            )
        if request.method not in _SAFE and not hosts.may_write(request.headers):
            return line(403, "This comes from a page of another site.")
        return None

    @server.after_request
    def guarded(answer: Response) -> Response:
        answer.headers["Content-Security-Policy"] = written
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    @server.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response | HTTPException:
        return line(error.code or 400, error.description or error.name) if (error.code or 0) >= 400 else error

    @server.errorhandler(DependencyException)
    def no_script(error: Exception) -> Response:
        return line(404, "There is nothing at this address.")

    @server.errorhandler(Exception)
    def failed(error: Exception) -> Any:
        if isinstance(error, PreventUpdate):
            return "", 204
        log.warning("%s %s: %s", request.method, request.path[:200], error, exc_info=error)
        if isinstance(error, OSError | InvalidCallbackReturnValue):
            return line(503, "This cannot be answered now; the server's log says why.")
        return line(400, "This question cannot be answered as it is; the server's log says why.")


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # browsers older than frame-ancestors
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",  # no other site shows or reads pictures
    "Cross-Origin-Opener-Policy": "same-origin",
}


def policy(app: Dash) -> str:
    """The Content-Security-Policy: scripts from here or with a known hash; nothing from anywhere else, nobody's frame.

    Styles may be inline: Plotly, Mantine and ag-grid write <style> elements without a nonce.
    """
    scheme = b64encode(hashlib.sha256(shell.SCHEME.encode()).digest()).decode()
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {' '.join(app.csp_hashes())} 'sha256-{scheme}'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


class Hosts:
    """The names that browsers may use for this server."""

    def __init__(self, host: str, allowed: Sequence[str]) -> None:
        self.named = {name.lower() for name in (host, *allowed)}
        self.wide = _address(host) is not None and not _loopback(host)  # others may come, by address or by name
        self.own = {socket.gethostname().lower(), socket.getfqdn().lower()} if self.wide else set()

    def serves(self, host: str) -> bool:
        """Whether a Host header is one of this server. An address cannot be rebound, a name can."""
        name = _name(host)
        return _loopback(name) or name in self.named | self.own or (self.wide and _address(name) is not None)

    def may_write(self, headers: Any) -> bool:
        """Whether a question comes from the dashboard's own page, or from no page at all (a script)."""
        if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("Origin")
        if origin is None:
            return True
        try:
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(netloc) and (netloc == headers.get("Host", "").lower() or _name(netloc) in self.named)


def line(status: int, text: str) -> Response:
    """One line of plain text."""
    return Response(text + "\n", status, mimetype="text/plain", headers={"Cache-Control": "no-store"})


def _name(netloc: str) -> str:
    """A host without its port, lower case; empty for nonsense."""
    try:
        return (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _loopback(name: str) -> bool:
    address = _address(name)
    return name == "localhost" or (address is not None and address.is_loopback)
