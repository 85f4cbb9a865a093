"""URLs, and servers that misbehave: every answer is the picture or a message that names the URL, soon, and no bad one
stays in the cache."""

import socketserver
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.shared import config

from distcari.config.experiment import Experiment
from distcari.errors import InputError
from distcari.sources import download
from distcari.sources.images import load_images

pytestmark = pytest.mark.timeout(120)
OK = b"HTTP/1.1 200 OK\r\n"
STRANGE_URLS = [
    "http://",
    "http:///x.png",
    "http://[::1",
    "http://[::1]:x/",
    "http://a:99999/x.png",
    "http://a:0/x.png",
    "http://a b/x.png",
    "http://127.0.0.1/a b.png",
    "http://127.0.0.1/a\r\nHost: evil/x.png",
    "http://127.0.0.1/é.png",
    "http://127.0.0.1/\0.png",
    "http://" + "a" * 300 + "/x.png",
    "http://127.0.0.1/" + "a" * 9000,
    "http://.../x.png",
    "http://127.0.0.1:1/x.png",
    "HTTPS://127.0.0.1:1/x.png",
    "http://user:pass@127.0.0.1:1/x.png",
    "http://xn--/x.png",
    "ftp://127.0.0.1/x.png",
    "file:///etc/passwd",
    "//127.0.0.1/x.png",
    "x",
    "http:x.png",
    "http://\ud83d\ude00/x.png",
    "http://127.0.0.1:1/%00%0d%0a.png",
    "http://127.0.0.1:1#x.png",
    "http://127.0.0.1:1/?",
    "http://0x7f.1:1/x.png",
]


class _Talker(socketserver.BaseRequestHandler):
    """Reads a request's first bytes and sends what the test has set, in pieces."""

    def handle(self):
        self.server.asked += 1
        if self.request.recv(4096):
            try:
                for piece in self.server.pieces():
                    self.request.sendall(piece)
            except OSError:
                pass  # the client has gone


@pytest.fixture
def talker(work, monkeypatch):
    monkeypatch.setenv("DISTCARI_CACHE", str(work / "cache"))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Talker) as server:
        server.daemon_threads, server.asked, server.pieces = True, 0, list
        server.address = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def image(url, **entry):
    made = Experiment.model_validate(config(images=[{"url": url, "name": "x"} | entry], input_size=32))
    return load_images(made, "c.yaml")[0]


def kept(work):
    return [p for p in work.glob("cache/**/*") if p.is_file()]


def refused(url, **entry):
    with pytest.raises(InputError) as error:
        image(url, **entry)
    assert error.value.where == "c.yaml: images[0].url" and error.value.remedy and "cache" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("url", STRANGE_URLS)
def test_strange_addresses_are_refused(work, url, monkeypatch):
    monkeypatch.setenv("DISTCARI_CACHE", str(work / "cache"))
    refused(url)
    assert not kept(work)


