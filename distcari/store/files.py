"""Small whole files of a store (index parts, notes of runs) on a folder or an object store, replaced atomically.

A folder: temporary name, fsync, rename. An object store (through obstore): one PUT, which is atomic by itself.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from distcari.errors import InputError


class Files(Protocol):
    """Flat folders of small files, by relative path."""

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; empty if there is no such folder."""

    def read(self, path: str) -> bytes:
        """A file's bytes; FileNotFoundError if there is none."""

    def write(self, path: str, content: bytes) -> None:
        """Put a whole file there, or leave what was there: nothing in between is ever seen."""

    def delete(self, path: str) -> None:
        """Remove a file; no error if it is gone already."""


class FolderFiles:
    """Files below a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted."""
        try:
            return sorted(entry.name for entry in os.scandir(self.root / folder) if entry.is_file())
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return (self.root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """Temporary file whose name readers ignore (`_tmp-`), fsync, rename, fsync of the folder."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"_tmp-{os.getpid()}-{target.name}")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        sync_folder(target.parent)

    def delete(self, path: str) -> None:
        """Remove a file."""
        (self.root / path).unlink(missing_ok=True)


class ObjectFiles:
    """Files below a prefix of an object store."""

    def __init__(self, objects: Any) -> None:
        self.objects = objects

    def list(self, folder: str) -> list[str]:
        """Names of the objects directly below a prefix, sorted."""
        import obstore

        found = obstore.list_with_delimiter(self.objects, folder + "/")["objects"]
        return sorted(entry["path"].rpartition("/")[2] for entry in found)

    def read(self, path: str) -> bytes:
        """An object's bytes."""
        import obstore

        return bytes(obstore.get(self.objects, path).bytes())

    def write(self, path: str, content: bytes) -> None:
        """One PUT."""
        import obstore

        obstore.put(self.objects, path, content)

    def delete(self, path: str) -> None:
        """Remove an object."""
        import obstore

        try:
            obstore.delete(self.objects, path)
        except FileNotFoundError:
            return


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_local(url: str) -> bool:
    """Whether the URL names a folder of this machine."""
    return "://" not in url or url.startswith("file://")


def local_path(url: str) -> Path:
    """The folder that a local URL names, absolute."""
    return Path(urlsplit(url).path if url.startswith("file://") else url).expanduser().absolute()


def object_store(url: str, options: Mapping[str, Any]) -> Any:
    """The obstore store for `s3://bucket/prefix` (or gs, az); credentials from the environment or `options`."""
    from obstore.store import from_url

    try:
        return from_url(url, **options)
    except Exception as error:
        raise InputError(
            f"store {url}", f"cannot be opened: {error}", "Give a folder, or s3://bucket/prefix with credentials set."
        ) from None


def open_files(url: str, options: Mapping[str, Any]) -> Files:
    """The store's small files."""
    return FolderFiles(local_path(url)) if is_local(url) else ObjectFiles(object_store(url, options))
