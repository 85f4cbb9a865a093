"""Crashes at any step of a file operation: a process that dies leaves all it did before, and nothing after."""

import json
import os
import subprocess
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_REAL = {name: getattr(os, name) for name in ("unlink", "rmdir", "replace", "fsync")}
_open = Path.open


class Crash(BaseException):
    """The process died here."""


class Fuse:
    """Steps of file operations, counted; the one after `steps` of them is the process's last, and never done."""

    def __init__(self):
        self.left = None

    @property
    def blown(self):
        """Whether the process has died."""
        return self.left is not None and self.left < 0

    def step(self):
        """A step is about to be taken."""
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash

    @contextmanager
    def of(self, steps):
        """Die after so many steps (None: live on); a death ends here."""
        self.left = steps
        try:
            yield
        except Crash:
            assert self.blown
        finally:
            died, self.left = self.blown, None
        self.died = died

    def put_in(self, monkeypatch):
        """Around whatever changes files: the store's own operations and zarr's end in these."""

        def stepping(real):
            def act(*given, **more):
                self.step()
                return real(*given, **more)

            return act

        def opening(path, mode="r", *given, **more):
            if not set(mode) & set("wax+"):
                return _open(path, mode, *given, **more)
            self.step()
            handle = _open(path, mode, *given, **more)
            try:
                self.step()  # it is there, and empty
            except Crash:
                handle.close()
                raise
            return handle

        for name, real in _REAL.items():
            monkeypatch.setattr(os, name, stepping(real))
        monkeypatch.setattr(Path, "open", opening)


@cache
def a_dead_process():
    """The number of a process that was there once."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def bury(root):
    """Let the leases of this process, which was made to die in the middle, be those of a dead one."""
    for lease in Path(root, "leases").glob("*.json"):
        try:
            record = json.loads(lease.read_text())
        except ValueError:
            continue
        if record.get("pid") == os.getpid():
            lease.write_text(json.dumps(record | {"pid": a_dead_process()}))
