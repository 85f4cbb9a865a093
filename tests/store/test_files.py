"""One contract for a store's small files, kept by a folder, by an S3 server and by an S3 server on a bad line."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import obstore
import pytest
from obstore.exceptions import PermissionDeniedError
from support.stores import finish, grid, prepared

from distcari.errors import InputError
from distcari.store import Store, object_files
from distcari.store import files as module
from distcari.store.files import FolderFiles, open_files
from distcari.store.object_files import ObjectFiles

pytestmark = pytest.mark.timeout(120)
RACER = """
import json, sys
from distcari.store.files import open_files
url, options, name = json.loads(sys.argv[1])
files = open_files(url, options)
print("ready", flush=True)
sys.stdin.readline()
won = [i for i in range(5) if files.swap(f"races/{i}", None, f"{name} {i}".encode())]
print(json.dumps(won), flush=True)
"""


@pytest.fixture(params=["folder", "s3", "flaky"])
def place(request, tmp_path):
    """(url, options) of a fresh place of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store"), {}
    s3 = request.getfixturevalue("s3")
    return s3.url(), s3.options(flaky=request.param == "flaky")


@pytest.fixture
def files(place):
    return open_files(*place)


class TestContract:
    def test_a_place_where_nothing_is(self, files):
        assert files.list("index") == []
        with pytest.raises(FileNotFoundError):
            files.read("index/part")
        with pytest.raises(FileNotFoundError):
            files.source("index/part")
        with pytest.raises(FileNotFoundError):
            files.rename("index/part", "index/other")
        files.delete("index/part")
        files.sweep("index")
        assert files.list("index") == []

    def test_what_is_written_is_read_and_replaced_whole(self, files):
        for content in (b"", b"one", bytes(range(256)) * 4000, b"short"):
            files.write("index/part", content)
            assert files.read("index/part") == content
        assert files.list("index") == ["part"]

    def test_a_listing_is_sorted_flat_and_of_one_folder(self, files):
        for name in ("b", "a", "c-1", "_merged-x"):
            files.write(f"index/{name}", name.encode())
        files.write("index/deeper/d", b"")
        files.write("index2/e", b"")
        files.write("f", b"")
        assert files.list("index") == ["_merged-x", "a", "b", "c-1"]

    def test_delete_and_rename(self, files):
        files.write("index/a", b"1")
        files.write("index/b", b"2")
        files.rename("index/a", "index/b")
        assert files.list("index") == ["b"] and files.read("index/b") == b"1"
        files.delete("index/b")
        files.delete("index/b")
        assert files.list("index") == []

    def test_swap_compares_and_swaps(self, files):
        assert not files.swap("lease", b"never there", b"1")
        assert files.swap("lease", None, b"1")
        assert not files.swap("lease", None, b"2")
        assert not files.swap("lease", b"0", b"3")
        assert files.swap("lease", b"1", b"4") and files.read("lease") == b"4"

    def test_of_eight_threads_that_swap_one_wins(self, files):
        with ThreadPoolExecutor(8) as pool:
            for i in range(6):
                old = f"old {i}".encode() if i % 2 else None
                if old:
                    files.write(f"race{i}", old)
                together = threading.Barrier(8)

                def swap(n, i=i, old=old, together=together):
                    together.wait()
                    return files.swap(f"race{i}", old, f"racer {n}".encode())

                won = list(pool.map(swap, range(8)))
                assert sum(won) == 1
                assert files.read(f"race{i}") == f"racer {won.index(True)}".encode()

    @pytest.mark.parametrize("place", ["folder", "s3"], indirect=True)
    def test_of_two_processes_that_swap_one_wins(self, place):
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", RACER, json.dumps([*place, f"racer{n}"])],
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for n in range(2)
        ]
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("go\n")
            racer.stdin.flush()
        won = [json.loads(racer.communicate(timeout=60)[0]) for racer in racers]
        assert sorted(i for each in won for i in each) == [0, 1, 2, 3, 4]
        for n, each in enumerate(won):
            for i in each:
                assert open_files(*place).read(f"races/{i}") == f"racer{n} {i}".encode()

    def test_threads_that_write_the_same_file_leave_one_of_them_whole(self, files):
        contents = [bytes([n]) * (20_000 + n) for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(5):
                list(pool.map(lambda content: files.write("index/part", content), contents))
                assert files.read("index/part") in contents
        assert files.list("index") == ["part"]


class TestFolder:
    def test_temporaries_of_the_dead_are_swept_and_those_of_the_living_stay(self, tmp_path):
        files = FolderFiles(tmp_path)
        dead = subprocess.Popen(["true"])
        dead.wait()
        host = module._HOST
        old, new = "_tmp-another.host-1-2-x", "_tmp-another.host-1-3-x"
        gone, living, mine = (f"_tmp-{host}-{pid}-1-x" for pid in (dead.pid, os.getppid(), os.getpid()))
        for name in (gone, living, mine, old, new, "_tmp-odd", "part"):
            files.write(f"index/{name}", b"")
        past = time.time() - 2 * module._OLD
        os.utime(tmp_path / "index" / old, (past, past))
        files.sweep("index")
        assert files.list("index") == sorted([living, new, "part"])

    def test_a_temporary_that_another_thread_is_writing_is_not_swept(self, tmp_path, monkeypatch):
        files, sync, seen = FolderFiles(tmp_path), os.fsync, []

        def sweeping(handle):
            if not seen:
                files.sweep("index")
                seen.extend(files.list("index"))
            sync(handle)

        monkeypatch.setattr(os, "fsync", sweeping)
        files.write("index/part", b"content")
        assert seen[0].startswith("_tmp-") and files.read("index/part") == b"content"

    def test_a_write_that_fails_leaves_what_was_there_and_no_litter(self, tmp_path, monkeypatch):
        files = FolderFiles(tmp_path)
        files.write("index/part", b"before")

        def full(_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            files.write("index/part", b"after")
        assert files.list("index") == ["part"] and files.read("index/part") == b"before"

    def test_a_lock_that_is_never_let_go_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "LOCKED", 0.05)
        one, two = FolderFiles(tmp_path), FolderFiles(tmp_path)
        with one.locked("lease"), pytest.raises(TimeoutError, match="does not let go"):
            two.swap("lease", None, b"1")
        assert two.swap("lease", None, b"1")

    def test_a_root_given_as_file_url_or_relative_path(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        open_files("here", {}).write("a/b", b"1")
        assert open_files((tmp_path / "here").as_uri(), {}).read("a/b") == b"1"


class TestObjects:
    @pytest.mark.parametrize("fault", ["slow down", "error", "cut upload", "lost answer", "cut answer"])
    def test_each_write_survives_each_fault(self, s3, fault):
        files, steady = (open_files(s3.url(), s3.options(flaky=flaky)) for flaky in (True, False))
        steady.objects = files.objects.__class__.from_url(
            f"s3://bucket/{files.objects.prefix}", **object_files._obstore_options(s3.options(), 10)
        )
        before = s3.faults().get(fault, 0)
        for act in (
            lambda: files.write("x", b"1"),
            lambda: files.rename("x", "y"),
            lambda: files.swap("lease", None, b"first"),
            lambda: files.swap("lease", b"first", b"second"),
        ):
            s3.let(fault)
            assert act() in (None, True)
        assert s3.faults()[fault] >= before + 4
        assert steady.read("y") == b"1" and steady.read("lease") == b"second"
        s3.let(fault)
        assert not files.swap("lease", b"first", b"third") and not files.swap("lease", None, b"third")
        assert steady.read("lease") == b"second"

    def test_the_whole_store_works_over_a_bad_line(self, s3):
        store = Store(s3.url(), s3.options(flaky=True), writable=True)
        g = grid(models=("m", "n"), images=("i", "j"))
        arrays = prepared(store, g)
        store.write_inputs(arrays, {"i": np.ones((8, 8, 3), np.uint8), "j": np.zeros((8, 8, 3), np.uint8)})
        cells = list(g.cells())
        for n, cell in enumerate(cells):
            finish(store, arrays, cell, n / 8)
        store.merge()
        assert store.forget({cells[0].key}) == 1
        arrays = prepared(store, grid(models=("m", "n", "o"), images=("i", "j")))
        store.recover()
        assert store.committed("e") == {cell.key for cell in cells[1:]}
        assert [float(store.picture(cell.key).max()) for cell in cells[1:]] == [1 / 8, 2 / 8, 3 / 8]
        assert (arrays.input("i") == 1).all() and store.experiments() == ["e"]
        assert store.xarray("e").sizes["model"] == 3

    def test_a_listing_of_more_than_a_page(self, s3):
        files = open_files(s3.url(), s3.options())
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: files.write(f"index/{i:05}", b""), range(1005)))
        assert files.list("index") == [f"{i:05}" for i in range(1005)]

    def test_patience_lasts_minutes_and_not_a_number_of_tries(self):
        retries = object_files._obstore_options({}, object_files.PATIENCE)["retry_config"]
        assert retries["retry_timeout"].total_seconds() == 180 and retries["max_retries"] >= 100
        assert retries["backoff"]["base"] > 2  # else the pauses do not grow: each is drawn from init … base × the last

    def test_options_of_fsspec_and_of_obstore_mean_the_same(self, s3):
        url = s3.url()
        open_files(url, s3.options()).write("a", b"1")
        flat = {
            "key": "tester",
            "secret": "x",
            "endpoint_url": s3.endpoint(),
            "use_ssl": False,
            "anon": False,
            "token": None,
            "client_kwargs": {"region_name": "us-east-1"},
        }
        assert open_files(url, flat).read("a") == b"1"
        assert open_files(url, s3.fsspec()).read("a") == b"1"
        with pytest.raises(PermissionDeniedError):
            open_files(url, s3.options(access_key_id=123456)).read("a")

    @pytest.mark.parametrize(
        ("url", "options", "says"),
        [
            ("s3://b/p", {"colour": "red"}, "'colour'"),
            ("s3://b/p", {"endpoint": "localhost:9000"}, "http://"),
            ("nonsense://b/p", {}, "nonsense"),
        ],
    )
    def test_wrong_options_are_told(self, url, options, says):
        with pytest.raises(InputError, match=says) as told:
            open_files(url, options)
        assert "\n" not in told.value.problem

    def test_an_upload_that_is_large(self, s3):
        content = np.random.default_rng(0).bytes(12 * 2**20)
        files = open_files(s3.url(), s3.options())
        files.write("part", content)
        assert isinstance(files, ObjectFiles) and files.read("part") == content
        assert obstore.head(files.objects, "part")["size"] == len(content)


def test_no_import_of_obstore_for_a_folder():
    code = (
        "import sys; from distcari.store import Store; Store(sys.argv[1]).table(); "
        "sys.exit('obstore' in sys.modules or 's3fs' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(Path("/nowhere/at/all"))]).returncode == 0