def answers(picture):
    """Names and answers of a server that misbehaves: lists of pieces."""
    length = f"Content-Length: {len(picture)}\r\n\r\n".encode()
    return {
        "nothing": [],
        "no HTTP": [b"SSH-2.0-OpenSSH_9.2\r\n"],
        "zeros": [bytes(5000)],
        "a picture at once": [picture],
        "half a status": [b"HTTP/1.1 2"],
        "status 999": [b"HTTP/1.1 999 X\r\n\r\n"],
        "status -1": [b"HTTP/1.1 -1 X\r\n\r\n"],
        "a long status": [b"HTTP/1.1 200 " + b"x" * 100_000],
        "404": [b"HTTP/1.1 404 Not Found\r\n\r\n", picture],
        "204": [b"HTTP/1.1 204 No Content\r\n\r\n"],
        "500": [b"HTTP/1.1 500 Oops\r\n\r\n", picture],
        "101 headers": [OK, *(b"X-%d: y\r\n" % i for i in range(101)), b"\r\n", picture],
        "a long header": [OK, b"X: " + b"y" * 100_000 + b"\r\n\r\n", picture],
        "zero bytes": [OK, b"\r\n"],
        "HTML": [OK, b"Content-Type: text/html\r\n\r\n<html>please log in</html>"],
        "JSON": [OK, b"\r\n{}"],
        "cut short": [OK, length, picture[: len(picture) // 2]],
        "cut without a length": [OK, b"\r\n", picture[:60]],
        "one byte short": [OK, length, picture[:-1]],
        "a false length": [OK, b"Content-Length: 99999999999\r\n\r\n", picture],
        "length of digits": [OK, b"Content-Length: " + b"9" * 6000 + b"\r\n\r\n", picture],
        "cut chunks": [OK, b"Transfer-Encoding: chunked\r\n\r\nff\r\n", picture[:20]],
        "no chunks": [OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", picture],
        "gzip": [OK, b"Content-Encoding: gzip\r\n\r\n\x1f\x8b" + picture],
        "to a file": [b"HTTP/1.1 302 X\r\nLocation: file:///etc/passwd\r\n\r\n"],
        "to nowhere": [b"HTTP/1.1 302 X\r\nLocation: \r\n\r\n"],
        "to ftp": [b"HTTP/1.1 301 X\r\nLocation: ftp://x\r\n\r\n"],
        "to a strange port": [b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:99999/\r\n\r\n"],
        "to CR LF": [b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/a%0d%0ab c\r\n\r\n"],
        "to itself": [b"HTTP/1.1 302 X\r\nLocation: /x.png\r\n\r\n"],
        "no reason": [b"HTTP/1.1 302 X\r\n\r\n"],
        "401": [b'HTTP/1.1 401 X\r\nWWW-Authenticate: Digest "\r\n\r\n'],
        "only blank lines": [b"\r\n" * 3000],
        "header without colon": [OK, b"nonsense\r\n\r\n"],
        "NUL in headers": [OK, b"X: \0\r\n\r\n"],
        "continue for ever": [b"HTTP/1.1 100 Continue\r\n\r\n"] * 50,
    }


NAMES = list(answers(b""))


@pytest.mark.parametrize("name", NAMES)
def test_bad_answers_are_refused_by_the_urls_name_and_not_kept(work, talker, name):
    picture = (work / "photos/one.png").read_bytes()
    pieces = answers(picture)[name]
    talker.pieces = lambda: pieces
    url = f"{talker.address}/x.png"
    assert url in refused(url) and not kept(work)
    talker.pieces = lambda: [OK, b"\r\n", picture]
    assert image(url).pixels.shape == (32, 32, 3) and len(kept(work)) == 1
    talker.pieces = list
    assert image(url).pixels.shape == (32, 32, 3)  # from the cache


@pytest.mark.parametrize("where", ["body", "headers", "status"])
def test_a_server_that_drips_is_left_after_the_total_time(work, talker, monkeypatch, where):
    monkeypatch.setattr(download, "SECONDS_IN_ALL", 0.5)
    ended = threading.Event()

    def drip():
        yield {"body": OK + b"Content-Length: 1000000\r\n\r\n", "headers": OK + b"X: ", "status": b"HTTP/1.1 2"}[where]
        while not ended.wait(0.02):
            yield b"0"

    talker.pieces = drip
    started = time.monotonic()
    assert "after 0.5 s" in refused(f"{talker.address}/x.png")
    assert time.monotonic() - started < 60 and not kept(work)
    ended.set()


def test_a_damaged_file_in_the_cache_is_fetched_again(work, talker):
    picture = (work / "photos/one.png").read_bytes()
    talker.pieces = lambda: [OK, b"\r\n", picture]
    url = f"{talker.address}/x.png"
    first = image(url)
    for damage in (b"", b"<html>", picture[:50]):
        kept(work)[0].write_bytes(damage)
        assert image(url).sha256 == first.sha256
    assert talker.asked == 4


def test_a_cache_that_takes_no_file_is_done_without(work, talker, monkeypatch):
    (work / "file").touch()
    monkeypatch.setenv("DISTCARI_CACHE", str(work / "file/below"))
    picture = (work / "photos/one.png").read_bytes()
    talker.pieces = lambda: [OK, b"\r\n", picture]
    assert image(f"{talker.address}/x.png").pixels.shape == (32, 32, 3)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_any_answer_is_a_picture_or_a_message(work, talker, data):
    picture = (work / "photos/one.png").read_bytes()
    whole = OK + f"Content-Length: {len(picture)}\r\n\r\n".encode() + picture
    cut = data.draw(st.integers(0, len(whole)))
    parts = [b"\r\n\r\n", b"HTTP/1.0 ", b"Transfer-Encoding: chunked\r\n"]
    put = data.draw(st.binary(max_size=40) | st.sampled_from(parts))
    end = data.draw(st.integers(cut, len(whole)))
    talker.pieces = lambda: [whole[:cut], put, whole[end:]]
    try:
        assert image(f"{talker.address}/{data.draw(st.integers(0, 10**9))}.png").pixels.shape == (32, 32, 3)
    except InputError as error:
        assert error.where and error.problem and error.remedy
