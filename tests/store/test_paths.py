"""Places that are no store, and stores of which parts are gone or are not what they were: InputErrors with a remedy."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.serial import compute, planned
from support.shared import config
from support.stores import finish, grid, prepared

from distcari.cluster.ledger import RunStopped
from distcari.errors import InputError
from distcari.grid import name_problem
from distcari.store import Store, open_store
from distcari.store.check import Finding, check, requeue
from distcari.store.lease import LeaseLost, take

LONG = "x" * 300


def loop(folder):
    (folder / "one").symlink_to(folder / "two")
    (folder / "two").symlink_to(folder / "one")
    return str(folder / "one")


@pytest.mark.parametrize("where", [loop, "null\0byte", LONG, f"{LONG}/{LONG}", "~nosuchuser/store", "", " ", "file"])
def test_what_is_no_place_of_a_store_is_refused_before_work(tmp_path, monkeypatch, where):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    place = where(tmp_path) if callable(where) else where
    with pytest.raises(InputError) as refused:
        open_store(place, writable=True).check_writable()
    assert refused.value.remedy and "\n" not in refused.value.problem


@pytest.mark.parametrize("where", ["/proc", "/proc/self/fd/store", "/sys/store"])
def test_a_place_that_takes_no_files_is_refused_whoever_asks(where):
    with pytest.raises(InputError, match=r"cannot be written|may not be read or written"):
        open_store(where, writable=True).check_writable()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"3",
        b'{"format": "new"}',
        b'{"format": null}',
        b"\xff\xfe",
        b'{"format": 1e999}',
    ],
)
def test_a_damaged_note_of_the_store_is_told_and_can_be_deleted(tmp_path, content):
    store = Store(str(tmp_path), writable=True)
    finish(store, prepared(store, grid()), next(iter(grid().cells())))
    (tmp_path / "distcari.json").write_bytes(content)
    with pytest.raises(InputError, match=r"distcari\.json is damaged") as told:
        open_store(str(tmp_path))
    assert "delete" in told.value.remedy
    (tmp_path / "distcari.json").unlink()
    assert len(open_store(str(tmp_path)).table()) == 1


def test_a_folder_in_place_of_the_note_is_told(tmp_path):
    (tmp_path / "distcari.json").mkdir()
    with pytest.raises(InputError, match=r"distcari\.json: is a folder where a file should be"):
        open_store(str(tmp_path))


def test_the_note_is_written_again_with_the_next_commit(tmp_path):
    store = Store(str(tmp_path), writable=True)
    arrays = prepared(store, grid())
    (tmp_path / "distcari.json").unlink()
    finish(store, arrays, next(iter(grid().cells())))
    assert (tmp_path / "distcari.json").exists()


def test_reading_and_planning_write_nothing(work):
    plan, store = planned(work, config(store="typo/deep"))
    assert len(plan.todo) == 8 and not Path("typo").exists()
    reader = open_store("typo/deep")
    assert reader.experiments() == [] and reader.table().empty and reader.failures().empty and reader.lost("e") == set()
    with pytest.raises(KeyError):
        reader.arrays("e")
    store.check_writable()
    assert not Path("typo").exists()


@pytest.mark.parametrize(
    "name", ["zarr.json", "Zarr.JSON", "a.partial", "", ".", "..", "a/b", "_index", "a b", "é", "c", "a\n", "x" * 101]
)
def test_names_that_the_store_uses_itself_are_refused(tmp_path, name):
    assert name_problem(name)
    store, g = Store(str(tmp_path / "s"), writable=True), grid()
    with pytest.raises(InputError, match="experiment"):
        store.prepare(g.__class__(name, "s", g.axes), {}, size=16, input_size=8, steps=4, dtype="float32")
    with pytest.raises(KeyError):
        store.arrays(name)
    assert not (tmp_path / "s/arrays.zarr").exists()


@pytest.mark.parametrize("name", ["demo", "resnet50_v2.1", "2024-01-01", "x" * 100, "index"])
def test_other_names_are_not(name):
    assert name_problem(name) is None


def test_the_sweep_leaves_folders_alone_that_only_look_like_leftovers(tmp_path):
    store = Store(str(tmp_path), writable=True)
    finish(store, prepared(store, grid()), next(iter(grid().cells())))
    (tmp_path / "arrays.zarr/a.partial/x").mkdir(parents=True)
    left = tmp_path / "arrays.zarr/e/caricature/c.0.partial"
    left.write_bytes(b"half")
    store.recover()
    store.recover("e", [])
    assert (tmp_path / "arrays.zarr/a.partial/x").exists() and not left.exists()


class TestLease:
    def test_one_that_was_deleted_says_so_and_promises_no_other_run(self, tmp_path):
        store = Store(str(tmp_path))
        with take(store.files, "e") as lease:
            (tmp_path / "leases/e.json").unlink()
            with pytest.raises(LeaseLost, match=r"somebody deleted leases/e\.json") as lost, lease.held():
                raise AssertionError("not ours")
        assert "same command again" in lost.value.remedy and "other run" not in lost.value.remedy

    def test_a_full_store_is_told_as_such(self, tmp_path, monkeypatch):
        def full(_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match=r"there is no room in the store.*No space left") as told:
            take(Store(str(tmp_path)).files, "e")
        assert "Make room" in told.value.remedy

    @pytest.mark.parametrize("name", ["../out", "a/b", "a\0b"])
    def test_a_name_leads_nowhere_else(self, tmp_path, name):
        with pytest.raises(InputError, match="is no name of an experiment"):
            take(Store(str(tmp_path / "s")).files, name)
        assert list(tmp_path.iterdir()) == []


class Deleting:
    """Listens to a run, and deletes something of the store when it is half done."""

    def __init__(self, pattern):
        self.pattern, self.seen = pattern, 0

    def __call__(self, event):
        self.seen += type(event).__name__ == "CellDone"
        if self.seen == 4 and type(event).__name__ == "Tick":
            for path in Path("store").glob(self.pattern):
                path.unlink()


@pytest.mark.parametrize(
    "pattern",
    [
        "index/part-*",
        "arrays.zarr/small/caricature/c.0.*",
        "arrays.zarr/small/zarr.json",
        "arrays.zarr/small/match/zarr.json",
        "arrays.zarr/small/layer/c/0",
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_that_lost_something_meanwhile_is_not_finished_and_the_next_makes_up_for_it(
    work, one_thread, pattern, monkeypatch
):
    from distcari.cluster import ledger
    from distcari.cluster.start import run_plan

    monkeypatch.setattr(ledger, "FLUSH_ROWS", 1)
    once = config(resources={"batch": 1})
    with pytest.raises((InputError, RunStopped), match=r"not in the store .* any more") as told:
        run_plan(*planned(work, once), "serial", listeners=[Deleting(pattern)])
    assert "same command again" in told.value.remedy
    assert compute(work, once).failures == []
    plan, store = planned(work, once)
    assert plan.todo == [] and store.missing("small", {cell.key for cell in plan.wanted}) == set()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("gone", "again"),
    [
        ("arrays.zarr", 8),
        ("arrays.zarr/zarr.json", 0),
        ("arrays.zarr/small/zarr.json", 8),
        ("arrays.zarr/small/caricature/zarr.json", 8),
        ("arrays.zarr/small/model/zarr.json", 8),
        ("arrays.zarr/small/input/c.0.0.0.0", 1),
        ("arrays.zarr/small/input", 2),
    ],
)
def test_what_is_deleted_between_runs_comes_back(work, one_thread, gone, again):
    compute(work, config())
    before = open_store("store").table().set_index("key")["pixels_sha256"].to_dict()
    inputs = [open_store("store").arrays("small").input(name) for name in ("one", "two")]
    path = Path("store") / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert compute(work, config()).done == again
    store = open_store("store")
    assert store.table().set_index("key")["pixels_sha256"].to_dict() == before
    assert all(
        np.array_equal(store.arrays("small").input(name), was) for name, was in zip(("one", "two"), inputs, strict=True)
    )


def test_a_damaged_chunk_names_its_place_on_an_object_store_too(s3):
    store = Store(s3.url(), s3.options(), writable=True)
    cell = next(iter(grid().cells()))
    finish(store, prepared(store, grid()), cell)
    store.files.write("arrays.zarr/e/caricature/c.0.0.0.0.0.0.0", b"not a chunk")
    with pytest.raises(InputError, match=r"arrays\.zarr/e/caricature/c\.0\.0\.0\.0\.0\.0\.0") as told:
        store.picture(cell.key)
    assert "--requeue" in told.value.remedy


def test_a_folder_in_a_chunks_place_is_told_before_work_and_put_aside(work, one_thread):
    compute(work, config())
    chunk = Path("store/arrays.zarr/small/caricature/c.0.0.0.0.0.0.0")
    chunk.unlink()
    chunk.mkdir()
    with pytest.raises(InputError, match="is a folder where a chunk should be"):
        planned(work, config())
    store = open_store("store", writable=True)
    assert requeue(store, [told for told in check(store) if isinstance(told, Finding)]) == 1
    assert compute(work, config()).done == 1 and list(check(open_store("store"))) == [8]
