"""The Parquet index: `index/part-*.parquet`, one row per finished cell; `failures/` in the same way.

A flat folder of parts. A part appears whole (see files.py), and its appearing is the commit. A part's name carries the
SHA-256 of its bytes, so that damage shows. Parts are replaced (merged, or less some rows) in three steps that a crash
may cut anywhere: the new part is written as `_merged-…`, which plain readers ignore and this class reads in place of
the parts that it replaces; those are deleted; it gets its visible name. So a row is never seen twice. Each such step is
taken inside `held`, which raises if another process has meanwhile been let to do the same.
"""

import contextlib
import hashlib
import io
import json
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from distcari.store.files import Files
from distcari.store.schema import FAILURES, INDEX, SETTINGS

GROUP_ROWS = 8 * 1024  # small groups in sorted parts: a filter on one model reads little
_REPLACES = b"distcari_replaces"
Held = Callable[[], contextlib.AbstractContextManager[None]]
_SORTED_BY = ("experiment", "model", "layer", "image", "seed", *SETTINGS)


class Index:
    """Rows in a folder of Parquet parts, all of one schema."""

    def __init__(self, files: Files, folder: str, schema: pa.Schema) -> None:
        self.files, self.folder, self.schema = files, folder, schema
        self._whole: set[str] = set()  # parts whose bytes were seen to be as they were written

    def parts(self) -> list[str]:
        """Names of the committed parts, oldest first."""
        return [name for name in self.files.list(self.folder) if _is_part(name)]

    def table(self, columns: Sequence[str] | None = None, parts: Sequence[str] | None = None) -> pa.Table:
        """All rows (or those of some parts), of some columns; a part that vanishes meanwhile was merged, so retry.

        Raises RuntimeError if parts keep vanishing; warns of an unreadable part and leaves it out.
        """
        for _ in range(5):
            try:
                tables = [self._read_part(name, columns) for name in (self.current() if parts is None else parts)]
            except FileNotFoundError:
                continue
            schema = self.schema if columns is None else pa.schema([self.schema.field(c) for c in columns])
            return pa.concat_tables([schema.empty_table(), *(t for t in tables if t is not None)])
        raise RuntimeError(f"{self.folder}: parts keep vanishing while they are read; is a merge running in a loop?")

    def append(self, rows: Sequence[Mapping[str, Any]]) -> str | None:
        """Commit rows as one new part; its name, or None without rows."""
        if not rows:
            return None
        content = self._encode(pa.Table.from_pylist([dict(row) for row in rows], schema=self.schema))
        # Named after its last row's time, not after now: a commit that is tried again makes the same part.
        name = _name(content, rows[-1].get("finished_at") or rows[-1].get("time"))
        self.files.write(f"{self.folder}/{name}", content)
        return name

    def drop(self, part: str) -> None:
        """Take back a part that must not have been committed."""
        self.files.delete(f"{self.folder}/{part}")

    def remove(self, keys: Collection[str], held: Held = contextlib.nullcontext) -> int:
        """Take rows out, part by part; how many went. Damaged parts are left alone.

        Only for the holder of the index's lease, with no replacement pending.
        """
        gone = 0
        values = pa.array(list(keys), pa.string())
        for name in self._sound():
            table = self.table(parts=[name])
            hit = pc.is_in(table["key"], values)
            if not (count := pc.sum(hit).as_py() or 0):
                continue
            gone += count
            if count < table.num_rows:
                self._replace([name], table.filter(pc.invert(hit)), held)
            else:
                with held():
                    self.files.delete(f"{self.folder}/{name}")
        return gone

    def merge(self, small: int | None = None, held: Held = contextlib.nullcontext) -> int:
        """Put all parts (or those of fewer than `small` rows) into one, sorted by label, a key once; parts there are.

        Damaged parts are left alone. Only for the holder of the index's lease, with no replacement pending.
        """
        names = [name for name in self._sound() if small is None or self._rows(name) < small]
        table = self.table(parts=names)
        once = _once(table)
        if len(names) > 1 or once.num_rows < table.num_rows:
            self._replace(names, once.sort_by([(name, "ascending") for name in _SORTED_BY]), held)
        return len(self.parts())

    def pending(self) -> list[str]:
        """Replacements that are not finished: under way, or cut by a crash."""
        return [name for name in self.files.list(self.folder) if name.startswith("_merged-")]

    def finish(self, held: Held = contextlib.nullcontext) -> None:
        """Finish replacements that a crash cut. Only for the holder of the index's lease."""
        for name in self.pending():
            with held():
                if damage := self.damage(name):
                    self._complain(name, damage)
                    self.put_aside(name)
                else:
                    self._finish(name)

    def recover(self) -> list[str]:
        """Sweep temporaries, put damaged parts aside with a warning; names of the latter.

        A part beside those that it has replaced (a copy of the store made while they were exchanged) stands alone.
        """
        self.files.sweep(self.folder)
        bad = []
        names = self.parts()
        for name in names:
            try:
                content = self.files.read(f"{self.folder}/{name}")
                damaged = _damage(name, content)
                if damaged:
                    self._complain(name, damaged)
                    self.put_aside(name)
                    bad.append(name)
                for old in [] if damaged else _replaces(content):
                    if old in names:
                        self.files.delete(f"{self.folder}/{old}")
            except FileNotFoundError:  # merged meanwhile
                continue
        return bad

    def damage(self, part: str) -> str | None:
        """What is wrong with a part's bytes, or None. Raises FileNotFoundError if it is gone."""
        return _damage(part, self.files.read(f"{self.folder}/{part}"))

    def put_aside(self, part: str) -> None:
        """Give a damaged part a name that readers ignore."""
        self.files.rename(f"{self.folder}/{part}", f"{self.folder}/_unreadable-{part}")

    def current(self) -> list[str]:
        """The parts as they are meant: a finished `_merged-` file stands for those that it replaces."""
        names = self.files.list(self.folder)
        merged = [name for name in names if name.startswith("_merged-") and not self.damage(name)]
        replaced = {old for name in merged for old in _replaces(self.files.read(f"{self.folder}/{name}"))}
        visible = [name for name in names if _is_part(name) and name not in replaced]
        return [*visible, *(name for name in merged if name.removeprefix("_merged-") not in visible)]

    def _sound(self) -> list[str]:
        """The parts that are as they were written: nothing damaged is ever copied into a new part."""
        return [name for name in self.parts() if not self.damage(name)]

    def _rows(self, part: str) -> int:
        return int(pq.read_metadata(self.files.source(f"{self.folder}/{part}")).num_rows)

    def _complain(self, name: str, damage: str) -> None:
        warnings.warn(f"{self.folder}/{name} {damage} and is put aside; its cells are queued", stacklevel=3)

    def _replace(self, names: Sequence[str], table: pa.Table, held: Held) -> None:
        """Let one new part stand for old ones."""
        content = self._encode(table, names)
        merged = f"_merged-{_name(content)}"
        with held():
            self.files.write(f"{self.folder}/{merged}", content)
            self._finish(merged)

    def _finish(self, merged: str) -> None:
        for old in _replaces(self.files.read(f"{self.folder}/{merged}")):
            self.files.delete(f"{self.folder}/{old}")
        self.files.rename(f"{self.folder}/{merged}", f"{self.folder}/{merged.removeprefix('_merged-')}")

    def _read_part(self, name: str, columns: Sequence[str] | None) -> pa.Table | None:
        path = f"{self.folder}/{name}"
        wanted = self.schema.names if columns is None else columns
        try:
            source = self.files.source(path) if name in self._whole else self._seen(name)
            with pq.ParquetFile(source) as file:
                there = set(file.schema_arrow.names)
                table = file.read([column for column in wanted if column in there])
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            warnings.warn(f"{path} is unreadable and left out: {error}", stacklevel=3)
            return None
        return pa.table(
            {c: _column(table, c, self.schema.field(c)) for c in wanted},
            schema=pa.schema([self.schema.field(c) for c in wanted]),
        )

    def _seen(self, name: str) -> io.BytesIO:
        """A part's bytes, held against the hash in its name: Parquet would read some changed ones as other values."""
        content = self.files.read(f"{self.folder}/{name}")
        if damage := _damage(name, content):
            raise ValueError(damage)
        self._whole.add(name)
        return io.BytesIO(content)

    def _encode(self, table: pa.Table, replaces: Sequence[str] = ()) -> bytes:
        if replaces:
            told = {_REPLACES: json.dumps(list(replaces)).encode()}
            table = table.replace_schema_metadata({**(table.schema.metadata or {}), **told})
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", row_group_size=GROUP_ROWS)
        return sink.getvalue()


