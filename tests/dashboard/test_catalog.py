import dataclasses
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from support.dashboard_store import finish, grid, note, prepare

from distcari.dashboard.data.catalog import Catalog, one_moment
from distcari.dashboard.data.state import State
from distcari.store import Store


def test_every_slot_has_a_status_and_a_reason(catalog):
    facets = catalog.grid(["e"], "model", "layer", {"image": "cat", "seed": "0"})
    assert facets.rows == ("m", "n") and facets.cols == ("x", "y", "z")
    assert [[s.status for s in line] for line in facets.slots] == [
        ["done", "done", "failed"],
        ["done", "running", "not planned"],
    ]
    assert "ValueError: NaN" in facets.slots[0][2].reason and "no layer z" in facets.slots[1][2].reason
    assert facets.slots[0][1].figure("gain") == 1.0 and np.isnan(facets.slots[0][2].figure("gain"))
    assert catalog.status("e", {"model": "m", "image": "dog"}) == ("pending", "It waits its turn in the run at work.")
    assert catalog.status("e", {"model": "q"})[0] == catalog.status("nowhere", {})[0] == "not planned"


def test_a_run_that_is_silent_for_long_counts_no_more(mixed):
    note(mixed, "e", updated=datetime.now(UTC) - timedelta(hours=1), running=[])
    status, reason = Catalog(mixed).status("e", {"model": "n", "image": "cat", "layer": "y", "seed": "0"})
    assert status == "pending" and "No run is at work" in reason


def test_experiments_mix_as_an_axis(catalog):
    assert catalog.axes(["e", "f"])[0] == "experiment" and catalog.labels(["e", "f"], "experiment") == ["e", "f"]
    facets = catalog.grid(["e", "f"], "experiment", "layer", {"model": "m", "image": "cat", "seed": "0"})
    assert [[s.status for s in line] for line in facets.slots] == [
        ["done", "done", "failed"],
        ["done", "not planned", "not planned"],
    ]
    assert catalog.chosen(State()) == ("f",), "the one with the newest cell"
    assert catalog.chosen(State(experiments=("e", "gone"))) == ("e",)


def test_rows_and_columns_sort_by_a_mean_and_those_without_come_last(catalog):
    facets = catalog.grid(["e"], "layer", "model", {"image": "cat", "seed": "0"})
    assert facets.means("gain", "rows").tolist()[:2] == [1.0, 1.0] and np.isnan(facets.means("gain", "rows")[2])
    assert facets.sorted("cols", "gain", True).cols == ("n", "m")
    assert facets.sorted("rows", "gain", True).rows[-1] == facets.sorted("rows", "gain", False).rows[-1] == "z"


def test_a_part_is_read_once_and_merged_parts_are_dropped(store):
    g = grid()
    arrays, cells = prepare(store, g), list(g.cells())
    finish(store, arrays, g, cells[:2])
    catalog = Catalog(store, every=0)
    assert len(catalog.frame()) == 2 and catalog.version() == 1
    finish(store, arrays, g, cells[2:4], first=2)
    for _ in range(3):
        assert len(catalog.frame()) == 4
    assert catalog.reader.index.reads == 2 and catalog.version() == 2
    old = store.index.parts()
    store.index.append(store.index.table().to_pylist())
    for name in old:
        store.files.delete(f"index/{name}")
    assert len(catalog.frame()) == 4 and catalog.reader.index.reads == 3
    assert catalog.row(cells[3].key)["gain"] == 3.0 and catalog.row("0" * 32) is None


def test_the_store_is_listed_at_most_every_two_seconds(mixed):
    clock = [0.0]
    catalog = Catalog(mixed, clock=lambda: clock[0])
    listed = []
    inner, mixed.files.list = mixed.files.list, lambda folder: listed.append(folder) or inner(folder)
    for clock[0] in np.arange(0, 4, 0.1):
        catalog.frame()
    assert listed.count("index") == 2


def test_what_a_new_run_takes_out_is_gone(mixed):
    catalog = Catalog(mixed, every=0)
    key = catalog.slot("e", {"image": "cat", "layer": "x"}).key
    mixed.forget([key])
    note(mixed, "e", "r2")
    assert catalog.row(key) is None


def test_a_store_appears_grows_and_is_refused_if_it_is_too_new(tmp_path):
    url = str(tmp_path / "later")
    catalog = Catalog(Store(url), every=0)
    assert "distcari demo" in catalog.problem().commands and catalog.experiments() == []
    store = Store(url, writable=True)
    g = grid()
    arrays = prepare(store, g)
    assert catalog.problem() is None and catalog.labels(["e"], "model") == ["m", "n"]
    assert catalog.status("e", {})[0] == "pending"
    wide = grid(models=("m", "n", "o"))
    arrays = prepare(store, wide)
    finish(store, arrays, wide, [c for c in wide.cells() if c.labels[0] == "o"][:1])
    assert catalog.labels(["e"], "model") == ["m", "n", "o"]
    note = store.files.read("distcari.json")
    store.files.write("distcari.json", b'{"format": 99, "distcari": "9.0"}')
    assert "Update distcari" in catalog.problem().text
    assert catalog.row("0" * 32) is None and len(catalog.frame(["e"])) == len(catalog.failures(["e"])) == 0
    store.files.write("distcari.json", note)
    assert catalog.problem() is None and len(catalog.frame(["e"])) == 1


