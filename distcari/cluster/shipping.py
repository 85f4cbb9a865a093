"""Checkpoints for nodes that do not share a disk with the driver: shipped once through Ray's object store.

A worker takes the file at its path if it is there with the right content, or one that it was sent earlier; only else
does it fetch the bytes, into a cache by their SHA-256. Ray is imported only where bytes are shipped.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from distcari.sources.digests import file_sha256
from distcari.sources.download import cache_folder
from distcari.sources.models import ModelSpec


class CheckpointStore:
    """The driver's side: a reference to the bytes of each checkpoint, kept while its model has work."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    @property
    def models(self) -> set[str]:
        """Models whose files are kept."""
        return set(self._kept)

    def reference(self, spec: ModelSpec) -> Any:
        """Where workers can fetch a model's file; None if it has none, or if this is the only node."""
        if spec.file is None or not several_nodes():
            return None
        if spec.name not in self._kept:
            import ray

            self._kept[spec.name] = ray.put(Path(spec.file).read_bytes())
        return self._kept[spec.name]

    def keep(self, models: Iterable[str]) -> None:
        """Let go of the files of all other models."""
        for name in set(self._kept) - set(models):
            del self._kept[name]


def fetched(spec: ModelSpec, checkpoint_ref: Any) -> ModelSpec:
    """On the worker: the model with its file at a path of this node, its content as planned.

    Raises OSError if the file is neither here nor sent, or has changed.
    """
    if spec.file is None or _is(Path(spec.file), spec.sha256):
        return spec
    if checkpoint_ref is None:
        state = "has changed since the run was planned" if Path(spec.file).exists() else "is not on this node"
        raise OSError(f"{spec.file} {state}")
    kept = cache_folder() / "models" / f"{spec.sha256[:16]}-{Path(spec.file).name}"
    if not _is(kept, spec.sha256):
        import ray

        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f"_tmp-{os.getpid()}-{kept.name}")
        temporary.write_bytes(ray.get(checkpoint_ref))
        if not _is(temporary, spec.sha256):
            temporary.unlink()
            raise OSError(f"{spec.file} changed while the run was going on")
        temporary.replace(kept)
    return replace(spec, file=str(kept))


def several_nodes() -> bool:
    """Whether some worker may not see the driver's disk: with more than one node, or a driver outside the cluster."""
    import ray
    from ray.util.client import ray as client

    return bool(client.is_connected()) or sum(bool(node["Alive"]) for node in ray.nodes()) > 1


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256
