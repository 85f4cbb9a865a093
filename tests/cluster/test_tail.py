"""Figures and the store beside a worker: the same rows and bits as on its own thread, and nobody is left behind."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from pathlib import Path

import pytest
from support.serial import planned
from support.shared import config

from distcari.cluster.driver import Run
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.retrying import StoreError
from distcari.cluster.worker import Worker

pytestmark = pytest.mark.timeout(300)
WHEN = {"seconds", "started_at", "finished_at", "run_id", "device"}
DOCUMENT = config(seeds=[0, 1], resources={"batch": 3})


@pytest.fixture
def worker(work):
    """A run, and a worker with a process beside; it is gone at the end."""
    plan, store = planned(work, DOCUMENT)
    run = Run(plan, store, SerialExecutor())
    units = run.prepare()
    made = Worker(store.url, {}, "small", "r", threads=1, device="cpu", beside=1)
    yield run, units, made
    made.tail.pool.shutdown()


def test_rows_and_bits_are_those_of_the_workers_own_thread_and_jobs_in_several_hands_each_done_once(worker):
    run, units, made = worker
    results = []
    threads = [threading.Thread(target=lambda u=u: results.append(made.run(run.job(u)))) for u in units]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = [row for result in results for row in result.rows]
    own = Worker(run.store.url, {}, "small", "r", threads=1, device="cpu")
    here = [row for unit in units for row in own.run(run.job(unit)).rows]
    assert len(here) == 16 and sorted(row["key"] for row in there) == sorted(c.key for u in units for c in u.cells)
    for one, other in zip(sorted(here, key=lambda r: r["key"]), sorted(there, key=lambda r: r["key"]), strict=True):
        assert {k: v for k, v in one.items() if k not in WHEN} == {k: v for k, v in other.items() if k not in WHEN}
    assert len(made._resident) <= 3


def test_a_process_beside_that_was_killed_makes_the_worker_useless_and_costs_no_try(worker):
    run, units, made = worker
    made.run(run.job(units[0]))
    for process in made.tail.pool._processes.values():
        os.kill(process.pid, signal.SIGKILL)
    result = made.run(run.job(units[1]))
    assert "was killed" in result.broken and not result.rows and not result.failures
    error = pickle.loads(pickle.dumps(StoreError("no space left", full=True)))  # as it comes from there
    assert (error.message, error.full) == ("no space left", True)


def live_once(path):
    """The body of a process that has another beside it, and dies without a word."""
    os.chdir(path)
    plan, store = planned(Path(path), DOCUMENT)
    run = Run(plan, store, SerialExecutor())
    run.prepare()
    made = Worker(store.url, {}, "small", "r", threads=1, device="cpu", beside=1)
    beside = made.tail.pool.submit(os.getpid).result()
    Path("pid").write_text(str(beside))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_leaves_no_process_behind(work):
    process = multiprocessing.get_context("spawn").Process(target=live_once, args=(str(work),))
    process.start()
    process.join()
    beside = int((work / "pid").read_text())
    ended = threading.Event()
    for _ in range(300):
        if not alive(beside):
            break
        ended.wait(0.1)
    assert not alive(beside)


def alive(pid):
    """Whether a process runs (a zombie does not)."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
