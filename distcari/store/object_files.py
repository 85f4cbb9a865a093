"""Small files on an object store, and how requests to one are tried again if the line breaks."""

import contextlib
import io
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import tenacity

from distcari.errors import InputError, one_line

log = logging.getLogger("distcari.store")
_FSSPEC = {
    "key": "access_key_id",
    "secret": "secret_access_key",
    "token": "session_token",
    "region_name": "region",
    "endpoint_url": "endpoint",
    "anon": "skip_signature",
}
PATIENCE, HASTE = 180.0, 5.0  # seconds for which a request to an object store is tried again; at the first contact
_TRIES = 5
T = TypeVar("T")


class ObjectFiles:
    """Files below a prefix of an object store.

    obstore tries reads and plain writes again whatever happens to the line, but a conditional write, a deletion, a copy
    or a listing only where the server itself asked for it; those are repeated here.
    """

    def __init__(self, objects: Any, patience: float = PATIENCE) -> None:
        self.objects, self.patience = objects, patience

    def list(self, folder: str) -> list[str]:
        """Names of the objects directly below a prefix, sorted."""
        import obstore

        found = _again(lambda: obstore.list_with_delimiter(self.objects, folder + "/")["objects"], self.patience)
        return sorted(entry["path"].rpartition("/")[2] for entry in found)

    def read(self, path: str) -> bytes:
        """An object's bytes."""
        import obstore

        return _again(lambda: bytes(obstore.get(self.objects, path).bytes()), self.patience)

    def source(self, path: str) -> Any:
        """The object's bytes: parts are read whole, with one request each."""
        return io.BytesIO(self.read(path))

    def write(self, path: str, content: bytes) -> None:
        """One PUT."""
        import obstore

        _again(lambda: obstore.put(self.objects, path, content), self.patience)

    def delete(self, path: str) -> None:
        """Remove an object."""
        import obstore

        with contextlib.suppress(FileNotFoundError):
            _again(lambda: obstore.delete(self.objects, path), self.patience)

    def rename(self, path: str, to: str) -> None:
        """A copy on the server, then a deletion: the copy appears whole."""
        import obstore

        _again(lambda: obstore.copy(self.objects, path, to), self.patience)
        self.delete(path)

    def swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        """A conditional PUT (If-None-Match or If-Match), which S3, GCS and Azure decide atomically."""
        return _again(lambda: self._swap(path, old, new), self.patience)

    def _swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        content, tag = self._tagged(path)
        if content != old:
            return content == new  # ours, and only its answer was lost
        try:
            obstore.put(self.objects, path, new, mode="create" if old is None else {"e_tag": tag})
        except FileNotFoundError:
            if old is None:  # there is no such bucket
                raise
            return False
        except (AlreadyExistsError, PreconditionError):
            return self._tagged(path)[0] == new
        return True

    def _tagged(self, path: str) -> tuple[bytes | None, str | None]:
        import obstore

        try:
            found = obstore.get(self.objects, path)
            return bytes(found.bytes()), found.meta["e_tag"]
        except FileNotFoundError:
            return None, None

    def sweep(self, folder: str) -> None:
        """Nothing: an object store has no half-written objects."""

    def locked(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Nothing to hold: see `Lease.held`, which looks again afterwards."""
        return contextlib.nullcontext()


def _again(action: Callable[[], T], patience: float) -> T:
    """Do it, and again for so many seconds if the line to the object store breaks."""
    return tenacity.Retrying(stop=_enough(patience), **_RETRY)(action)


async def again_async(action: Callable[[], Awaitable[T]]) -> T:
    """As `_again`."""

    async def attempt() -> T:  # tenacity awaits what is a coroutine function alone, no lambda
        return await action()

    return await tenacity.AsyncRetrying(stop=_enough(PATIENCE), **_RETRY)(attempt)


def _enough(patience: float) -> Any:
    return tenacity.stop_after_attempt(_TRIES) | tenacity.stop_after_delay(patience)


def _line_broke(error: BaseException) -> bool:
    """Whether an error is the connection's or the server's passing trouble, no answer to the request."""
    from obstore.exceptions import GenericError

    return isinstance(error, GenericError) and re.search(r"status code: [34]\d\d", str(error)) is None


_RETRY: dict[str, Any] = {
    "retry": tenacity.retry_if_exception(_line_broke),
    "reraise": True,
    "wait": tenacity.wait_exponential(multiplier=0.1, exp_base=4, max=6.4) + tenacity.wait_random(0, 0.1),
    "before_sleep": tenacity.before_sleep_log(log, logging.DEBUG),
}


def summary(error: BaseException) -> str:
    """What an error says, in a line; of an object store's page of text the server's own word for it."""
    text = one_line(error, 100_000)
    code = re.search(r"<Code>(\w+)</Code>", text)
    return f"the server says {code[1]} ({type(error).__name__})" if code else text.partition(" Debug source:")[0][:300]


def object_store(url: str, options: Mapping[str, Any], patience: float = PATIENCE) -> Any:
    """The obstore store for `s3://bucket/prefix` (or gs, az); credentials from the environment or `options`.

    Throttling (429, 503), server errors and lost connections are tried again for `patience` seconds.
    """
    from obstore.store import from_url

    try:
        return from_url(url, **_obstore_options(options, patience))
    except Exception as error:
        raise InputError(
            f"store {url}",
            f"cannot be opened: {summary(error)}",
            "Give a folder, or s3://bucket/prefix with credentials in the environment or in `store_options`.",
        ) from None


def _obstore_options(options: Mapping[str, Any], patience: float) -> dict[str, Any]:
    """Options of obstore as they are, those of fsspec's s3fs under obstore's names, retries if none are given."""
    given = {name: value for name, value in options.items() if value is not None}
    given = dict(given.pop("client_kwargs", {})) | given
    flat: dict[str, Any] = {_FSSPEC.get(name, name): value for name, value in given.items()}
    flat = {name: str(value) if type(value) in (int, float) else value for name, value in flat.items()}
    endpoint = str(flat.get("endpoint", "http://"))
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(f"the endpoint {endpoint!r} does not begin with http:// or https://")
    if "use_ssl" in flat:
        flat["client_options"] = {"allow_http": not flat.pop("use_ssl"), **flat.get("client_options", {})}
    if endpoint.startswith("http://"):
        flat["client_options"] = {"allow_http": True, **flat.get("client_options", {})}
    # Each pause is drawn from 0.1 s … 4 × the last one, so they double on average; the number of tries is no limit.
    backoff = {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=15), "base": 4}
    retries = {"max_retries": 1000, "retry_timeout": timedelta(seconds=patience), "backoff": backoff}
    return {"retry_config": retries, **flat}
