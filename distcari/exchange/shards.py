"""Finished cells as WebDataset shards: tar files that are read in one go, from a disk or over a network."""

import contextlib
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

from distcari.exchange.card import NO_LICENCE, write_card
from distcari.exchange.choice import Only, chosen
from distcari.exchange.dataset import PRIVATE, RENAMED, cells, encoded, metadata
from distcari.exchange.whole_folder import whole_folder
from distcari.store import Store

SHARD = 256 << 20  # bytes of a tar file after which the next one is begun
_HOW = """import webdataset as wds

data = wds.WebDataset("DIR/shards/caricatures-{000000..LAST}.tar", shardshuffle=False).decode("pil")
for picture, about in data.to_tuple("png", "json"):
    picture, about["model"], about["robust_cosine"]"""
_NOTE = (
    "Each sample has the caricature (`png`, rounded to 8 bit) and the cell's row (`json`); its `__key__` is the cell's "
    "key. The same rows, with each one's shard, are in `metadata.parquet`."
)


def export_webdataset(
    store: Store,
    out: Path,
    experiment: str | None = None,
    only: Only | None = None,
    *,
    licence: str = NO_LICENCE,
    shard: int = SHARD,
) -> int:
    """Write `shards/caricatures-<number>.tar` of about `shard` bytes, `metadata.parquet` and the card; how many cells.

    The same store gives the same bytes. Raises InputError for a folder that holds other files, and if there is no cell.
    """
    frame = chosen(store, experiment, only).sort_values("experiment", kind="stable", ignore_index=True)
    with whole_folder(out) as folder:
        (folder / "shards").mkdir()
        names: list[str] = []
        with Tars(folder, shard) as tars:
            for cell in cells(store, frame):
                key = str(cell.row["key"])
                names.append(tars.add({f"{key}.png": encoded(cell.picture), f"{key}.json": _as_json(cell.row)}))
        pq.write_table(metadata(frame, shard=names), folder / "metadata.parquet")
        write_card(
            store,
            frame,
            folder,
            licence=licence,
            data_files=["shards/*.tar"],
            how=_HOW.replace("LAST", f"{tars.count - 1:06}"),
            note=_NOTE,
        )
    return len(frame)


class Tars:
    """Tar files in `shards/` of a folder, a new one after so many bytes; to be closed, or used with `with`."""

    def __init__(self, folder: Path, most: int) -> None:
        self.folder, self.most, self.count = folder, most, 0
        self._open = contextlib.ExitStack()
        self._tar: tarfile.TarFile | None = None

    def add(self, files: Mapping[str, bytes]) -> str:
        """Put files that belong together into one tar; its path in the folder."""
        if self._tar is None or self._tar.offset > self.most:
            self._open.close()
            self.count += 1
            path = self.folder / self._path()
            self._tar = tarfile.TarFile(path, "w", format=tarfile.USTAR_FORMAT)
            self._open.callback(self._tar.close)
        for name, content in files.items():
            member = tarfile.TarInfo(name)  # no time, no owner: the same bytes every time
            member.size = len(content)
            self._tar.addfile(member, io.BytesIO(content))
        return self._path()

    def _path(self) -> str:
        return f"shards/caricatures-{self.count - 1:06}.tar"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()


def _as_json(row: Mapping[str, Any]) -> bytes:
    """A row as JSON: no NaN, which JSON does not know, times in ISO 8601."""
    plain = {RENAMED.get(name, name): _plain(value) for name, value in row.items() if name not in PRIVATE}
    return json.dumps(plain, ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value
