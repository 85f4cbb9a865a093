"""The lease: one holder at a time, on a folder and on S3 alike, whatever becomes of the holder."""

import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from support.stores import grid, prepared

from distcari.errors import InputError
from distcari.store import Store
from distcari.store import lease as module
from distcari.store.files import FolderFiles, open_files
from distcari.store.lease import LeaseLost, take

pytestmark = pytest.mark.timeout(120)
HOLDER = """
import json, sys
from distcari.store.files import open_files
from distcari.store.lease import LeaseLost, take
url, options, beat, ttl = json.loads(sys.argv[1])
files = open_files(url, options)
lease = take(files, "e", beat=beat, ttl=ttl)
print("holding", flush=True)
for line in sys.stdin:
    try:
        with lease.held():
            files.write("committed", line.encode())
        print("committed", flush=True)
    except LeaseLost as error:
        print("lost:", error, flush=True)
"""


@pytest.fixture(params=["folder", "s3"])
def place(request, tmp_path):
    """(url, options) of a fresh place of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store"), {}
    s3 = request.getfixturevalue("s3")
    return s3.url(), s3.options()


@pytest.fixture
def files(place):
    return open_files(*place)


class Holder:
    """A real process that holds the lease `e` and commits a line when told."""

    def __init__(self, place, beat=60, ttl=600):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, json.dumps([*place, beat, ttl])],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.hear() == "holding"

    def hear(self):
        return self.process.stdout.readline().strip()

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def freeze(self):
        """Stop it, and come back when it has stopped."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)


@pytest.fixture
def holder(place):
    made = []

    def make(**times):
        made.append(Holder(place, **times))
        return made[-1]

    yield make
    for each in made:
        each.process.kill()
        each.process.communicate()


def record(files):
    return json.loads(files.read("leases/e.json"))


def rewrite(files, **changes):
    """The lease as if somebody else had written it."""
    files.write("leases/e.json", json.dumps(record(files) | changes).encode())


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def test_a_second_taker_is_told_who_holds_it_and_since_when(files):
    with take(files, "e") as lease:
        with pytest.raises(InputError) as told:
            take(files, "e")
        assert f"process {os.getpid()} of {getpass.getuser()} on {socket.gethostname()}" in str(told.value)
        since = re.search(r"since (\S+) UTC", str(told.value))
        age = datetime.now(UTC) - datetime.fromisoformat(since[1]).replace(tzinfo=UTC)
        assert timedelta(0) <= age < timedelta(minutes=1)
        assert told.value.remedy and "store lease 'e'" in told.value.where
        with lease.held():
            files.write("committed", b"1")
        with take(files, "another"):
            pass


def test_a_lease_that_is_released_is_free_at_once(files):
    for _ in range(3):
        with take(files, "e", beat=60, ttl=600):
            pass
    lease = take(files, "e")
    lease.release()
    lease.release()
    with take(files, "e"), pytest.raises(LeaseLost), lease.held():
        raise AssertionError("not ours any more")


def test_of_eight_takers_one_gets_it(place):
    together = threading.Barrier(8)

    def attempt(_):
        files = open_files(*place)
        together.wait()
        try:
            return take(files, "e")
        except InputError as error:
            assert f"process {os.getpid()}" in str(error)

    with ThreadPoolExecutor(8) as pool:
        leases = [lease for lease in pool.map(attempt, range(8)) if lease]
    assert len(leases) == 1
    leases[0].release()


def test_the_lease_of_a_killed_process_is_taken_over_at_once(holder, files):
    process = holder().process
    with pytest.raises(InputError, match=f"process {process.pid} of"):
        take(files, "e")
    process.kill()
    process.wait()
    with take(files, "e") as lease, lease.held():
        assert record(files)["pid"] == os.getpid()