def _is_part(name: str) -> bool:
    return name.startswith("part-") and name.endswith(".parquet")


def _name(content: bytes, at: datetime | None = None) -> str:
    return f"part-{at or datetime.now(UTC):%Y%m%dT%H%M%S%f}-{hashlib.sha256(content).hexdigest()[:16]}.parquet"


def _damage(part: str, content: bytes) -> str | None:
    told = part.removesuffix(".parquet").rpartition("-")[2]
    if len(told) == 16 and hashlib.sha256(content).hexdigest()[:16] != told:
        return "is not what was written"
    try:
        pq.read_metadata(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        return f"is unreadable ({error})"
    return None


def _replaces(content: bytes) -> list[str]:
    """The parts for which a part stands since it was written."""
    return list(json.loads((pq.read_schema(io.BytesIO(content)).metadata or {}).get(_REPLACES, b"[]")))


def _once(table: pa.Table) -> pa.Table:
    """The table with the last row of each key."""
    at = table.append_column("_row", pa.array(range(table.num_rows), pa.int64()))
    last = at.group_by("key", use_threads=False).aggregate([("_row", "max")])["_row_max"]
    return table.take(last) if len(last) < table.num_rows else table


def _column(table: pa.Table, name: str, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    """A column of a part; nulls where an older version did not write it."""
    if name in table.column_names:
        return table[name].cast(field.type)
    return pa.nulls(table.num_rows, field.type)


def finished(files: Files) -> Index:
    """The index of finished cells."""
    return Index(files, "index", INDEX)


def failed(files: Files) -> Index:
    """The rows of cells that were given up."""
    return Index(files, "failures", FAILURES)
