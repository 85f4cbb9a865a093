"""Making an experiment's arrays, and letting their axes grow: the driver's business alone, before any work starts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from distcari.grid import Label
from distcari.store.arrays import Arrays
from distcari.store.layout import MATCH_SIZE, PER_CELL, coordinate_kind, dims_of


def create(
    root: zarr.Group,
    experiment: str,
    axes: Sequence[str],
    *,
    size: int,
    input_size: int,
    steps: int,
    dtype: str,
    shard: int = 1,
) -> Arrays:
    """A new experiment's group with empty axes; `shard` images that differ in nothing else share one stored object."""
    group = root.create_group(experiment, overwrite=True)
    _create_array(group, "caricature", axes, (size, size, 3), dtype, shard)
    _create_array(group, "gain_curve", axes, (steps,), "float32", shard)
    _create_array(group, "match", axes, (MATCH_SIZE, MATCH_SIZE), "float32", shard)
    create_input(group, axes, input_size)
    for axis in axes:
        kind, unwritten = coordinate_kind(axis)
        group.create_array(
            axis,
            shape=(0,),
            chunks=(1024,),
            dtype=kind,
            dimension_names=[axis],
            fill_value=unwritten,
            compressors=[ZstdCodec(level=1), Crc32cCodec()],
        )
    return Arrays(group)


def create_input(group: zarr.Group, axes: Sequence[str], input_size: int) -> None:
    """The array of input images, empty."""
    _create_array(group, "input", axes, (input_size, input_size, 3), "uint8")


def _create_array(
    group: zarr.Group, name: str, axes: Sequence[str], inner: tuple[int, ...], dtype: str, shard: int = 1
) -> None:
    """An array of cells (or of images) of the shape `inner`, none so far."""
    dims = dims_of(name, axes)
    outer = len(dims) - len(inner)
    group.create_array(
        name,
        shape=(0,) * outer + inner,
        chunks=(1,) * outer + inner,
        dtype=dtype,
        dimension_names=dims,
        shards=tuple(shard if dim == "image" else 1 for dim in axes) + inner if shard > 1 else None,
        fill_value=np.nan if dtype.startswith("float") else 0,
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        config={"write_empty_chunks": True},
        # One flat folder of chunks: with the usual "/" a cell takes nine folders, and a million cells nine million.
        chunk_key_encoding={"name": "default", "separator": "."},
    )


def grow(arrays: Arrays, axes: Mapping[str, Sequence[Label]], steps: int) -> None:
    """Append labels that are new to their axes: arrays first, coordinates last. Safe to repeat after a crash.

    A coordinate never shrinks: one that a crash left too long stays so, unlabelled, until more labels come.
    """
    group = arrays.group
    wanted = {axis: list(dict.fromkeys([*arrays.labels(axis), *labels])) for axis, labels in axes.items()}
    sizes = {axis: max(len(labels), group[axis].shape[0]) for axis, labels in wanted.items()}
    for name in (*reversed(PER_CELL), "input", *axes):
        array: Any = group[name]
        shape = tuple(
            sizes[dim] if dim in sizes else max(n, steps) if dim == "step" else n
            for dim, n in zip(array.metadata.dimension_names, array.shape, strict=True)
        )
        if shape != array.shape:
            array.resize(shape)
    for axis, labels in wanted.items():
        known = len(arrays.labels(axis))
        if len(labels) > known:
            coordinate: Any = group[axis]
            coordinate[known : len(labels)] = np.asarray(labels[known:], dtype=coordinate.dtype)
    arrays.forget_opened()
