"""What has become of a run's cells: tries, rows to commit, failures. Knows the store and its lease, but no Ray.

A cell gets three tries and is then given up, alone. Rows reach the index in parts of up to 64 rows or 5 seconds; until
then they are computed, but not done.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
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
        self._attempts: Counter[str] = Counter()
        self._taken: set[str] = set()
        self._rows: Rows = []
        self._given_up: Rows = []
        self._flushed = time.monotonic()

    def attempt(self, cell: Cell) -> int:
        """The number of a cell's next try, from 1."""
        return self._attempts[cell.key] + 1

    def take_in(self, unit: WorkUnit, result: Result) -> list[WorkUnit]:
        """Enter what became of a unit; what is to be tried again, each cell alone so that none takes others with it."""
        for row in result.rows:
            if row["key"] in self._taken:
                continue
            self._taken.add(row["key"])
            self._rows.append(row)
            self.done += 1
            self.tell(e.CellDone(row))
        return [
            unit._replace(cells=(cell,))
            for cell, message, trace in result.failures
            if self._once_more(cell, message, trace, result.node)
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

    def _once_more(self, cell: Cell, message: str, trace: str, node: str) -> bool:
        """Count a failed try; whether the cell may be tried again."""
        self._attempts[cell.key] += 1
        if self._attempts[cell.key] < TRIES:
            self.tell(e.CellRetried(cell.key, message))
            return True
        row = {
            "key": cell.key,
            "experiment": self.plan.experiment.name,
            **self.plan.settings_of(cell).in_force(),
            **self.plan.labels(cell),
            "error": message,
            "traceback": trace,
            "attempt": self._attempts[cell.key],
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
