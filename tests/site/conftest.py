"""A store with cells of every status, tags, a sweep of nothing: what a site must show and say."""

import pytest
from support.dashboard_store import fail, finish, grid, note, prepare
from support.natural import exemplars

from distcari.store import Store
from distcari.store.models import update_models


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Of e, m (with exemplars) is done but for a failed cell, n lacks layer z, o is done; f has one cell."""
    store = Store(str(tmp_path_factory.mktemp("mixed") / "store"), writable=True)
    g = grid(models=("m", "n", "o"), layers_of={"n": ["x", "y"]})
    arrays = prepare(store, g)
    cells = {cell.labels: cell for cell in g.cells()}
    lost = [cells["m", "cat", "z", 0], cells["n", "cat", "y", 0]]
    more = {"more": lambda cell: {"model_sha256": "now"}}
    finish(store, arrays, g, [cell for cell in cells.values() if cell not in lost], **more)
    exemplars(store, "/home/somebody/photos & <more>", cat="now", dog="before")
    fail(store, g, lost[0], "FloatingPointError: not finite </script><img src=x>")
    h = grid("f", models=("m",), images=("cat",), layers=("x",), seeds=(0,))
    finish(store, prepare(store, h), h, h.cells(), first=5)
    note(store, "e", running=[lost[1]], total=36, done=31)
    rows = [{"experiment": "e", "model": m, "noise": v} for m, v in (("m", "low"), ("n", "high"), ("o", "low"))]
    update_models(store.files, rows)
    return store
