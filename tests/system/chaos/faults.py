"""Named points in driver and workers at which a process dies or the store misbehaves, once for each time it is armed.

A point is armed by a file `armed/<point>` in `$DISTCARI_CHAOS`; whoever takes the file away first is hit, and says so
in `log`. Nothing in the product knows of this: the points are put around its methods here.
"""

import errno
import os
import signal
import time
from pathlib import Path

from distcari.cluster import driver, ledger
from distcari.cluster.worker import Worker
from distcari.store.arrays import Arrays
from distcari.store.files import FolderFiles
from distcari.store.index import Index
from distcari.store.store import Store

DEATHS = (
    "worker: before a chunk write",
    "worker: in a chunk write",
    "worker: after a chunk write",
    "worker: after the chunks",
    "worker: before the receipt",
    "driver: before the flush",
    "driver: between temporary and rename",
    "driver: after the rename",
    "driver: before a merge's deletions",
    "driver: in a merge, between deletions and rename",
)
STORE = ("store: fails", "store: is slow", "store: is full")
_rename = Path.replace


def reach(point):
    """Come by a point: claim its arming, if there is one."""
    folder = Path(os.environ["DISTCARI_CHAOS"])
    try:
        (folder / "armed" / point).unlink()
    except FileNotFoundError:
        return
    with (folder / "log").open("a") as log:
        log.write(point + "\n")
    if point in DEATHS:
        os.kill(os.getpid(), signal.SIGKILL)
    if point == "store: is slow":
        time.sleep(1)  # the fault itself
    elif point == "store: fails":
        raise OSError(errno.EIO, "chaos: input/output error")
    else:
        raise OSError(errno.ENOSPC, "chaos: no space left on device")


def _replace(path, target):
    chunk, part = path.name.endswith(".partial"), path.name.startswith("_tmp-") and Path(target).parent.name == "index"
    if chunk:
        reach("worker: in a chunk write")
    if part:
        reach("driver: between temporary and rename")
    done = _rename(path, target)
    if chunk:
        reach("worker: after a chunk write")
    if part:
        reach("driver: after the rename")
    return done


class ChaosWorker(Worker):
    """A worker that comes by the points."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        Path.replace = _replace
        write = Arrays.write_together

        def writing(arrays, *cells):
            reach("worker: before a chunk write")
            for point in STORE:
                reach(point)
            done = write(arrays, *cells)
            reach("worker: after the chunks")
            return done

        Arrays.write_together = writing

    def run(self, job):
        result = super().run(job)
        reach("worker: before the receipt")
        return result


def put_points_into_the_driver():
    """Put the driver's points around the store's commit and its merges; both happen often here."""
    ledger.FLUSH_SECONDS, driver.MANY_PARTS = 0.4, 6
    Path.replace = _replace
    commit, finish, rename = Store.commit, Index._finish, FolderFiles.rename

    def committing(store, rows):
        reach("driver: before the flush")
        for point in STORE:
            reach(point)
        return commit(store, rows)

    def finishing(index, merged):
        reach("driver: before a merge's deletions")
        return finish(index, merged)

    def renaming(files, path, to):
        if "_merged-" in path:
            reach("driver: in a merge, between deletions and rename")
        return rename(files, path, to)

    Store.commit, Index._finish, FolderFiles.rename = committing, finishing, renaming
