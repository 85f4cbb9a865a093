"""The ledger of a run: tries, rows, failures and their commit, without Ray."""

import contextlib
import errno

import pytest
from support.serial import planned
from support.shared import config

from distcari.cluster import events, retrying
from distcari.cluster.driver import Run
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.jobs import Result
from distcari.cluster.ledger import RunStopped
from distcari.cluster.worker import Worker
from distcari.store.lease import LeaseLost, take


@pytest.fixture
def run(work, monkeypatch):
    """A run that is prepared, of four cells; it hears of its own events."""
    monkeypatch.setattr(retrying, "WAITS", (0, 0, 0))
    plan, store = planned(work, config(layers=["conv2"], seeds=[0, 1], images=["photos/one.png"]))
    heard = []
    run = Run(plan, store, SerialExecutor(), [heard.append])
    run.units, run.heard = run.prepare(), heard
    return run


def computed(run, unit):
    worker = Worker(run.store.url, {}, "small", run.run_id, threads=1, device="cpu")
    return worker.run(run.job(unit))


def test_a_cell_is_tried_three_times_and_given_up_alone(run):
    unit = run.units[0]
    assert len(unit.cells) == 2
    again = run.ledger.take_in(unit, "w", Result.failed(unit, "boom", "trace"))
    assert [one.cells for one in again] == [(cell,) for cell in unit.cells]
    bad, good = again
    assert run.ledger.take_in(good, "w", computed(run, good)) == [] and run.done == 1
    assert [one.attempt for one in run.job(bad).cells] == [2]
    assert run.ledger.take_in(bad, "w", Result.failed(bad, "boom")) == [bad]
    assert run.ledger.take_in(bad, "w", Result.failed(bad, "boom at last", "trace")) == []
    (row,) = run.failures
    assert (row["key"], row["error"], row["attempt"]) == (bad.cells[0].key, "boom at last", 3)
    kinds = [type(event) for event in run.heard]
    assert kinds == [events.CellRetried] * 2 + [events.CellDone, events.CellRetried, events.CellFailed]
    with take(run.store.files, "small") as lease:
        run.ledger.flush(lease)
    assert list(run.store.table()["key"]) == [good.cells[0].key]
    assert list(run.store.failures()["key"]) == [bad.cells[0].key]


def test_a_row_that_comes_twice_counts_once(run):
    result = computed(run, run.units[0])
    for _ in range(2):
        run.ledger.take_in(run.units[0], "w", result)
    with take(run.store.files, "small") as lease:
        run.ledger.flush(lease)
    assert run.done == 2 == len(run.store.table())


def test_a_store_that_stumbles_is_tried_again_and_a_full_one_stops_the_run(run, monkeypatch):
    commit, troubles = run.store.commit, [OSError(errno.EIO, "hiccup")] * 3

    def stumbling(rows):
        if troubles:
            raise troubles.pop()
        return commit(rows)

    monkeypatch.setattr(run.store, "commit", stumbling)
    run.ledger.take_in(run.units[0], "w", computed(run, run.units[0]))
    with take(run.store.files, "small") as lease:
        run.ledger.flush(lease)
        assert len(run.store.table()) == 2
        run.ledger.take_in(run.units[1], "w", computed(run, run.units[1]))
        troubles[:] = [OSError(errno.ENOSPC, "no space left")] * 3
        with pytest.raises(RunStopped, match=r"takes no more writes: .*no space left") as error:
            run.ledger.flush(lease)
        assert error.value.remedy.startswith("Make room") and len(troubles) == 2  # not tried again
        troubles[:] = [OSError(errno.EIO, "hiccup")] * 9
        with pytest.raises(RunStopped, match="cannot be written"):
            run.ledger.flush(lease)
        troubles.clear()
        run.ledger.flush(lease)
    assert len(run.store.table()) == 4  # nothing that was finished is lost


@pytest.mark.parametrize("failed", [False, True])
def test_rows_committed_while_the_lease_was_lost_are_taken_back(run, failed):
    """The lease is of an object store, where another driver may take it in the middle of a commit."""
    unit = run.units[0]
    for _ in range(3 if failed else 1):
        run.ledger.take_in(unit, "w", Result.failed(unit, "boom") if failed else computed(run, unit))

    class Taken:
        @contextlib.contextmanager
        def held(self):
            yield
            raise LeaseLost("taken over by another")

    with pytest.raises(RunStopped, match="taken over"):
        run.ledger.flush(Taken())
    assert len(run.store.table()) == 0 == len(run.store.failures())
    with take(run.store.files, "small") as lease:
        run.ledger.flush(lease)
    assert (len(run.store.failures()), len(run.store.table())) == ((2, 0) if failed else (0, 2))
