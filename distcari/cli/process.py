"""What a command owes the shell that started it: it ends when told to, and a reader that leaves costs it nothing."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO, cast


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends what runs as Ctrl-C does, also where a shell had SIGINT ignored (`command &` in a script)."""
    try:
        before = signal.signal(signal.SIGTERM, _interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def deaf_to_closed_pipes() -> Iterator[None]:
    """Whoever reads the output may leave (`submit … | head -1`): the rest of it is dropped, and the run goes on."""
    output, errors = (cast(TextIO, _Unbroken(stream)) for stream in (sys.stdout, sys.stderr))
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        yield


class _Unbroken:
    """A text stream that writes into nothing once its pipe is closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As of the stream."""
        with self._dropped_if_closed():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As of the stream."""
        with self._dropped_if_closed():
            self._stream.flush()

    @contextlib.contextmanager
    def _dropped_if_closed(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            drop(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def drop(stream: TextIO) -> None:
    """Let everything that is written to a stream, and what is still in its buffer, vanish."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
