"""A small real store: two experiments, cells of every status, a run at work."""

import shutil

import pytest
from support.dashboard_store import fail, finish, grid, note, prepare

from distcari.dashboard.data.catalog import Catalog
from distcari.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "s"), writable=True)


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """The folder of `mixed`, written once and copied for each test; the cell that is at work in it."""
    store = Store(str(tmp_path_factory.mktemp("mixed") / "s"), writable=True)
    g = grid(layers_of={"n": ["x", "y"]})
    arrays = prepare(store, g)
    cells = list(g.cells())
    at = {cell.labels: cell for cell in cells}
    done = [at["m", "cat", "x", 0], at["m", "cat", "y", 0], at["n", "cat", "x", 0]]
    finish(store, arrays, g, done)
    fail(store, g, at["m", "cat", "z", 0])
    h = grid("f", models=("m",), images=("cat",), layers=("x",), seeds=(0,))
    finish(store, prepare(store, h), h, h.cells(), first=5)
    return store.url, at["n", "cat", "y", 0]


@pytest.fixture
def mixed(written, store):
    """Of experiment e at seed 0: model m done but for one failed and one running; n lacks layer z; f is done."""
    folder, running = written
    shutil.copytree(folder, store.url, dirs_exist_ok=True)
    note(store, "e", running=[running])
    return store


@pytest.fixture
def catalog(mixed):
    return Catalog(mixed, every=0)