def test_a_frozen_holder_loses_the_lease_and_commits_nothing_once_it_thaws(holder, files):
    frozen = holder()
    frozen.say("one")
    assert frozen.hear() == "committed"
    frozen.freeze()
    rewrite(files, beat_at=ago(31))
    with take(files, "e") as lease:
        frozen.say("two")
        frozen.thaw()
        said = frozen.hear()
        assert said.startswith("lost:") and f"process {os.getpid()} of" in said
        with lease.held():
            assert files.read("committed") == b"one\n"
    frozen.say("three")
    assert frozen.hear().startswith("lost:")
    assert files.read("committed") == b"one\n" and record(files)["owner"] == ""


def test_a_holder_frozen_while_nobody_else_came_goes_on(holder, files):
    frozen = holder()
    frozen.freeze()
    rewrite(files, beat_at=ago(1000))
    frozen.say("one")
    frozen.thaw()
    assert frozen.hear() == "committed"


def test_the_heartbeat_keeps_a_lease_for_longer_than_it_lives(holder, files):
    ttl = 0.4
    keeper = holder(beat=0.1, ttl=ttl)
    later = datetime.fromisoformat(record(files)["taken_at"]) + 3 * timedelta(seconds=ttl)
    while datetime.fromisoformat(record(files)["beat_at"]) < later:
        threading.Event().wait(0.02)
    with pytest.raises(InputError, match=f"is held by process {keeper.process.pid}"):
        take(files, "e")
    keeper.say("one")
    assert keeper.hear() == "committed" and record(files)["beat"] > 2


@pytest.mark.parametrize(
    "torn", [b"", b'{"owner": "ab', b"\0" * 300, b"[1, 2]", b"7", b'{"owner": "abc"}', b"\xff\xfe"]
)
def test_a_torn_lease_is_nobodys(files, torn):
    files.write("leases/e.json", torn)
    with take(files, "e") as lease, lease.held():
        assert record(files)["pid"] == os.getpid()


def test_a_lease_that_is_torn_or_gone_while_held_is_lost(files):
    with take(files, "e") as lease:
        files.write("leases/e.json", b"")
        with pytest.raises(LeaseLost, match="nobody"), lease.held():
            raise AssertionError("not ours any more")
    with take(files, "e") as lease:
        files.delete("leases/e.json")
        with pytest.raises(LeaseLost, match="gone"), lease.held():
            raise AssertionError("not ours any more")


