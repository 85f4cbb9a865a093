"""Stopping a cell that has stopped rising: an option, since unequal steps confound comparing."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

WINDOW = 16  # steps whose gains are averaged, and between two looks


class Plateau:
    """Which of N cells have stopped, after how many steps, and with which picture; cells stay independent."""

    def __init__(self, share: float) -> None:
        self._share = share
        self.stopped: dict[int, tuple[int, Tensor]] = {}  # cell: steps taken, picture then

    def all_stopped(self, gains: Sequence[Tensor], shown: Callable[[], Tensor]) -> bool:
        """Look at the gains so far, (N,) of each step; looks, and waits for a GPU, every 16 steps only.

        `shown` gives the pictures (N, …) as they are now.
        """
        steps = len(gains)
        if not self._share or steps % WINDOW or steps < 2 * WINDOW:
            return False
        last = torch.stack(tuple(gains[-2 * WINDOW :])).float().cpu()
        before, now = last[:WINDOW].mean(0), last[WINDOW:].mean(0)
        new = [
            i
            for i in torch.nonzero(now - before < self._share * before.abs()).flatten().tolist()
            if i not in self.stopped
        ]
        if new:
            pictures = shown()
            self.stopped |= {i: (steps, pictures[i]) for i in new}
        return len(self.stopped) == len(now)

    def finished(self, pictures: Tensor) -> Tensor:
        """The pictures (N, …), each as it was when its cell stopped."""
        return torch.stack([self.stopped[i][1] if i in self.stopped else p for i, p in enumerate(pictures)])

    def steps(self, cell: int, most: int) -> int:
        """Steps that a cell took, of at most so many."""
        return self.stopped[cell][0] if cell in self.stopped else most
