"""The production server as users start it: many half-open connections, large bodies, other names; and Back."""

import http.client
import json
import socket
import threading

import pytest
from support.dashboard_store import finish, grid, prepare
from support.pages import until

from distcari.dashboard import serving
from distcari.dashboard.app import create_app
from distcari.dashboard.security import MOST_BODY
from distcari.store import Store


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("s")), writable=True)
    g = grid(models=("m", "n", "o", "p", "q"), seeds=(0,))
    finish(store, prepare(store, g), g, g.cells())
    server = serving.create(create_app(store), "127.0.0.1", 0)
    threading.Thread(target=server.run, daemon=True).start()
    yield int(server.effective_port)
    server.close()


def ask(port, method="GET", path="/", body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders())


def test_half_open_connections_keep_nobody_out(port):
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
    for one in waiting:
        one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    try:
        assert ask(port)[0] == 200
    finally:
        for one in waiting:
            one.close()


def test_a_large_body_is_refused_unread(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as one:
        one.sendall(
            b"POST /_dash-update-component HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % (30 << 20)
        )
        assert b" 413 " in one.recv(100)
    most = "x" * (MOST_BODY - 9)
    assert ask(port, "POST", "/_dash-update-component", most, Content_Type="application/json")[0] == 400


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8050", "10.0.0.1", "", "[::1", "x" * 300]
)
def test_another_name_is_refused(port, host):
    assert ask(port, Host=host)[0] in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1234", "[::1]:80", "LOCALHOST", "localhost."])
def test_loopback_is_known(port, host):
    assert ask(port, Host=host)[0] == 200


def test_only_the_own_page_writes(port):
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": f"http://localhost:{port + 1}"},
        {"Origin": "http://[bad"},
    ):
        named = {name.replace("-", "_"): value for name, value in headers.items()}
        assert ask(port, "POST", "/_dash-update-component", "{}", Host=f"localhost:{port}", **named)[0] == 403
    own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}", "Content_Type": "application/json"}
    asked = {
        "output": "version.data",
        "outputs": {"id": "version", "property": "data"},
        "changedPropIds": [],
        "inputs": [{"id": "tick", "property": "n_intervals", "value": 1}],
        "state": [{"id": "version", "property": "data", "value": 0}],
    }
    status, said, _ = ask(port, "POST", "/_dash-update-component", json.dumps(asked), **own)
    assert status == 200 and json.loads(said)["response"]["version"]["data"] >= 1


def test_allowed_names_and_wide_addresses(tmp_path):
    store = Store(str(tmp_path / "none"))
    named = create_app(store, host="10.1.2.3", allow_hosts=["cari.example"]).server.test_client()
    for host, status in (
        ("cari.example", 200),
        ("CARI.example:8050", 200),
        ("10.1.2.3", 200),
        ("10.9.9.9", 200),
        ("other.example", 403),
        (socket.gethostname(), 200),
    ):
        assert named.get("/", headers={"Host": host}).status_code == status, host
    proxied = named.post("/", headers={"Host": "10.1.2.3", "Origin": "https://cari.example"})
    assert proxied.status_code == 405, "it may ask, only not that"


def test_answers_say_what_browsers_may_do(port):
    for path in ("/", "/sheet.png", "/picture/x.png", "/nowhere/x", "/assets/app.css", "/_dash-layout"):
        headers = ask(port, path=path)[2]
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "unsafe-eval" not in policy
        assert "'unsafe-inline'" not in policy.partition("style-src")[0]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"


def test_compare_is_where_it_was_on_back(port, browser):
    page = browser.new_page(viewport={"width": 700, "height": 420})
    page.goto(f"http://127.0.0.1:{port}/?rows=model&cols=layer")
    page.wait_for_selector(".tile.done img")
    page.evaluate("document.querySelector('.stage').scrollTo(0, 250)")
    until(page, "(sessionStorage.getItem('distcari-scroll') || '').includes('250')")
    page.evaluate("document.querySelector('.tile.done a').click()")
    page.wait_for_selector(".large img")
    page.go_back()
    until(page, "document.querySelector('.stage')?.scrollTop === 250")
    page.close()