class TestClocks:
    """A holder on another machine, whose clock may be wrong."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, files, monkeypatch):
        monkeypatch.setattr(module, "BEAT", 0.1)
        take(files, "e", beat=60).release()
        self.files = files
        rewrite(files, owner="somebody", host="far", machine="far/away")

    @pytest.mark.parametrize("seconds", [0, 25, -25])
    def test_a_recent_sign_of_life_is_believed(self, seconds):
        rewrite(self.files, beat_at=ago(seconds))
        with pytest.raises(InputError, match="on far"):
            take(self.files, "e")

    @pytest.mark.parametrize("seconds", [40, 100_000, -40, -100_000])
    def test_else_it_is_looked_whether_it_beats(self, seconds, monkeypatch):
        rewrite(self.files, beat_at=ago(seconds))
        slept = []

        def beating(pause):
            slept.append(pause)
            rewrite(self.files, beat_at=ago(seconds - 0.1))

        with monkeypatch.context() as patch:
            patch.setattr(module.time, "sleep", beating)
            with pytest.raises(InputError, match="on far"):
                take(self.files, "e")
            assert slept == [0.2]
        with take(self.files, "e"):
            assert record(self.files)["pid"] == os.getpid()

    def test_a_process_of_that_number_here_means_nothing(self):
        rewrite(self.files, pid=2**22 + 5, beat_at=ago(0))
        with pytest.raises(InputError, match="on far"):
            take(self.files, "e")


class TestLostAnswers:
    """Over a bad line a renewal may be carried out and its answer lost."""

    def test_taking_renewing_and_releasing_survive_it(self, s3):
        files = open_files(s3.url(), s3.options(flaky=True))
        for fault in ("lost answer", "cut upload", "cut answer"):
            s3.let(fault)
            with take(files, "e", beat=60) as lease:
                for _ in range(2):
                    s3.let(fault)
                    lease._renew()
                    with lease.held():
                        pass
                s3.let(fault)
            assert record(files)["owner"] == ""

    def test_a_renewal_that_raised_after_it_was_written_is_no_loss(self, files, monkeypatch):
        with take(files, "e", beat=60) as lease:
            with monkeypatch.context() as patch:
                swap = type(files).swap
                patch.setattr(files, "swap", lambda *a: swap(files, *a) and raise_(OSError("the answer was lost")))
                with pytest.raises(OSError, match="answer was lost"):
                    lease._renew()
            for _ in range(2):
                with lease.held():
                    pass
                lease._renew()

    def test_a_heart_that_cannot_beat_for_the_lifetime_of_the_lease_gives_it_up(self, files, monkeypatch):
        with take(files, "e", beat=0.02, ttl=0.1) as lease:
            monkeypatch.setattr(files, "swap", lambda *_: raise_(OSError("the line is dead")))
            lost = threading.Event()
            while lease._lost is None:
                lost.wait(0.02)
            with pytest.raises(LeaseLost, match=r"for 0\.1 s: the line is dead"), lease.held():
                raise AssertionError("not ours any more")


def raise_(error):
    raise error


def test_a_commit_during_which_the_lease_is_taken_is_told(files, monkeypatch):
    """On an object store nothing keeps others from taking it in that very moment; on a folder the lock does."""
    with take(files, "e") as lease:
        with pytest.raises(LeaseLost, match="on far"), lease.held():
            rewrite(files, owner="somebody", host="far")
        with pytest.raises(LeaseLost), lease.held():
            raise AssertionError("lost for good")


def test_a_holder_frozen_within_a_commit_keeps_it_on_a_folder(tmp_path, monkeypatch):
    files, other = FolderFiles(tmp_path), FolderFiles(tmp_path)
    lease = take(files, "e", beat=60)
    with lease.held():
        monkeypatch.setattr("distcari.store.files.LOCKED", 0.05)
        rewrite(files, beat_at=ago(100))
        with pytest.raises(InputError, match=f"process {os.getpid()} of .* stopped in the middle of a commit"):
            take(other, "e")
    lease.release()


def test_a_store_that_refuses_the_lease_is_told(s3, tmp_path):
    with pytest.raises(InputError, match="InvalidAccessKeyId"):
        take(open_files(s3.url(), s3.options(access_key_id="wrong")), "e")
    (tmp_path / "leases").write_text("a file where a folder belongs")
    with pytest.raises(InputError, match="is a file where a folder should be"):
        take(FolderFiles(tmp_path), "e")


def test_an_experiment_may_be_called_index(tmp_path):
    store = Store(str(tmp_path), writable=True)
    prepared(store, grid())
    with take(store.files, "index"):
        assert store.merge() == (0, 0) and store.forget({"x"}) == 0


MERGER = """
import os, signal, sys
from distcari.store import Store
from distcari.store import store as module
from distcari.store.index import Index
from distcari.store.lease import take
module.take = lambda files, name: take(files, name, beat=60)
encode = Index._encode
def stopping(index, *given):
    os.kill(os.getpid(), signal.SIGSTOP)
    return encode(index, *given)
Index._encode = stopping
try:
    Store(sys.argv[1], writable=True).forget({"a"})
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def test_a_process_frozen_while_it_rewrites_the_index_does_no_harm_once_it_thaws(tmp_path):
    store = Store(str(tmp_path), writable=True)
    for keys in ("ab", "cd"):
        store.commit([{"key": key, "experiment": "e"} for key in keys])
    merger = subprocess.Popen([sys.executable, "-c", MERGER, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    os.waitid(os.P_PID, merger.pid, os.WSTOPPED | os.WNOWAIT)
    lease = json.loads(store.files.read("leases/_index.json"))
    store.files.write("leases/_index.json", json.dumps(lease | {"beat_at": ago(31)}).encode())
    assert store.merge() == (1, 0)
    os.kill(merger.pid, signal.SIGCONT)
    assert "InputError" in merger.communicate()[1] and merger.returncode == 1
    assert sorted(store.index.table(["key"])["key"].to_pylist()) == list("abcd")
    assert store.index.pending() == [] and len(store.index.parts()) == 1
