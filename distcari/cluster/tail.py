"""The tail of a cell's work: chunks written and verified, figures, its index row.

Where a worker renders on processors it does that itself. A thread that feeds a GPU must wait neither for the disk nor
for Python's lock, so there it is done in processes beside.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from distcari.cluster.jobs import Job
from distcari.cluster.receipts import Finished, index_row
from distcari.cluster.retrying import retried
from distcari.figures import picture_figures
from distcari.store import open_store
from distcari.store.arrays import Arrays

log = logging.getLogger("distcari.worker")
Rows = list[dict[str, Any]]
TOGETHER = 8  # cells that a process beside has in hand at once


class Tail(Protocol):
    """What ends cells."""

    def rows(self, job: Job, finished: Sequence[Finished]) -> Rows:
        """The cells' rows, once their pixels are stored and verified. Raises StoreError if the store takes them not."""


class Here:
    """On the thread that asks; `whose` are the columns that all rows share."""

    def __init__(self, arrays: Arrays, whose: Mapping[str, Any]) -> None:
        self.arrays, self.whose = arrays, whose

    def rows(self, job: Job, finished: Sequence[Finished]) -> Rows:
        """As Tail says."""
        pictures = [one.caricature for one in finished]
        places = [self.arrays.place(job.cells[one.member].cell.labels) for one in finished]
        hashes = retried(
            lambda: self.arrays.write_together(
                places, [p.picture for p in pictures], [p.gain_curve for p in pictures], [p.match for p in pictures]
            ),
            log,
        )
        return [{**index_row(job, one, sha), **self.whose} for one, sha in zip(finished, hashes, strict=True)]


class Beside:
    """In processes beside this one, which end with it."""

    def __init__(self, url: str, options: Mapping[str, Any], arrays: Arrays, whose: Mapping[str, Any], n: int) -> None:
        self.arrays = arrays
        os.environ["OMP_NUM_THREADS"] = "1"  # theirs: more only get in each other's way on arrays so small
        self.pool = ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), _begin, (url, dict(options), whose))
        self._warm = [self.pool.submit(os.getpid) for _ in range(n)]  # they start while the model is loaded

    def rows(self, job: Job, finished: Sequence[Finished]) -> Rows:
        """As Tail says. Raises BrokenProcessPool if a process was killed."""
        light, place = _light(job), self.arrays.place
        ordered = sorted(finished, key=lambda one: self.arrays.along_images(place(job.cells[one.member].cell.labels)))
        size = len(ordered) if self.arrays.images_per_shard > 1 else TOGETHER
        parts = [ordered[i : i + size] for i in range(0, len(ordered), max(1, size))]
        return [row for part in [self.pool.submit(_end, light, part) for part in parts] for row in part.result()]


def _light(job: Job) -> Job:
    """A job without what ending its cells takes no part of: images, and references that only Ray's workers can read."""
    contrast = None if job.contrast is None else replace(job.contrast, checkpoint_ref=None)
    cells = tuple(replace(one, image=_NO_IMAGE) for one in job.cells)
    return replace(job, cells=cells, checkpoint_ref=None, contrast=contrast)


_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)
_HERE: list[Here] = []  # of a process beside


def _begin(url: str, options: dict[str, Any], whose: Mapping[str, Any]) -> None:
    """Make a process beside ready, and let it end with the one it serves, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    arrays = open_store(url, options=options, writable=True).arrays(whose["experiment"])
    picture_figures(np.zeros(arrays.picture_shape, np.float32))  # its filters are made while the model is loaded
    _HERE.append(Here(arrays, whose))


def _end(job: Job, finished: Sequence[Finished]) -> Rows:
    return _HERE[0].rows(job, finished)
