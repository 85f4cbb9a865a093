"""The few errors that users see: each names the place and the remedy, and ends a command with exit code 2."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class InputError(Exception):
    """Something the user gave cannot be used: a config field, a checkpoint, an image, a store.

    `where` is the place (`configs/x.yaml: models[2].checkpoint`, a file, a URL), `problem` what is wrong with it,
    `remedy` what to do next. `str(error)` is the whole text, ready to print.
    """

    def __init__(self, where: str, problem: str, remedy: str = "") -> None:
        self.where, self.problem, self.remedy = where, problem, remedy
        super().__init__(f"{where}: {problem}" + (f"\n  -> {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, str, str]]:
        """Survive pickling between Ray processes with all three parts."""
        return type(self), (self.where, self.problem, self.remedy)


def one_line(error: BaseException | None, most: int = 300) -> str:
    """What an error says, in a line of at most so many characters; its type where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def typed_line(error: BaseException | None, most: int = 300) -> str:
    """An error's type and message in one printable line."""
    text = " ".join(str(error).split())[:most]
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return f"{type(error).__name__}: {shown}" if shown else type(error).__name__


@contextmanager
def last_resort(where: str, problem: str, remedy: str) -> Iterator[None]:
    """Turn whatever bad input raises, and nobody foresaw, into an InputError: the place, the cause, a remedy.

    That includes a `sys.exit` in code that a config names. The error itself stays its `__cause__`.
    """
    try:
        yield
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(where, f"{problem}: {typed_line(error)}", remedy) from error


def is_full(error: BaseException) -> bool:
    """Whether a place takes no more writes (no room, quota used up, read-only), so that trying again is vain."""
    return isinstance(error, OSError) and error.errno in _FULL


def needs(extra: str, *modules: str) -> None:
    """Raise InputError unless these modules are installed, which come with an extra of the package; loads none."""
    if missing := [name for name in modules if find_spec(name) is None]:
        raise InputError(
            f"package {missing[0]}",
            f"is not installed; it comes with the extra `{extra}`",
            f"pip install 'distcari[{extra}]'",
        )
