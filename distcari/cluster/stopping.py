"""Being told to stop: once is enough, wherever in Python the signal lands."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """Signals do what they did, and are remembered: whether there was one.

    The KeyboardInterrupt of a signal that lands in a destructor or in a callback of the garbage collector is printed
    and dropped by Python; a loop that asks here once a turn ends all the same.
    """
    told: list[int] = []

    def remember(before: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
        def handle(number: int, frame: FrameType | None) -> Any:
            told.append(number)
            return before(number, frame)

        return handle

    with contextlib.ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM):
            if callable(before := signal.getsignal(number)):
                with contextlib.suppress(ValueError):  # not in the main thread: no signal arrives here
                    signal.signal(number, remember(before))
                    stack.callback(signal.signal, number, before)
        yield lambda: bool(told)
