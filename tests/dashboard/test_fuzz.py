"""Anything that can be sent: addresses, questions to callbacks, pictures, notes. No 500, no trace, no hang.

More attempts: FUZZ=20 multiplies them.
"""

import json
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.dashboard_store import fail, finish, grid, note, prepare

from distcari.dashboard.app import VIEWS, create_app
from distcari.dashboard.data.notes import LONGEST, PATH
from distcari.store import Store

TIMES = int(os.environ.get("FUZZ", "1"))
SLOWEST = 60.0  # seconds, of one answer on a busy machine: a hang, not slowness
FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def attempts(count):
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=FIXTURES, derandomize=TIMES == 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("fuzz")), writable=True)
    g = grid(seeds=(0,))
    arrays, cells = prepare(store, g), list(g.cells())
    finish(store, arrays, g, cells[:6])
    fail(store, g, cells[7])
    note(store, "e", running=[cells[8]])
    return store


@pytest.fixture(scope="module")
def app(store):
    return create_app(store)


@pytest.fixture(scope="module")
def client(app):
    return app.server.test_client()


def sound(answer, started):
    assert answer.status_code < 500, (answer.status_code, answer.get_data(as_text=True)[:200])
    assert b"Traceback" not in answer.data and b"site-packages" not in answer.data
    assert time.monotonic() - started < SLOWEST
    return answer


texts = st.text(max_size=30) | st.sampled_from(
    [
        "\0",
        "\ud800",
        "%00",
        "%ff",
        "../../etc/passwd",
        "[" * 5000,
        "9" * 5000,
        "-1",
        "1e999",
        "nan",
        "=1+1",
        "a" * 20_000,
        '{"gain": {"filterType": "number", "type": "inRange", "filter": 1e400}}',
        "٣",
        "javascript:alert(1)",
    ]
)
known = st.sampled_from(
    [
        "e",
        "m",
        "n",
        "cat",
        "x",
        "y",
        "0",
        "gain",
        "model",
        "layer",
        "image",
        "seed",
        "matrix",
        "heat",
        "scatter",
        "difference",
        "swipe",
        "fit",
        "signed",
        "shared",
        "1",
        "-gain,model",
        "finished_at",
    ]
)
names = texts | st.sampled_from(
    [
        "view",
        "exp",
        "rows",
        "cols",
        "sort_rows",
        "sort_cols",
        "cell",
        "at.model",
        "at.image",
        "at.seed",
        "a.model",
        "a.layer",
        "a.experiment",
        "b.model",
        "b.seed",
        "c.x",
        "compare.row0",
        "compare.col0",
        "compare.label",
        "explore.kind",
        "explore.x",
        "explore.y",
        "explore.by",
        "explore.in_layer",
        "explore.sel",
        "explore.of",
        "explore.group",
        "explore.pair",
        "explore.fig",
        "side.mode",
        "side.kind",
        "side.scale",
        "side.norm",
        "side.match",
        "side.channel",
        "side.left",
        "table.filter",
        "table.sort",
        "run.id",
        "notes.edit",
    ]
)
queries = st.lists(st.tuples(names, known | texts), max_size=6)


def searched(view, pairs):
    from urllib.parse import quote

    parts = [("view", view), *pairs]
    return "?" + "&".join("=".join(quote(text, safe=".", errors="replace") for text in part) for part in parts)


PATHS = [
    "/",
    "/sheet.png",
    "/index.csv",
    "/notes.md",
    "/notes.csv",
    "/notes.html",
    "/_dash-layout",
    "/_dash-dependencies",
    "/_favicon.ico",
]


@attempts(40)
@given(st.sampled_from(PATHS), st.sampled_from(list(VIEWS)), queries)
def test_addresses(client, path, view, pairs):
    sound(client.get(path + searched(view, pairs)), time.monotonic())


raw_paths = st.builds(
    "{}/{}".format,
    st.sampled_from(
        [
            "",
            "/picture",
            "/input",
            "/input/e",
            "/match",
            "/npy",
            "/difference",
            "/stretched",
            "/config",
            "/assets",
            "/_dash-component-suites",
            "/_dash-component-suites/dash",
            "/_dash-update-component",
            "/_reload-hash",
            "/_dash-mcp",
        ]
    ),
    st.text(max_size=20)
    | st.sampled_from(
        [
            "%00",
            "%00.png",
            "..%2f..%2fstore",
            "x.png",
            "K.png",
            "K.webp?size=224",
            "K.png?size=%00",
            "K/K.png",
            "K/K.png?scale=40",
            "K/K.png?kind=signed&scale=%ff",
            "K.png?low=1&high=0",
            "K.png?low=%D9%A3&high=9",
            "K.npy?v=" + "0" * 9000,
            "%ff.yaml",
            "e.yaml",
            "cat.webp",
            "cat.png?size=96&v=",
            "app.css",
            "%2e%2e/app.py",
            "dcc/dash_core_components.js",
            "dcc/%00",
            "nope/nope.js",
            "dcc/../app.py",
            "a" * 3000,
            "dash_core_components.v0_0_0m1.min.js",
            "a%0d%0aX: y.png",
        ]
    ),
)


