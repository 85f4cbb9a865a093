"""The worker: holds one model, renders units of it, writes and verifies their chunks, returns small receipts.

A plain class; the driver makes a Ray actor of it, and tests call it without Ray.
"""

import errno
import logging
import socket
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from distcari import __version__
from distcari.figures import picture_figures
from distcari.grid import Cell, Label
from distcari.render import Caricature, LayerInfo, Network, caricatures
from distcari.settings import RenderSettings
from distcari.sources.models import ModelSpec, load_model
from distcari.store import open_store
from distcari.store.arrays import Arrays

log = logging.getLogger("distcari.actor")
Renderer = Callable[..., Sequence[Caricature]]


@dataclass(frozen=True)
class Job:
    """A work unit with all that its worker needs, small enough to send; `images` are uint8 (N, y, x, 3)."""

    model: ModelSpec
    layer: LayerInfo
    settings: RenderSettings
    settings_hash: str
    axes: tuple[str, ...]
    cells: tuple[Cell, ...]
    images: tuple[NDArray[np.uint8], ...]
    image_sha256: tuple[str, ...]
    attempts: tuple[int, ...]


@dataclass
class Result:
    """What became of a unit: index rows of finished cells, (cell, error, traceback) of those that failed, timings."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failures: list[tuple[Cell, str, str]] = field(default_factory=list)
    node: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


class Worker:
    """Renders units for one experiment of one store."""

    def __init__(
        self, store_url: str, options: Mapping[str, Any], experiment: str, run_id: str, *, threads: int, device: str,
        renderer: Renderer = caricatures,
    ) -> None:
        torch.set_num_threads(threads)
        self.experiment, self.run_id, self.device, self.renderer = experiment, run_id, device, renderer
        self.store = open_store(store_url, options=options, writable=True)
        self.arrays: Arrays = self.store.arrays(experiment)
        self.node = socket.gethostname()
        self._resident: tuple[str, Network] | None = None

    def run(self, job: Job) -> Result:
        """Render and store a unit. A cell that fails is reported; only a full disk or a broken store raises."""
        result = Result(node=self.node, seconds={"load": 0.0, "render": 0.0, "commit": 0.0})
        try:
            network = self._network(job.model, result)
        except Exception as error:
            told = _told(error)
            reason = f"model {job.model.name} cannot be loaded: {told[0]}"
            result.failures = [(cell, reason, told[1]) for cell in job.cells]
            return result
        self._render(network, job, list(range(len(job.cells))), result)
        return result

    def _network(self, spec: ModelSpec, result: Result) -> Network:
        if self._resident is None or self._resident[0] != spec.name:
            self._resident = None  # let the old one go before the new one comes
            start = time.perf_counter()
            network = Network(
                load_model(spec), mean=spec.mean, std=spec.std, input_size=spec.input_size, device=self.device
            )
            self._resident = (spec.name, network)
            result.seconds["load"] += time.perf_counter() - start
            log.info("model %s loaded in %.1f s", spec.name, result.seconds["load"])
        return self._resident[1]

    def _render(self, network: Network, job: Job, members: list[int], result: Result) -> None:
        """Render some of a unit's cells together; on an error halve the batch until the bad cell stands alone."""
        started, clock = datetime.now(UTC), time.perf_counter()
        cells = [job.cells[i] for i in members]
        log.info("cells %s of %s at %s", ", ".join(cell.key for cell in cells), job.model.name, job.layer.name)
        try:
            finished = self.renderer(
                network, _batch([job.images[i] for i in members]), job.layer.name,
                [_seed(job.axes, cell) for cell in cells], job.settings,
            )
        except Exception as error:
            if len(members) == 1:
                result.failures.append((cells[0], *_told(error)))
                return
            _free(error)
            half = len(members) // 2
            self._render(network, job, members[:half], result)
            self._render(network, job, members[half:], result)
            return
        seconds = time.perf_counter() - clock
        result.seconds["render"] += seconds
        clock = time.perf_counter()
        for i, caricature in zip(members, finished, strict=True):
            self._store(job, i, caricature, seconds / len(members), started, result)
        result.seconds["commit"] += time.perf_counter() - clock

    def _store(
        self, job: Job, i: int, caricature: Caricature, seconds: float, started: datetime, result: Result
    ) -> None:
        cell = job.cells[i]
        if not np.isfinite(caricature.picture).all():
            result.failures.append((cell, "FloatingPointError: the picture has values that are not finite", ""))
            return
        try:
            place = self.arrays.place(cell.labels)
            sha = self.arrays.write(place, caricature.picture, caricature.gain_curve, caricature.match)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            result.failures.append((cell, *_told(error)))
            return
        labels: dict[str, Label] = dict(zip(job.axes, cell.labels, strict=True))
        result.rows.append({
            "key": cell.key, "experiment": self.experiment, **labels,
            **picture_figures(caricature.picture), **caricature.figures,
            "steps": job.settings.steps, "seconds": seconds, "started_at": started, "finished_at": datetime.now(UTC),
            "attempt": job.attempts[i], "device": _device_name(self.device), "node": self.node,
            "run_id": self.run_id, "distcari_version": __version__, "settings_hash": job.settings_hash,
            "model_sha256": job.model.sha256, "image_sha256": job.image_sha256[i], "pixels_sha256": sha,
            "layer_depth": job.layer.depth, "layer_kind": job.layer.kind,
        })


def _batch(images: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """uint8 (y, x, 3) images as one float tensor (N, 3, y, x) in [0, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(255).contiguous()


def _seed(axes: Sequence[str], cell: Cell) -> int:
    return int(cell.labels[axes.index("seed")])


def _told(error: BaseException) -> tuple[str, str]:
    line = " ".join(str(error).split())[:500]
    return f"{type(error).__name__}: {line}", traceback.format_exc()


def _free(error: BaseException) -> None:
    """Give memory back before the smaller batch is tried."""
    error.__traceback__ = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _device_name(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device
