"""Finished cells as an image folder: what `datasets.load_dataset` and the Hugging Face Hub read as it is."""

from pathlib import Path

import pyarrow.parquet as pq

from distcari.exchange.atlas import write_atlas
from distcari.exchange.card import NO_LICENCE, write_card
from distcari.exchange.choice import Only, chosen
from distcari.exchange.dataset import cells, encoded, metadata
from distcari.exchange.whole_folder import whole_folder
from distcari.store import Store

_HOW = """from datasets import load_dataset

data = load_dataset("imagefolder", data_dir="DIR", split="train")   # or load_dataset("owner/name") from the Hub
data[0]["image"], data[0]["input"], data[0]["model"], data[0]["robust_cosine"]"""
_NOTE = "The pictures are PNG, rounded to 8 bit; `image` is the caricature, `input` the image that it is of."


def export_imagefolder(
    store: Store,
    out: Path,
    experiment: str | None = None,
    only: Only | None = None,
    *,
    licence: str = NO_LICENCE,
    atlas: bool = False,
) -> int:
    """Write `pictures/`, `inputs/`, `metadata.parquet` and the card into a new folder; how many cells.

    `metadata.parquet` has a row for each picture: `file_name`, `input_file_name` (null where the input was not kept),
    then the index's columns, the label on the image axis as `image_label`, without the host's name. `atlas` adds
    `atlas.parquet`. The folder is there as a whole or not at all. Raises InputError for a folder that holds other
    files, and if there is no cell.
    """
    frame = chosen(store, experiment, only).sort_values("experiment", kind="stable", ignore_index=True)
    with whole_folder(out) as folder:
        pictures: list[str] = []
        inputs: list[str | None] = []
        written: dict[tuple[str, str], str] = {}
        for cell in cells(store, frame):
            name = f"pictures/{cell.name}.png"
            _put(folder / name, encoded(cell.picture))
            pictures.append(name)
            inputs.append(f"inputs/{cell.input_name}.png" if cell.input_name else None)
            if cell.input_name:
                written[str(cell.row["experiment"]), str(cell.row["image"])] = f"inputs/{cell.input_name}.png"
        for (name, image), path in written.items():
            _put(folder / path, encoded(store.arrays(name).input(image)))
        further = {"input_file_name": inputs} if written else {}
        pq.write_table(metadata(frame, file_name=pictures, **further), folder / "metadata.parquet")
        if atlas:
            write_atlas(frame, folder, pictures, out)
        write_card(
            store,
            frame,
            folder,
            licence=licence,
            data_files=["metadata.parquet", "pictures/**", *(["inputs/**"] if written else [])],
            how=_HOW if written else _HOW.replace('data[0]["input"], ', ""),
            note=_NOTE,
        )
    return len(frame)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
