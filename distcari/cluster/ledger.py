"""What has become of a run's cells: tries, rows to commit, failures. Knows the store and its lease, but no Ray.

A cell gets three tries, on different workers as long as there are any, and is then given up, alone. Tries on a worker
that turns out to be of no use do not count. Rows reach the index in parts of up to 64 rows or 5 seconds; until then
they are computed, but not done.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from distcari.cluster import events as e
from distcari.cluster.jobs import Result
from distcari.cluster.retrying import StoreError, retried
from distcari.grid import Cell, WorkUnit
from distcari.planning.plan import Plan
from distcari.store import Store
from distcari.store.index import Index
from distcari.store.lease import Lease, LeaseLost

log = logging.getLogger("distcari.ledger")
Rows = list[dict[str, Any]]
TRIES = 3
FLUSH_ROWS, FLUSH_SECONDS = 64, 5.0


class RunStopped(RuntimeError):
    """The run cannot go on; nothing done is lost. `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Ledger:
    """The books of one run; `tell` hears of each cell."""

    def __init__(self, plan: Plan, store: Store, run_id: str, tell: Callable[[e.Event], None]) -> None:
        self.plan, self.store, self.run_id, self.tell = plan, store, run_id, tell
        self.done = 0
        self.failures: Rows = []
        self.absolved: Counter[str] = Counter()  # of each worker: cells that failed there and were done elsewhere
        self._tries: dict[str, list[str]] = {}  # of each cell that failed: the workers it failed on
        self._taken: set[str] = set()
        self._rows: Rows = []
        self._given_up: Rows = []
        self._flushed = time.monotonic()

    def attempt(self, cell: Cell) -> int:
        """The number of a cell's next try, from 1."""
        return len(self.failed_on(cell)) + 1

    def failed_on(self, cell: Cell) -> Sequence[str]:
        """The workers that a cell's tries so far failed on."""
        return self._tries.get(cell.key, ())

    def forgive(self, worker: str) -> None:
        """A worker is of no use: what failed on it was no fault of the cells."""
        for key in [key for key, tried in self._tries.items() if worker in tried]:
            self._tries[key] = [other for other in self._tries[key] if other != worker]

    def take_in(self, unit: WorkUnit, worker: str, result: Result) -> list[WorkUnit]:
        """Enter what became of a unit; what is to be tried again, each cell alone so that none takes others with it.

        All together where the worker was of no use.
        """
        for row in result.rows:
            if row["key"] in self._taken:
                continue
            self._taken.add(row["key"])
            self._rows.append(row)
            self.done += 1
            self.absolved.update(set(self._tries.pop(row["key"], ())) - {worker})
            self.tell(e.CellDone(row))
        if result.broken:
            left = tuple(cell for cell in unit.cells if cell.key not in self._taken)
            return [unit._replace(cells=left)] if left else []
        return [
            unit._replace(cells=(cell,))
            for cell, message, trace in result.failures
            if self._once_more(cell, worker, message, trace, result.node)
        ]

    @property
    def due(self) -> bool:
        """Whether it is time to commit."""
        waiting = len(self._rows) + len(self._given_up)
        return waiting >= FLUSH_ROWS or (waiting > 0 and time.monotonic() - self._flushed > FLUSH_SECONDS)

    def flush(self, lease: Lease) -> None:
        """Commit finished rows: that is the moment from which they count as done. Raises RunStopped if it cannot be."""
        try:
            retried(lambda: self._commit(lease), log)
        except LeaseLost as error:
            raise RunStopped(str(error), error.remedy) from None
        except StoreError as error:
            raise store_stopped(self.store, error) from error
        self._flushed = time.monotonic()

    def _commit(self, lease: Lease) -> None:
        if self._rows:
            _append(lease, self.store.commit, self.store.index, self._rows)
            self._rows = []
        if self._given_up:
            _append(lease, self.store.failed.append, self.store.failed, self._given_up)
            self._given_up = []

    def _once_more(self, cell: Cell, worker: str, message: str, trace: str, node: str) -> bool:
        """Count a failed try; whether the cell may be tried again."""
        tried = self._tries.setdefault(cell.key, [])
        tried.append(worker)
        if len(tried) < TRIES:
            self.tell(e.CellRetried(cell.key, message))
            return True
        row = {
            "key": cell.key,
            "experiment": self.plan.experiment.name,
            **self.plan.settings_of(cell).in_force(),
            **self.plan.labels(cell),
            "error": message,
            "traceback": trace,
            "attempt": len(tried),
            "node": node,
            "run_id": self.run_id,
            "time": datetime.now(UTC),
        }
        self._given_up.append(row)
        self.failures.append(row)
        self.tell(e.CellFailed(row))
        return False


def store_stopped(store: Store, error: StoreError) -> RunStopped:
    """What to raise where the store takes nothing."""
    state, remedy = ("takes no more writes", "Make room") if error.full else ("cannot be written", "Mend it")
    return RunStopped(f"the store {store.url} {state}: {error.message}", f"{remedy}, then give the same command again.")


def _append(lease: Lease, append: Callable[[Rows], Any], index: Index, rows: Rows) -> None:
    """Append rows under the lease; if it is lost in this very moment, take them back: the next driver saw them not."""
    part = None
    try:
        with lease.held():
            part = append(rows)
    except LeaseLost:
        if part is not None:
            index.drop(part)
        raise
