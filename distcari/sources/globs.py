"""Paths that a pattern matches, relative to the working folder, sorted."""

from glob import glob, has_magic
from pathlib import Path

__all__ = ["expand", "has_magic"]


def expand(pattern: str) -> list[Path]:
    """The paths that match, `**` for any depth."""
    return sorted(map(Path, glob(pattern, recursive=True)))  # noqa: PTH207  (pathlib's glob takes no absolute pattern)
