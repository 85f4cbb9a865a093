"""The power-cut picture: a store's folder copied at any moment, while a real process writes, holds what it should."""

import os
import random
import shutil
import subprocess
import sys
import warnings

import pandas as pd
import pytest
from support.shared import TESTS
from support.stores import META, grid

from distcari.store import Store
from distcari.store.check import check

pytestmark = pytest.mark.timeout(120)
WRITER = """
import itertools, sys
from pathlib import Path
import numpy as np
from support.stores import META, grid
from distcari.store import Store
store = Store(sys.argv[1], writable=True)
shard = int(sys.argv[2])
for n in itertools.count(1):
    g = grid(models=[f"m{i}" for i in range(n)], images="ijkl")
    arrays = store.prepare(g, META, size=8, input_size=2, steps=4, dtype="float32", shard=shard)
    rows = []
    for start in range(0, 4, shard):
        cells = [cell for cell in g.cells() if cell.labels[0] == f"m{n - 1}"][start:start + shard]
        hashes = arrays.write_together(
            [arrays.place(cell.labels) for cell in cells],
            [np.full((8, 8, 3), n % 250 / 250, np.float32) for _ in cells],
            [np.arange(4.0) for _ in cells], [np.ones((56, 56)) for _ in cells])
        store.commit([{"key": cell.key, "experiment": "e", "steps": 4, "pixels_sha256": sha,
                       **dict(zip(arrays.axes, cell.labels))} for cell, sha in zip(cells, hashes)])
    if n % 3 == 0:
        store.merge(20 if n % 2 else None)
    if n % 5 == 0:
        store.forget({cells[0].key})
    Path(sys.argv[1], "committed").write_text(str(n))
    print(n, flush=True)
"""


def copy(folder, to, order):
    """Copy a folder while it changes: in any order, files one by one, some of which vanish meanwhile.

    Every file is copied at one moment of its own, and what comes to be after a folder was listed is not copied.
    """
    to.mkdir(parents=True)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    order.shuffle(entries)
    for entry in entries:
        try:
            if entry.is_dir():
                copy(entry.path, to / entry.name, order)
            else:
                shutil.copyfile(entry.path, to / entry.name)
        except FileNotFoundError:
            (to / entry.name).unlink(missing_ok=True)


@pytest.mark.parametrize("shard", [1, 2])
@pytest.mark.parametrize("moments", [10, pytest.param(25, marks=pytest.mark.long)])
def test_a_copy_made_at_any_moment_recovers(tmp_path, moments, shard, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    order = random.Random(shard)
    folder = tmp_path / "s"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(shard)], text=True, stdout=subprocess.PIPE
    )
    copies = committed = 0
    try:
        assert writer.stdout.readline() == "1\n"
        while copies < moments or committed < 6:
            committed = int((folder / "committed").read_text() or committed)
            copies += 1
            copy(folder, tmp_path / f"copy{copies}", order)
            assert writer.poll() is None
    finally:
        writer.kill()  # before the copies are mended: what a living process has in hand is left alone
        writer.communicate()
    for number in order.sample(range(1, copies + 1), moments):
        recovers(tmp_path / f"copy{number}", shard)


def recovers(place, shard):
    """A copy is mended: sound, nothing twice, nothing left over, and it grows."""
    store = Store(str(place), writable=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store.recover()
        store.recover("e", [])
    assert [told for told in check(store) if not isinstance(told, int)] == []
    keys = pd.read_parquet(place / "index")["key"] if store.index.parts() else pd.Series([], dtype=str)
    assert keys.is_unique and set(keys) == set(store.table()["key"]) == store.committed("e")
    assert not [
        path
        for path in place.rglob("*")
        if path.name.startswith(("_tmp-", "_merged-", "_unreadable-")) or path.name.endswith(".partial")
    ]
    store.prepare(
        grid(models=["new"], images="ijkl"), META, size=8, input_size=2, steps=4, dtype="float32", shard=shard
    )
    assert "new" in store.arrays("e").labels("model")
