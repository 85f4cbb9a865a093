"""What a store knows of its models: `models.parquet`, one row for each experiment and model, tags as columns.

A tag is text, ordered text, or a number, the same in all rows; ordered text is a dictionary in order, which pandas
reads as an ordered categorical. One merge joins it to the index: `index.merge(models, on=["experiment", "model"])`.
"""

import io
import json
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from distcari.errors import InputError
from distcari.store.files import Files
from distcari.store.schema import COLUMNS

if TYPE_CHECKING:
    import pandas as pd  # for annotations: workers do without it

FILE = "models.parquet"
FIXED = pa.schema(
    [
        pa.field("experiment", pa.string()),
        pa.field("model", pa.string()),
        pa.field("checksum", pa.string(), metadata={"meaning": "SHA-256 of the weights, as `model_sha256`"}),
        pa.field("parameters", pa.int64(), metadata={"meaning": "numbers that training sets; of a difference null"}),
        pa.field("classes", pa.int64(), metadata={"meaning": "classes of a checkpoint, null if the architecture's"}),
    ]
)
Kind = Literal["text", "ordered", "number"]
Place = tuple[str, str]  # experiment, model
_ORDERS = b"distcari_orders"
_ATTEMPTS = 20


@dataclass(frozen=True)
class Models:
    """The rows by experiment and model, all values by column name; and the order of the tags that have one."""

    rows: Mapping[Place, Mapping[str, Any]] = field(default_factory=dict)
    orders: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, Kind]:
        """The tags there are and their kinds, in the order in which they came."""
        names = dict.fromkeys(name for row in self.rows.values() for name in row if name not in FIXED.names)
        return {name: self._kind(name) for name in names}

    def _kind(self, name: str) -> Kind:
        if name in self.orders:
            return "ordered"
        values = (row[name] for row in self.rows.values() if row.get(name) is not None)
        return "text" if any(isinstance(value, str) for value in values) else "number"

    def merged(self, rows: Iterable[Mapping[str, Any]], orders: Mapping[str, Sequence[str]] | None = None) -> "Models":
        """With these rows' values over what there is; None takes a tag away. Raises InputError as `check`."""
        found = {place: dict(row) for place, row in self.rows.items()}
        for row in rows:
            found.setdefault((row["experiment"], row["model"]), {}).update(row)
        kept = {place: {n: v for n, v in row.items() if v is not None} for place, row in found.items()}
        merged = Models(kept, {**self.orders, **(orders or {})})
        there = merged.tags
        merged = Models(kept, {name: tuple(levels) for name, levels in merged.orders.items() if name in there})
        merged.check()
        return merged

    def check(self) -> None:
        """Raise InputError for a tag that has a column's name, mixes text with numbers, or a value without a place."""
        for name, kind in self.tags.items():
            if name in COLUMNS or name in FIXED.names:
                raise InputError(f"tag {name}", "is a column of the index", "Give the tag another name.")
            values = {place: row[name] for place, row in self.rows.items() if name in row}
            numbers = [place for place, value in values.items() if not isinstance(value, str)]
            if numbers and kind != "number":
                raise InputError(
                    f"tag {name}",
                    f"is the number {values[numbers[0]]} for {numbers[0][1]} (experiment {numbers[0][0]}), "
                    "and text for others or by its order",
                    "Give numbers to all, or text to all (in quotes in YAML); numbers need no order.",
                )
            if kind == "ordered" and (odd := [p for p, value in values.items() if value not in self.orders[name]]):
                raise InputError(
                    f"tag {name}",
                    f"is {values[odd[0]]!r} for {odd[0][1]}, which its order leaves out",
                    f"Its order: {', '.join(self.orders[name])}.",
                )

    def table(self) -> pa.Table:
        """As it lies in the store, by experiment and model."""
        rows = [dict(self.rows[place]) for place in sorted(self.rows)]
        columns = {name: pa.array([row.get(name) for row in rows], FIXED.field(name).type) for name in FIXED.names}
        fields = list(FIXED)
        for name, kind in self.tags.items():
            values = [row.get(name) for row in rows]
            if kind == "ordered":
                levels = list(self.orders[name])
                places = pa.array([None if v is None else levels.index(v) for v in values], pa.int32())
                columns[name] = pa.DictionaryArray.from_arrays(places, pa.array(levels, pa.string()), ordered=True)
            elif kind == "number" and any(isinstance(value, float) for value in values):
                columns[name] = pa.array(values, pa.float64())
            else:
                columns[name] = pa.array(values, pa.int64() if kind == "number" else pa.string())
            fields.append(pa.field(name, columns[name].type, metadata={"meaning": f"tag, {kind}"}))
        orders = json.dumps({name: list(levels) for name, levels in self.orders.items()}).encode()
        return pa.table(columns, schema=pa.schema(fields, metadata={_ORDERS: orders}))

    def frame(self, experiment: str | None = None) -> "pd.DataFrame":
        """As pandas; ordered tags are ordered categoricals, numbers with gaps float."""
        frame: pd.DataFrame = self.table().to_pandas()
        return frame if experiment is None else frame[frame["experiment"] == experiment].reset_index(drop=True)


def read_models(files: Files) -> Models:
    """What a store says of its models; nothing, with a warning, where the file is damaged."""
    return _decoded(_content(files), files)


def update_models(
    files: Files, rows: Collection[Mapping[str, Any]], orders: Mapping[str, Sequence[str]] | None = None
) -> Models:
    """Put rows over what a store says, of many writers none loses anything; nothing is written if nothing changes.

    Raises InputError for tags that do not go together.
    """
    for _ in range(_ATTEMPTS):
        old = _content(files)
        before = _decoded(old, files)
        after = before.merged(rows, orders)
        if old is not None and after == before:
            return after
        content = io.BytesIO()
        pq.write_table(after.table(), content, write_page_checksum=True)
        if files.swap(FILE, old, content.getvalue()):
            return after
    raise InputError(f"store: {FILE}", "is written by others all the time", "Try again.")


def _content(files: Files) -> bytes | None:
    try:
        return files.read(FILE)
    except FileNotFoundError:
        return None


def _decoded(content: bytes | None, files: Files) -> Models:
    if content is None:
        return Models()
    try:
        table = pq.read_table(io.BytesIO(content), page_checksum_verification=True)
        orders = json.loads((table.schema.metadata or {}).get(_ORDERS, b"{}"))
        rows = [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]
        named = {(row["experiment"], row["model"]): row for row in rows}
        return Models(named, {name: tuple(levels) for name, levels in orders.items()})
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "submit the config again, or `distcari tag`"
        warnings.warn(f"{FILE} is damaged and left out, tags with it ({error}); {remedy}", stacklevel=3)
        return Models()
