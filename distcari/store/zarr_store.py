"""Where zarr keeps its objects: a folder, or an object store whose requests are tried again if the line breaks."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import zarr

from distcari.store.files import is_local, local_path
from distcari.store.object_files import again_async, object_store

FOLDER = "arrays.zarr"
# What zarr says of documents and chunks that are not as they were written; an object store's own errors are others.
DAMAGE = (
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
    OverflowError,
    RecursionError,
    zarr.errors.BaseZarrError,
)


def zarr_store(url: str, options: Mapping[str, Any], read_only: bool) -> Any:
    """The zarr store of `<url>/arrays.zarr`."""
    if is_local(url):
        return zarr.storage.LocalStore(local_path(url) / FOLDER, read_only=read_only)
    return RetryingStore(object_store(f"{url.rstrip('/')}/{FOLDER}", options), read_only=read_only)


class RetryingStore(zarr.storage.ObjectStore):  # type: ignore[misc]
    """zarr's object store, whose requests are tried again if the line breaks (see `ObjectFiles`)."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """An object, or a part of it."""
        return await again_async(lambda: super(RetryingStore, self).get(key, prototype, byte_range))

    async def exists(self, key: str) -> bool:
        """Whether an object is there."""
        return bool(await again_async(lambda: super(RetryingStore, self).exists(key)))

    async def set(self, key: str, value: Any) -> None:
        """Put an object."""
        await again_async(lambda: super(RetryingStore, self).set(key, value))

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        """Put an object where there is none."""
        await again_async(lambda: super(RetryingStore, self).set_if_not_exists(key, value))

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names directly below a prefix."""

        async def names() -> list[str]:
            return [name async for name in super(RetryingStore, self).list_dir(prefix)]

        for name in await again_async(names):
            yield name

    async def delete(self, key: str) -> None:
        """Remove an object."""
        await again_async(lambda: super(RetryingStore, self).delete(key))

    async def delete_dir(self, prefix: str) -> None:
        """Remove all objects below a prefix."""
        await again_async(lambda: super(RetryingStore, self).delete_dir(prefix))