def test_a_hundred_thousand_rows_answer_in_time(catalog):
    n, now = 100_000, catalog.now()
    big = pd.DataFrame({name: pd.Series(kind.iloc[0], range(n)) for name, kind in now.frame.items()})
    big["key"], big["experiment"] = [uuid.uuid4().hex for _ in range(n)], "e"
    big["seed"], big["layer"] = np.arange(n) // 2, np.where(np.arange(n) % 2, "x", "y")
    info = dataclasses.replace(now.infos["e"], labels={**now.infos["e"].labels, "seed": tuple(range(n // 2))})
    large = Catalog(catalog.store, clock=lambda: 0.0)
    large._last, large._looked = dataclasses.replace(now, frame=big, infos={"e": info}), 0.0
    start = time.perf_counter()
    facets = large.grid(["e"], "layer", "seed", {}, None, [str(i) for i in range(80)])
    assert time.perf_counter() - start < 0.5, "cold; warm it is below 0.02"
    assert sum(s.status == "done" for line in facets.slots for s in line) == 160
    start = time.perf_counter()
    large.grid(["e"], "model", "layer", {"seed": "7"})
    assert time.perf_counter() - start < 0.2


class Held:
    """A look that waits until it is let go."""

    def __init__(self, catalog):
        self.began, self.go, self.look, self.looks = threading.Event(), threading.Event(), catalog.reader.look, 0
        catalog.reader.look = self

    def __call__(self, last):
        self.looks += 1
        self.began.set()
        assert self.go.wait(30)
        return self.look(last)


def test_after_idling_nobody_gets_what_is_old_and_all_wait_for_one_look(mixed):
    clock = [0.0]
    catalog = Catalog(mixed, clock=lambda: clock[0])
    old, clock[0] = catalog.now(), 3600.0
    mixed.files.delete("runs/r1.json")
    held = Held(catalog)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(catalog.now) for _ in range(4)]
        assert held.began.wait(30) and not any(one.done() for one in asked)
        held.go.set()
        got = [one.result(30) for one in asked]
    assert len({id(one) for one in got}) == 1 and got[0].version == old.version + 1 and held.looks == 1


def test_what_is_fresh_enough_is_given_at_once_while_another_looks(mixed):
    clock = [0.0]
    catalog = Catalog(mixed, clock=lambda: clock[0])
    known, clock[0] = catalog.now(), 4.0
    held = Held(catalog)
    looking = threading.Thread(target=catalog.now)
    looking.start()
    assert held.began.wait(30) and catalog.now() is known
    held.go.set()
    looking.join(30)


def test_one_answer_shows_one_snapshot(mixed):
    catalog = Catalog(mixed, every=0)
    with one_moment():
        frame, version = catalog.frame(), catalog.version()
        mixed.forget([frame["key"].iloc[0]])
        note(mixed, "e", "r2")
        assert len(catalog.frame()) == len(frame) and catalog.version() == version
    assert len(catalog.frame()) == len(frame) - 1 and catalog.version() > version


def test_a_store_that_is_moved_away_is_a_problem_and_comes_back(mixed, tmp_path):
    reader = Store(mixed.url)
    catalog = Catalog(reader, every=0)
    note(mixed, "e", state="finished", done=4, total=12)
    assert catalog.problem() is None
    for what, said in ((tmp_path / "s", "not there any more"), (tmp_path / "s" / "index", "index is not there")):
        what.rename(tmp_path / "away")
        assert said in catalog.problem().title and catalog.experiments() == []
        assert said in Catalog(reader, every=0).problem().title or what.name == "s"
        (tmp_path / "away").rename(what)
        assert catalog.problem() is None and len(catalog.frame(["e"])) == 3
    assert catalog.status("e", {"model": "m", "image": "cat", "layer": "x"})[0] == "done"


def test_a_layer_label_whose_cells_went_to_another_is_not_shown(store):
    g = grid(layers_of={"m": ["x", "y"], "n": ["x", "y"]})
    arrays, cells = prepare(store, g), list(g.cells())
    finish(store, arrays, g, cells)
    assert Catalog(store).labels(["e"], "layer") == ["x", "y"], "z is an axis label that no model has, without a cell"
    all_of_it = grid()
    kept = [cell for cell in all_of_it.cells() if "z" in cell.labels]
    finish(store, arrays, all_of_it, kept[:1], first=50)
    assert Catalog(store).labels(["e"], "layer") == ["x", "y", "z"], "it has a cell still"
