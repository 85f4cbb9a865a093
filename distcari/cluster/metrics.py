"""What workers count for Ray's Prometheus endpoint: cells done and failed, seconds by phase, model loads."""

import sys
from typing import Any


class Meter:
    """Counters of one worker; without Ray (in a plain call) they count nothing."""

    def __init__(self, experiment: str) -> None:
        ray = sys.modules.get("ray")  # in a Ray worker it is there
        self._on = ray is not None and bool(ray.is_initialized())
        if not self._on:
            return
        from ray.util.metrics import Counter, Histogram

        tags = ("experiment", "model")
        always = {"experiment": experiment}
        self._done = Counter("distcari_cells_done", "Cells stored and verified.", tags)
        self._failed = Counter("distcari_cells_failed", "Tries of cells that failed.", tags)
        self._loads = Counter("distcari_model_loads", "Models loaded.", tags)
        self._cell = Histogram(
            "distcari_cell_seconds", "Seconds to optimise a cell.", [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000], tags
        )
        self._phase = Counter(
            "distcari_phase_seconds", "Seconds by phase: load, render, commit.", ("experiment", "phase")
        )
        for metric in (self._done, self._failed, self._loads, self._cell, self._phase):
            metric.set_default_tags(always)

    def done(self, model: str, seconds: float) -> None:
        """A cell was stored."""
        if self._on:
            self._done.inc(1, _of(model))
            self._cell.observe(max(seconds, 1e-9), _of(model))

    def failed(self, model: str, n: int = 1) -> None:
        """Tries failed."""
        if self._on and n:
            self._failed.inc(n, _of(model))

    def loaded(self, model: str) -> None:
        """A model was loaded."""
        if self._on:
            self._loads.inc(1, _of(model))

    def unit(self, seconds: dict[str, Any]) -> None:
        """A unit took so long in each phase."""
        if self._on:
            for phase, spent in seconds.items():
                if spent > 0:
                    self._phase.inc(spent, {"phase": phase})


def _of(model: str) -> dict[str, str]:
    """The tag of a model; Ray 2.60 takes ASCII alone there."""
    return {"model": model.replace("−", "-").encode("ascii", "replace").decode()}
