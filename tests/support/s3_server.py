"""A real S3 server for tests (moto's) in a process of its own, on two ports: one well behaved, one flaky.

`python s3_server.py SEED` prints one line of JSON, {"steady": port, "flaky": port}, and serves until its stdin closes.
Both ports show the same buckets. Access keys other than KEY are refused. At the flaky port every few requests meet a
fault: 503 SlowDown, 500, a connection reset in the middle of the upload, one reset after the request was carried out
(the answer is lost), one cut in the middle of the answer, or a delay. `GET /_faults` on the steady port counts them.
`PUT /_next/<fault>` there lets the flaky port's next PUT of an object meet that fault.
"""

import io
import json
import logging
import os
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

KEY = "tester"
FAULTS = ("slow down", "error", "cut upload", "lost answer", "cut answer", "delay")
SHARE = 0.15  # of the flaky port's requests that meet a fault
_ERROR = "<?xml version='1.0'?><Error><Code>{0}</Code><Message>{0}</Message></Error>"


class Reset(ConnectionError):
    """The connection was cut on purpose."""


class Handler(MotoRequestHandler):
    """Connections that stay open, and that can be cut without a word."""

    protocol_version = "HTTP/1.1"

    def connection_dropped(self, *_):
        """By us or by the client."""
        self.close_connection = True

    def log(self, *_):
        """Say nothing."""


class Steady:
    """moto, with conditional writes made atomic (moto looks and writes without a lock) and wrong keys refused."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.RLock()
        self.faults = Counter()
        self.next = []

    def __call__(self, environ, start):
        """WSGI."""
        path = environ["PATH_INFO"]
        if path == "/_faults":
            return _answer(start, "200 OK", json.dumps(self.faults))
        if path.startswith("/_next/"):
            self.next.append(path.removeprefix("/_next/"))
            return _answer(start, "200 OK", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if f"Credential={KEY}/" not in environ.get("HTTP_AUTHORIZATION", ""):
            return _answer(start, "403 Forbidden", _ERROR.format("InvalidAccessKeyId"))
        environ["wsgi.input"] = io.BytesIO(body)
        with self.lock:
            return list(self.moto.get_application(environ)(environ, start))


class Flaky:
    """The same, through a bad line."""

    def __init__(self, steady, seed):
        self.steady, self.random = steady, random.Random(seed)

    def __call__(self, environ, start):
        """WSGI."""
        fault = self._fault(environ)
        if fault is None:
            return self.steady(environ, start)
        with self.steady.lock:
            self.steady.faults[fault] += 1
        line = environ["werkzeug.socket"]
        if fault == "cut upload":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) // 2)
            _reset(line)
        if fault == "delay":
            time.sleep(self.random.uniform(0.05, 0.3))  # the fault itself
            return self.steady(environ, start)
        if fault in ("slow down", "error"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            busy = fault == "slow down"
            return _answer(
                start,
                "503 Slow Down" if busy else "500 Internal Server Error",
                _ERROR.format("SlowDown" if busy else "InternalError"),
            )
        told = []
        answer = b"".join(self.steady(environ, lambda *head: told.extend(head[:2])))
        if fault == "cut answer" and len(answer) > 1:
            head = "".join(f"{name}: {value}\r\n" for name, value in told[1])
            line.sendall(f"HTTP/1.1 {told[0]}\r\n{head}\r\n".encode() + answer[: len(answer) // 2])
        _reset(line)

    def _fault(self, environ):
        with self.steady.lock:
            if self.steady.next and environ["REQUEST_METHOD"] == "PUT":
                return self.steady.next.pop(0)
            return self.random.choice(FAULTS) if self.random.random() < SHARE else None


def _reset(line):
    """End a connection with a reset, not a farewell."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(line.detach())
    raise Reset


def _answer(start, status, text):
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
    return [text.encode()]


def main(seed):
    """Serve until stdin closes."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    steady = Steady()
    ports = {}
    for name, app in (("steady", steady), ("flaky", Flaky(steady, seed))):
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Handler)
        ports[name] = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(ports), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