@attempts(60)
@given(raw_paths, st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]), st.binary(max_size=40))
def test_picture_routes_and_files(client, store, path, method, range_):
    from urllib.parse import quote

    started, key = time.monotonic(), store.table()["key"][0]
    address = quote(path.replace("K", key), safe="/%?=&.", errors="replace")
    headers = {"If-None-Match": range_.decode("latin-1").translate({10: 32, 13: 32}), "Range": "bytes=9-1,-"}
    sound(client.open(address, method=method, headers=headers), started)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | known | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def questions(draw, app):
    """A callback's question as the page asks it, with values of any kind, and sometimes of any shape."""
    served = [name for name, callback in sorted(app.callback_map.items()) if "callback" in callback]
    output = draw(st.sampled_from(served))
    callback = app.callback_map[output]
    search = searched(draw(st.sampled_from(list(VIEWS))), draw(queries))

    def one(part):
        asked = {"id": part["id"], "property": part["property"]}
        value = search if part["property"] == "search" and draw(st.integers(0, 5)) else draw(values)
        if '"type"' in part["id"]:
            return [{**asked, "id": {"type": "side-at", "slot": draw(values), "axis": draw(values)}, "value": value}]
        return {**asked, "value": value}

    inputs, state = ([one(part) for part in callback[kind]] for kind in ("inputs", "state"))
    outputs = [
        {"id": part.rpartition(".")[0], "property": part.rpartition(".")[2].partition("@")[0]}
        for part in output.strip(".").split("...")
    ]
    changed = [f"{part['id']}.{part['property']}" for part in callback["inputs"]][:1]
    body = {
        "output": output,
        "outputs": outputs if output.startswith("..") else outputs[0],
        "inputs": inputs,
        "state": state,
        "changedPropIds": draw(st.just(changed) | values),
    }
    if draw(st.integers(0, 3)) == 0:
        body[draw(st.sampled_from(sorted(body)))] = draw(values)
    return body


def post(client, body):
    return client.post("/_dash-update-component", data=body, content_type="application/json")


@attempts(60)
@given(st.data())
def test_questions_to_callbacks(client, app, data):
    client.get("/")  # only then are all callbacks known
    body = json.dumps(data.draw(questions(app)))
    sound(post(client, body), time.monotonic())


@attempts(30)
@given(
    st.binary(max_size=60)
    | texts.map(lambda text: text.encode("utf-8", "replace"))
    | st.sampled_from(
        [
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b"{}",
            b"[]",
            b"null",
            b'"',
            b'{"output": {}}',
            b'{"output": "..a.b...c.d.."}',
            b'{"output": "version.data", "inputs": 1}',
            b'{"output": "version.data", "inputs": [1], "changedPropIds": [1]}',
            b'{"output": "version.data", "inputs": [{"id": {}, "property": []}]}',
            b"\xff\xfe",
            b"9" * 9000,
        ]
    )
)
def test_bodies_that_are_no_question(client, body):
    assert sound(post(client, body), time.monotonic()).status_code in range(400, 500)


@attempts(30)
@given(texts, queries)
def test_notes(client, app, store, text, pairs):
    store.files.write(PATH, b"")  # each export draws every note there is
    found = next(name for name in app.callback_map if name.startswith("..note-text.value"))
    parts = [part.rpartition(".") for part in found.strip(".").split("...")]
    body = {
        "output": found,
        "outputs": [{"id": a, "property": b} for a, _, b in parts],
        "inputs": [{"id": "note-save", "property": "n_clicks", "value": 1}],
        "changedPropIds": ["note-save.n_clicks"],
        "state": [
            {"id": "note-text", "property": "value", "value": text},
            {"id": "url", "property": "search", "value": searched("compare", pairs)},
        ],
    }
    answer = sound(post(client, json.dumps(body)), time.monotonic())
    if len(text) > LONGEST:
        assert "at most" in answer.get_data(as_text=True)
    for path in ("/notes.md", "/notes.csv", "/notes.html"):
        sound(client.get(path), time.monotonic())


lines = st.binary(max_size=60) | st.sampled_from(
    [
        b"[" * 100_000,
        b'{"id": ' * 50_000,
        b"null",
        b'{"id": 1}',
        b'{"id": "a", "time": [], "url": 2, "text": {}}',
        b'{"id": "a", "time": "x", "url": "?view=[", "text": "' + b"x" * 50_000 + b'"}',
        b'{"run_id": "r", "state": []}',
        b'{"run_id": "r", "experiment": "e", "state": "running", "running": 5, "models": [], "updated_at": "2026-01"}',
        b'{"run_id": "r", "experiment": "e", "state": "running", "running": [[[[1]]], 2, {}], "total":1e999, "eta":NaN,'
        b' "updated_at": "0001-01-01T00:00:00+14:00", "started_at": "9999-12-31T23:59:59-14:00",'
        b' "models": {"m": {"total": -1}}}',
        b'{"run_id": {}, "experiment": null}',
        b"\xff\xfe{}",
        b'{"run_id": "r", "running": ' + b"[" * 900 + b"]" * 900 + b"}",
    ]
)


@attempts(12)
@given(lines, lines, st.sampled_from(list(VIEWS)))
def test_notes_and_run_notes_that_others_wrote(app, store, line, said, view):
    store.files.write(PATH, line + b"\n")
    store.files.write("runs/r0.json", said)
    fresh = create_app(store)
    client = fresh.server.test_client()
    client.get("/")
    found, callback = next(item for item in fresh.callback_map.items() if item[0].startswith("..page.children"))
    parts = [part.rpartition(".") for part in found.strip(".").split("...")]
    body = {
        "output": found,
        "outputs": [{"id": a, "property": b} for a, _, b in parts],
        "changedPropIds": ["url.search"],
        "inputs": [
            {"id": "url", "property": "search", "value": f"?view={view}"},
            {"id": "version", "property": "data", "value": 0},
        ],
        "state": [{**{k: part[k] for k in ("id", "property")}, "value": None} for part in callback["state"]],
    }
    assert sound(post(client, json.dumps(body)), time.monotonic()).status_code == 200
