from datetime import UTC, datetime, timedelta

import pytest
import yaml
from dash import no_update
from dash.exceptions import PreventUpdate
from support.dashboard_store import fail, finish, grid, note, prepare
from support.pages import follow

from distcari.dashboard.app import create_app
from distcari.dashboard.data import runs
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import parse
from distcari.dashboard.views.run import view as run
from distcari.planning.durations import duration
from distcari.store.runs import parse as parse_note

MODELS = {"m": {"total": 12, "done": 2, "failed": 1}, "n": {"total": 12, "done": 1, "failed": 0}}
FULL = {"total": 24, "done": 3, "failed": 1, "skipped": 5, "actors": 2, "rate": 0.5, "eta": 40.0, "models": MODELS}


def page(catalog, search="?view=run&exp=e"):
    return str(run.draw(catalog, parse(search)))


@pytest.fixture
def ran(store):
    g = grid()
    arrays = prepare(store, g)
    cells = list(g.cells())
    finish(store, arrays, g, cells[:3])
    fail(store, g, cells[3])
    fail(store, g, cells[4], "RuntimeError: <b>out of memory</b>")
    fail(store, g, cells[5])
    return store, cells


def test_a_run_at_work_says_how_far_it_is(ran):
    store, cells = ran
    note(store, "e", running=cells[6:8], **FULL)
    said = page(Catalog(store))
    for part in ("at work", "3 of 24", "30.0 cells/min", "40 s", "m · dog · x · 0", "Rendering now", "done before"):
        assert part in said, part
    assert "goes on" not in said and Catalog(store).runs()[0].pending == 20


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("2 × H100: 8 workers, 4 on each (otherwise: --set …)", "2 × H100: 8 workers, 4 on each'"),
        ("", None),
        (7, "'7'"),
    ],
)
def test_a_run_says_what_it_computes_on(ran, place, shown):
    store, _ = ran
    note(store, "e", place=place, **FULL)
    said = page(Catalog(store))
    assert ("Dt('on')" in said) == bool(shown) and (shown or "workers") in said


def test_failures_stand_there_by_reason_with_the_command(ran):
    store, _ = ran
    note(store, "e", state="finished", **{**FULL, "done": 21, "failed": 3})
    said = page(Catalog(store))
    assert "3 cells given up" in said and "B('2 × '" in said.replace("children=", "") and "ValueError: NaN" in said
    assert f"distcari submit e.yaml --set store={store.url} --retry-failed" in said


@pytest.mark.parametrize("state", ["crashed", "interrupted", "stopped", "nonsense"])
def test_a_run_that_ended_early_says_so_with_the_command(ran, state):
    store, _ = ran
    note(store, "e", state=state, **FULL)
    said = page(Catalog(store))
    assert "distcari submit e.yaml" in said and ("crashed" if state == "nonsense" else state) in said


def test_a_run_that_has_fallen_silent_is_not_live(ran):
    store, cells = ran
    note(store, "e", running=cells[6:8], updated=datetime.now(UTC) - timedelta(minutes=10), **FULL)
    said = page(Catalog(store))
    assert "has said nothing for 10 min" in said and "Rendering now" not in said


def test_notes_that_are_cut_or_strange_are_read():
    strange = {"state": "finished", "total": "x", "done": float("nan"), "models": [1], "running": {"a": 1}, "eta": -1}
    for given in ({}, strange, {"models": {"m": 1}, "started_at": "yesterday"}):
        one = parse_note({"run_id": "r", **given})
        assert one.total == 0 and one.models == {} and one.running == () and one.eta is None


def test_the_newest_run_or_the_one_at_work_or_the_one_named(ran):
    store, _ = ran
    note(store, "e", run_id="r1", started_at="2026-01-01T00:00:00+00:00")
    note(store, "e", run_id="r2", state="finished", started_at="2026-01-02T00:00:00+00:00")
    note(store, "f", run_id="r3", state="finished", started_at="2026-01-03T00:00:00+00:00")
    catalog = Catalog(store)
    assert runs.chosen(catalog, parse("?view=run"))[0].run_id == "r1"
    assert runs.chosen(catalog, parse("?view=run&run.id=r2"))[0].run_id == "r2"
    assert runs.chosen(catalog, parse("?view=run&exp=f"))[0].run_id == "r3"
    assert [one.run_id for one in runs.chosen(catalog, parse("?view=run&exp=e&run.id=../x"))[1]] == ["r2", "r1"]


def test_the_page_looks_often_only_while_something_runs(ran):
    store, _ = ran
    note(store, "e", state="finished", **FULL)
    app = create_app(store)
    body, token, interval = follow(app, "run-body", "?view=run", 1, None, run.LIVE)
    assert interval == run.IDLE and body is not no_update
    assert follow(app, "run-body", "?view=run", 2, token, run.IDLE)[0] is no_update
    with pytest.raises(PreventUpdate):
        follow(app, "run-body", "?view=compare", 3, token, run.IDLE)


def test_a_look_costs_one_listing_and_new_parts_only(ran):
    store, _ = ran
    note(store, "e", **FULL)
    catalog = Catalog(store, every=0)
    catalog.now()
    reads = catalog.reader.index.reads
    for _ in range(5):
        page(catalog)
    assert catalog.reader.index.reads == reads


def test_the_config_comes_back_from_the_store(ran):
    store, _ = ran
    client = create_app(store).server.test_client()
    assert yaml.safe_load(client.get("/config/e.yaml").data) == {"name": "e"}
    assert client.get("/config/nope.yaml").status_code == 404


def test_no_run_at_all(ran):
    assert "No run has left a note" in page(Catalog(ran[0]))


def test_durations():
    assert [duration(s) for s in (None, 40, 200, 7500, 200_000)] == ["?", "40 s", "3 min 20 s", "2 h 05 min", "2 d 7 h"]
