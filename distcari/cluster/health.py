"""Which workers are of use, and how soon to try a place again where one was not. No Ray.

A process with a broken card fails in milliseconds what takes the others seconds: it is idle first, and would eat the
grid. Whose fault a failure was, the worker or the cell, shows where another worker tries the same cell.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from distcari.cluster.jobs import Result

WAITS = (0.0, 15.0, 60.0, 240.0)  # seconds until a place is tried again; a new process cures most errors of CUDA
BARREN = 2  # units in a row of which nothing came


@dataclass
class Health:
    """The books on workers. A place is a node and a card; times are of `time.monotonic`."""

    setbacks: int = 0  # retirements and failed starts since any cell was done
    _barren: Counter[str] = field(default_factory=Counter)
    _strikes: Counter[str] = field(default_factory=Counter)
    _closed: list[float] = field(default_factory=list)

    def heard(self, worker: str, place: str, result: Result) -> None:
        """What a worker made of a unit."""
        if result.rows:
            self.setbacks = self._barren[worker] = self._strikes[place] = 0
        elif result.failures:
            self._barren[worker] += 1

    def doubtful(self, worker: str) -> bool:
        """Whether nothing came of its last unit."""
        return self._barren[worker] > 0

    def useless(self, workers: Iterable[str], absolved: Mapping[str, int]) -> list[str]:
        """Those that finish nothing while others do what failed there (`absolved`: how many cells)."""
        return [worker for worker in workers if self._barren[worker] >= BARREN and absolved.get(worker)]

    def close(self, place: str, now: float) -> float:
        """A worker at a place was retired, or could not start; seconds until one is wanted there again."""
        wait = WAITS[min(self._strikes[place], len(WAITS) - 1)]
        self._strikes[place] += 1
        self.setbacks += 1
        if wait:
            self._closed.append(now + wait)
        return wait

    def closed(self, now: float) -> int:
        """How many places are not to be tried now."""
        self._closed = [until for until in self._closed if until > now]
        return len(self._closed)
