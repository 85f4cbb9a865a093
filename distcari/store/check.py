"""Is what the index promises there? Every part, every row, every chunk is read and held against its checksum."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow.compute as pc

from distcari.errors import InputError, typed_line
from distcari.grid import image_digest
from distcari.store.arrays import Arrays, pixels_sha256
from distcari.store.layout import Damaged
from distcari.store.lease import take
from distcari.store.store import Store


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: where, what, and the keys of the cells that it costs.

    `part` is (folder, name) of a damaged index part, `file` the path of a damaged document of the arrays.
    """

    where: str
    what: str
    keys: tuple[str, ...] = ()
    part: tuple[str, str] | None = None
    file: str | None = None


def check(store: Store, experiments: Sequence[str] | None = None, jobs: int = 4) -> Iterator[Finding | int]:
    """Findings as they are made; between them, numbers of rows looked at so far."""
    for index in (store.index, store.failed):
        for part in index.parts():
            if damage := index.damage(part):
                yield Finding(f"{index.folder}/{part}", damage, part=(index.folder, part))
    if damage := store.root_damage():
        yield Finding("arrays.zarr/zarr.json", f"{damage}; the next run writes it again")
    table = store.index.table()
    for key, count in Counter(table["key"].to_pylist()).items():
        if count > 1:
            yield Finding("index", f"key {key} stands in {count} rows", ())
    looked = 0
    for name in dict.fromkeys([*table["experiment"].to_pylist(), *store.groups()]):
        if experiments is not None and name not in experiments:
            continue
        rows = table.filter(pc.equal(table["experiment"], name))
        keys = tuple(rows["key"].to_pylist())
        try:
            arrays = store.arrays(name)
            gaps = arrays.gaps()
            for axis in [] if gaps else arrays.axes:
                arrays.labels(axis)
        except KeyError:
            if keys:
                yield Finding(f"experiment {name}", "is in the index, but has no arrays", keys)
            continue
        except Damaged as error:
            yield Finding(f"experiment {name}", f"{error.file} {error.problem}", keys, file=error.file)
            continue
        if gaps:
            yield Finding(f"experiment {name}", f"its arrays {', '.join(gaps)} are gone", keys)
            continue
        yield from _inputs(arrays, name, rows.select(["image", "key"]).to_pylist())
        stream = iter(rows.select([*dict.fromkeys(["key", "pixels_sha256", "steps", *arrays.axes])]).to_pylist())
        with ThreadPoolExecutor(jobs) as pool:
            while block := list(islice(stream, 256)):
                for finding in pool.map(partial(_cell, arrays, name), block):
                    if finding is not None:
                        yield finding
                looked += len(block)
                yield looked


def requeue(store: Store, findings: Sequence[Finding]) -> int:
    """Take what is damaged out of the index, so that the next run computes it again; rows that went.

    Raises InputError while a run works on one of the experiments.
    """
    leases = []
    try:
        leases = [take(store.files, name) for name in store.experiments()]
        for finding in findings:
            if finding.part is not None:
                (store.index if finding.part[0] == store.index.folder else store.failed).put_aside(finding.part[1])
        for file in dict.fromkeys(finding.file for finding in findings if finding.file is not None):
            store.put_aside(file)
        keys = {key for finding in findings for key in finding.keys}
        gone = store.forget(keys) if keys else 0
        store.recover()
        if any(finding.where == "index" for finding in findings):
            store.merge()
        return gone
    finally:
        for lease in leases:
            lease.release()


def _cell(arrays: Arrays, experiment: str, row: Mapping[str, Any]) -> Finding | None:
    labels = [row[axis] for axis in arrays.axes]
    where = f"{experiment}: {' / '.join(map(str, labels))}"
    place = arrays.find(labels)
    if place is None:
        return Finding(where, "has no place in the arrays", (row["key"],))
    try:
        if arrays.absent([place])[0]:
            return Finding(where, "a chunk of it is missing", (row["key"],))
        if pixels_sha256(arrays.read("caricature", place)) != row["pixels_sha256"]:
            return Finding(where, "its pixels are not those that were written", (row["key"],))
        if row["steps"]:  # adopted cells have none, and neither curve nor match
            for name in ("gain_curve", "match"):
                if np.isnan(arrays.read(name, place)).all():
                    return Finding(where, f"its {name} is empty", (row["key"],))
        else:
            arrays.read("gain_curve", place), arrays.read("match", place)
    except Exception as error:
        return Finding(where, f"cannot be read: {_why(error)}", (row["key"],), file=_in_the_way(error))
    return None


def _inputs(arrays: Arrays, experiment: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Input images against their hashes; of one that is damaged one cell is named, whose rendering brings it back."""
    a_cell = {row["image"]: row["key"] for row in rows}
    for label, image in arrays.description.images.items():
        if label not in a_cell or not image.sha256:
            continue
        where = f"{experiment}: input {label}"
        try:
            arrays.images_absent([label])
            pixels = arrays.input(label)
        except Exception as error:
            yield Finding(where, f"cannot be read: {_why(error)}", (a_cell[label],), file=_in_the_way(error))
            continue
        if image_digest(pixels) != image.sha256:
            yield Finding(where, "is not the image that was written", (a_cell[label],))


def _why(error: Exception) -> str:
    return error.problem if isinstance(error, InputError) else typed_line(error)


def _in_the_way(error: Exception) -> str | None:
    """The path in the store of a folder that lies where a chunk should be."""
    return error.file if isinstance(error, Damaged) and "is a folder" in error.problem else None
