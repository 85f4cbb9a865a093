"""Stopping a cell that has stopped rising: an option, since unequal steps confound comparing."""

from collections.abc import Sequence

import torch
from torch import Tensor

WINDOW = 16  # steps whose gains are averaged, and between two looks


class Plateau:
    """Which of N cells have stopped, after how many steps, and with which spectrum; cells stay independent."""

    def __init__(self, share: float) -> None:
        self._share = share
        self.stopped: dict[int, tuple[int, Tensor]] = {}  # cell: steps taken, spectrum then

    def all_stopped(self, gains: Sequence[Tensor], spectra: Tensor) -> bool:
        """Look at the gains so far, (N,) of each step; looks, and waits for a GPU, every 16 steps only."""
        steps = len(gains)
        if not self._share or steps % WINDOW or steps < 2 * WINDOW:
            return False
        last = torch.stack(tuple(gains[-2 * WINDOW :])).float().cpu()
        before, now = last[:WINDOW].mean(0), last[WINDOW:].mean(0)
        for i in torch.nonzero(now - before < self._share * before.abs()).flatten().tolist():
            self.stopped.setdefault(i, (steps, spectra[i].detach().clone()))
        return len(self.stopped) == len(spectra)

    def finished(self, spectra: Tensor) -> Tensor:
        """The spectra (N, …), each as it was when its cell stopped."""
        return torch.stack([self.stopped[i][1] if i in self.stopped else s for i, s in enumerate(spectra.detach())])

    def steps(self, cell: int, most: int) -> int:
        """Steps that a cell took, of at most so many."""
        return self.stopped[cell][0] if cell in self.stopped else most
