"""What files of images and weights must be, whatever they claim: real files; weights that are plain finite numbers."""

import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import BinaryIO

import torch
from torch import Tensor

from distcari.errors import InputError

_KINDS = (
    (S_ISDIR, "a folder"),
    (S_ISFIFO, "a pipe (FIFO)"),
    (S_ISSOCK, "a socket"),
    (S_ISCHR, "a device"),
    (S_ISBLK, "a device"),
)


def user_path(text: str, where: str) -> Path:
    """A path that a config gives, `~` expanded. Raises InputError where it is too long, or names a user who is not."""
    try:
        path = Path(text).expanduser()
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path  # whoever looks for it says so, with what lies near
    except (OSError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        shown = text if len(text) <= 200 else f"{text[:200]}…"
        raise InputError(where, f"{shown} cannot be a path: {why}", "Correct the path.") from None
    return path


def check_file(path: Path, where: str) -> None:
    """Raise InputError unless the path leads to a file that can be read; a pipe or a device would be waited for."""
    try:
        str(path).encode()  # messages and stores are text
        mode = path.stat().st_mode
        if not S_ISREG(mode):
            kind = next((words for test, words in _KINDS if test(mode)), "no file")
            link = ", by a link" if path.is_symlink() else ""
            raise InputError(where, f"{path} is {kind}{link}, not a file", "Take it away, or name files one by one.")
        if not os.access(path, os.R_OK):
            raise InputError(where, f"{path} may not be read", "Change its permissions.")
    except FileNotFoundError:
        raise InputError(where, f"there is no file at {path}", "Put it there, or correct the path.") from None
    except (OSError, ValueError) as error:
        raise InputError(where, f"{path} cannot be read: {error}", "Correct the path.") from None


def open_file(path: Path, where: str) -> BinaryIO:
    """The file, opened for reading, and still a file then. Raises InputError as `check_file` does."""
    check_file(path, where)
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise InputError(where, f"{path} cannot be read: {error}", "Correct the path.") from None
    if not S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise InputError(where, f"{path} is not a file any more", "Put it there again.")
    return file


def check_unpacked(state: Mapping[str, Tensor], path: Path, where: str) -> None:
    """Raise InputError as `check_plain`, and for a file that unpacks to far more than it holds."""
    if sum(value.numel() for value in state.values()) > 64 * path.stat().st_size + 2**20:
        raise InputError(where, f"{path} unpacks to far more weights than it holds bytes", _PLAIN)
    check_plain(state, str(path), where)


def check_plain(state: Mapping[str, Tensor], owner: str, where: str) -> None:
    """Raise InputError unless every weight is a dense tensor in memory, and finite. `owner` is a file or a model."""
    for name, value in state.items():
        if kind := _unusual(value):
            raise InputError(where, f"{owner} holds {kind}: {name[:100]}", _PLAIN)
        if _numbers(value) and not _finite(value) and not (_is_mask(name) and not value.isnan().any()):
            raise InputError(
                where,
                f"{owner} holds weights that are not finite (NaN or inf): {name[:100]}",
                "The training diverged, or the file is damaged: give an earlier checkpoint.",
            )


_PLAIN = "Save plain weights where it was made: torch.save(model.float().state_dict(), 'weights.pt')."


def _unusual(value: object) -> str | None:
    """What a weight is instead of a plain tensor, None if it is one."""
    if not isinstance(value, Tensor):
        return f"a weight packed in a {type(value).__name__} (quantised)"
    if value.is_meta:
        return "a weight without values (on the meta device)"
    if value.is_quantized:
        return "a quantised weight"
    if value.layout != torch.strided or value.is_nested:
        return "a sparse weight"
    return None


def _numbers(value: Tensor) -> bool:
    return value.is_floating_point() or value.is_complex()


def _is_mask(name: str) -> bool:
    """Whether a buffer may hold -inf: an attention mask."""
    return "mask" in name.rpartition(".")[2]


def _finite(value: Tensor) -> bool:
    """Whether all values are finite in float32. The sum tells in one pass; where it overflows, each is looked at."""
    if value.dtype == torch.float64 or value.dtype.itemsize == 1:  # float8 has few operations
        value = value.float()
    summed = value.sum(dtype=None if value.is_complex() else torch.promote_types(value.dtype, torch.float32))
    return bool(torch.isfinite(summed)) or bool(torch.isfinite(value).all())


def check_kinds(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path | str, where: str) -> None:
    """Raise InputError where the file has whole or complex numbers and the architecture floating point."""
    for name, own in expected.items():
        if name in state and own.is_floating_point() and not state[name].is_floating_point():
            kind = str(state[name].dtype).removeprefix("torch.")
            what = (
                "an imaginary part, which the architecture cannot hold"
                if state[name].is_complex()
                else "scales that are lost when it is read as it stands"
            )
            raise InputError(where, f"{path} holds {name[:100]} as {kind}: it has {what}", _PLAIN)
