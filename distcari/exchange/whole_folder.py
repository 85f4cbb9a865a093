"""A folder that is there as a whole or not at all, and never over what somebody else put there."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from distcari.errors import InputError, one_line


@contextlib.contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which takes the name `out` once the block has ended well; else nothing is left.

    Raises InputError if `out` is there and holds anything, or the disk refuses a write within the block.
    """
    where = f"--out {out}"
    started: Path | None = None
    try:
        _refuse_occupied(out, where)
        out.parent.mkdir(parents=True, exist_ok=True)
        started = out.parent / f"_tmp-{out.name[:100]}-{os.getpid()}"
        shutil.rmtree(started, ignore_errors=True)
        started.mkdir()
        yield started
        _refuse_occupied(out, where)
        with contextlib.suppress(FileNotFoundError):
            out.rmdir()
        started.rename(out)
    except OSError as error:
        said = error.strerror or one_line(error)
        raise InputError(where, f"cannot be written: {said}", "Give another place, or make room.") from None
    finally:
        if started is not None:
            shutil.rmtree(started, ignore_errors=True)


def _refuse_occupied(out: Path, where: str) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(where, "is there already, and is no folder", "Give a new folder.")
    if out.is_dir() and (there := sorted(path.name for path in out.iterdir())):
        raise InputError(where, f"holds other files already ({there[0]!r})", "Give a new or an empty folder.")
