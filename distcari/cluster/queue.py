"""Units that wait, by model: whoever asks gets work of the model that it holds, and smaller pieces towards the end."""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable

from distcari.grid import Label, WorkUnit

LEAST_ON_GPU = 16  # cells; fewer wait for launches (docs/performance.md: estimated, not measured)


def joined(units: Iterable[WorkUnit], most: int, alike: Callable[[WorkUnit], Hashable | None]) -> list[WorkUnit]:
    """Small units of one model put together, up to `most` cells, in order: a step of a GPU takes as long for all.

    Only units of equal `alike` go together; of None, and those that share a stored object, each stands alone.
    """
    made: list[WorkUnit] = []
    open_: dict[Hashable, int] = {}
    for unit in units:
        kind = None if unit.shard is not None or len(unit.cells) >= LEAST_ON_GPU else alike(unit)
        at = open_.get((unit.model, kind)) if kind is not None else None
        if at is not None and len(made[at].cells) + len(unit.cells) <= most:
            made[at] = made[at]._replace(cells=made[at].cells + unit.cells, joined=True)
            continue
        made.append(unit)
        if kind is not None:
            open_[unit.model, kind] = len(made) - 1
    return made


class Queue:
    """Units that wait, and which shards are being written.

    No unit is cut to pieces of fewer than `least` cells: a GPU that waits for launches does one in the time of many.
    """

    def __init__(self, units: Iterable[WorkUnit] = (), least: int = 1) -> None:
        self.least = least
        self._by_model: dict[str, deque[WorkUnit]] = {}
        self._cells: Counter[str] = Counter()
        self._shards: set[tuple[Label, ...]] = set()
        for unit in units:
            self.put(unit)

    def __bool__(self) -> bool:
        return bool(self._by_model)

    def __len__(self) -> int:
        return sum(map(len, self._by_model.values()))

    @property
    def cells(self) -> int:
        """Cells that wait."""
        return self._cells.total()

    @property
    def models(self) -> list[str]:
        """Models with work left."""
        return list(self._by_model)

    def put(self, unit: WorkUnit, first: bool = False) -> None:
        """Add a unit, behind the others or in front of them."""
        waiting = self._by_model.setdefault(unit.model, deque())
        (waiting.appendleft if first else waiting.append)(unit)
        self._cells[unit.model] += len(unit.cells)

    def take(
        self,
        resident: str | None,
        busy_with: Counter[str],
        workers: int,
        fit: Callable[[WorkUnit], bool] = lambda _: True,
    ) -> WorkUnit | None:
        """The next unit for a worker that holds model `resident`; None if every shard left is being written, or no
        unit is `fit` for it.

        Of its own model while there is work, else of the one with most cells for each worker on it. Not more than half
        of an equal share of what is left among `workers` (guided self-scheduling, Polychronopoulos and Kuck 1987), so
        that none has much in hand when the others run dry.
        """
        rest = sorted(
            (model for model in self._by_model if model != resident),
            key=lambda model: -self._cells[model] / (1 + busy_with[model]),
        )
        for model in ([resident] if resident in self._by_model else []) + rest:
            assert model is not None
            unit = self._next_of(model, fit)
            if unit is not None:
                share = -(-(self.cells + len(unit.cells)) // (2 * max(1, workers)))
                most = max(share, self.least)
                return unit if len(unit.cells) - most < self.least > 1 else self.cut(unit, most)
        return None

    def cut(self, unit: WorkUnit, most: int) -> WorkUnit:
        """At most so many cells of a unit that was taken; the rest waits in front. A shard stays whole."""
        if unit.shard is not None or len(unit.cells) <= most:
            return unit
        self.put(unit._replace(cells=unit.cells[most:]), first=True)
        return unit._replace(cells=unit.cells[:most])

    def done(self, unit: WorkUnit) -> None:
        """A unit that was taken is out of its worker's hands."""
        if unit.shard is not None:
            self._shards.discard(unit.shard)

    def _next_of(self, model: str, fit: Callable[[WorkUnit], bool]) -> WorkUnit | None:
        waiting = self._by_model[model]
        for i, unit in enumerate(waiting):
            if (unit.shard is None or unit.shard not in self._shards) and fit(unit):
                del waiting[i]
                self._cells[model] -= len(unit.cells)
                if not waiting:
                    del self._by_model[model]
                    del self._cells[model]
                if unit.shard is not None:
                    self._shards.add(unit.shard)
                return unit
        return None
