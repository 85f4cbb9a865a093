"""Writes into a store that stumbles now and then: tried again a few times, unless it is full."""

import logging
from collections.abc import Callable
from typing import TypeVar

import tenacity

from distcari.errors import is_full, typed_line
from distcari.store.lease import LeaseLost

WAITS = (0.5, 2.0, 8.0)  # seconds between the tries
T = TypeVar("T")


class StoreError(RuntimeError):
    """The store took nothing after several tries: no fault of a cell. `full`: it has no room or allows no writing."""

    def __init__(self, message: str, full: bool) -> None:
        super().__init__(message, full)
        self.message, self.full = message, full


def retried(write: Callable[[], T], log: logging.Logger) -> T:
    """What the write gives, tried again if the storage stumbles. Raises StoreError, or LeaseLost at once."""

    def warn(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("the store stumbles (%s); again in %g s", typed_line(error), state.upcoming_sleep)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        before_sleep=warn,
        reraise=True,
        stop=tenacity.stop_after_attempt(len(WAITS) + 1),
        wait=tenacity.wait_chain(*map(tenacity.wait_fixed, WAITS)),
    )
    try:
        return retrying(write)
    except LeaseLost:
        raise
    except Exception as error:
        raise StoreError(typed_line(error), is_full(error)) from error


def _may_pass(error: BaseException) -> bool:
    """Whether another try may help; an object store's errors are no OSError."""
    return isinstance(error, Exception) and not isinstance(error, LeaseLost) and not is_full(error)
