"""How many cells a device optimises at once: learnt from where memory ran out, never probed.

A probe would cost whole caricatures for every layer, and of two workers on a card each would count what the other is
about to take. Running out costs one try in vain; what it taught holds for all models of the architecture.
"""

from collections.abc import Hashable

AT_ONCE = 64  # cells; larger batches gain nothing on a card (docs/performance.md: estimated, not measured)


class Limits:
    """The most cells at once at each place, which is whatever decides a cell's memory: architecture, layer, precision
    …; 64 until less is known."""

    def __init__(self) -> None:
        self._known: dict[Hashable, int] = {}

    def most(self, place: Hashable) -> int:
        """Cells to try together."""
        return self._known.get(place, AT_ONCE)

    def ran_out(self, place: Hashable, cells: int) -> None:
        """So many cells together were too many: half of them from now on."""
        self._known[place] = max(1, min(self.most(place), cells // 2))
