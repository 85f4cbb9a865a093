"""The Parquet index: `index/part-*.parquet`, one row per finished cell; `failures/` in the same way.

A flat folder of parts. A part appears whole (see files.py), and its appearing is the commit. Only one driver writes.
"""

import io
import uuid
import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from distcari.store.files import Files
from distcari.store.schema import FAILURES, INDEX


class Index:
    """Rows in a folder of Parquet parts, all of one schema."""

    def __init__(self, files: Files, folder: str, schema: pa.Schema) -> None:
        self.files, self.folder, self.schema = files, folder, schema

    def parts(self) -> list[str]:
        """Names of the committed parts, oldest first."""
        return [n for n in self.files.list(self.folder) if n.startswith("part-") and n.endswith(".parquet")]

    def table(self, columns: Sequence[str] | None = None, parts: Sequence[str] | None = None) -> pa.Table:
        """All rows (or those of some parts), of some columns; a part that vanishes meanwhile was merged, so retry.

        Raises RuntimeError if parts keep vanishing; warns of an unreadable part and leaves it out.
        """
        for _ in range(5):
            try:
                tables = [self._read_part(name, columns) for name in (self.parts() if parts is None else parts)]
            except FileNotFoundError:
                continue
            schema = self.schema if columns is None else pa.schema([self.schema.field(c) for c in columns])
            return pa.concat_tables([schema.empty_table(), *(t for t in tables if t is not None)])
        raise RuntimeError(f"{self.folder}: parts keep vanishing while they are read; is a merge running in a loop?")

    def append(self, rows: Sequence[Mapping[str, Any]]) -> str | None:
        """Commit rows as one new part; its name, or None without rows."""
        if not rows:
            return None
        name = f"part-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}.parquet"
        self._write_part(name, pa.Table.from_pylist([dict(row) for row in rows], schema=self.schema))
        return name

    def remove(self, keys: Collection[str]) -> int:
        """Take rows out, part by part, each replaced atomically; how many went."""
        gone = 0
        for name in self.parts():
            table = self._read_part(name, None)
            if table is None:
                continue
            keep = [key not in keys for key in table["key"].to_pylist()]
            if all(keep):
                continue
            gone += keep.count(False)
            if any(keep):
                self._write_part(name, table.filter(pa.array(keep)))
            else:
                self.files.delete(f"{self.folder}/{name}")
        return gone

    def recover(self) -> list[str]:
        """Sweep temporaries, put unreadable parts aside with a warning; names of the parts put aside."""
        bad = []
        for name in self.files.list(self.folder):
            if name.startswith("_tmp-"):
                self.files.delete(f"{self.folder}/{name}")
            elif name.startswith("part-") and self._read_part(name, ["key"], warn=False) is None:
                content = self.files.read(f"{self.folder}/{name}")
                self.files.write(f"{self.folder}/_unreadable-{name}", content)
                self.files.delete(f"{self.folder}/{name}")
                warnings.warn(f"{self.folder}/{name} is unreadable and put aside; its cells are queued", stacklevel=2)
                bad.append(name)
        return bad

    def _read_part(self, name: str, columns: Sequence[str] | None, warn: bool = True) -> pa.Table | None:
        content = self.files.read(f"{self.folder}/{name}")
        try:
            table = pq.read_table(io.BytesIO(content), columns=list(columns) if columns is not None else None)
        except (pa.ArrowException, OSError) as error:
            if warn:
                warnings.warn(f"{self.folder}/{name} is unreadable and left out: {error}", stacklevel=3)
            return None
        wanted = self.schema.names if columns is None else columns
        return pa.table({c: _column(table, c, self.schema.field(c)) for c in wanted},
                        schema=pa.schema([self.schema.field(c) for c in wanted]))

    def _write_part(self, name: str, table: pa.Table) -> None:
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd", row_group_size=64 * 1024)
        self.files.write(f"{self.folder}/{name}", sink.getvalue())


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
