"""The card of a data set, README.md as the Hugging Face Hub reads it: licence, contents, columns, config, pictures."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from distcari import __version__
from distcari.exchange.contact_sheet import contact_sheets, encoded
from distcari.exchange.dataset import PRIVATE, RENAMED
from distcari.exchange.file_names import file_names
from distcari.store import Store
from distcari.store.schema import COLUMNS

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
NO_LICENCE = "unknown"


def write_card(
    store: Store, frame: pd.DataFrame, folder: Path, *, licence: str, data_files: Sequence[str], how: str, note: str
) -> None:
    """Put README.md, `card/<experiment>.webp` (first contact sheets), `card/<experiment>.yaml` (configs) into a folder.

    `data_files` are globs of what a reader is to load, `how` Python code that does, `note` what is special.
    """
    names = [str(name) for name in frame["experiment"].unique()]
    files = dict(zip(names, file_names([(name,) for name in names]), strict=True))
    (folder / "card").mkdir()
    for name, file in files.items():
        _, sheet = next(contact_sheets(store, name))
        (folder / f"card/{file}.webp").write_bytes(encoded(sheet))
        config = store.arrays(name).meta.get("config", {})
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        (folder / f"card/{file}.yaml").write_text(text, encoding="utf-8")
    size = next((text for most, text in _SIZES if len(frame) < most), "1M<n<10M")
    head = yaml.safe_dump(
        {
            "license": licence,
            "pretty_name": f"Caricatures: {', '.join(names)}",
            "tags": ["distcari", "caricature", "feature-visualization", "interpretability"],
            "size_categories": [size],
            "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": list(data_files)}]}],
        },
        sort_keys=False,
        allow_unicode=True,
    )
    parts = [
        f"---\n{head}---",
        f"# Caricatures: {', '.join(names)}",
        f"{len(frame)} caricatures of neural networks, made with distcari {__version__}: pictures that push a layer "
        "of a network as far as they can in the direction in which an input image pushes it (tensorflow/lucid #116).",
        note,
        *(["**No licence is given.** " + _RIGHTS] if licence == NO_LICENCE else [_RIGHTS]),
        f"## Load it\n\n```python\n{how}\n```",
        *(_experiment(store, frame, name, file) for name, file in files.items()),
        "## Columns\n\n" + _columns(frame),
    ]
    (folder / "README.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


_RIGHTS = "Input images and networks have licences of their own: see the configs below for where they come from."


def _experiment(store: Store, frame: pd.DataFrame, name: str, file: str) -> str:
    """A section of the card."""
    about, rows = store.arrays(name).description, frame[frame["experiment"] == name]
    shape = ", ".join(f"{rows[axis].nunique()} of {axis}" for axis in store.arrays(name).axes)
    failures = store.failures()
    failed = int((failures["experiment"] == name).sum()) if len(failures) else 0
    lines = [
        f"## {name}",
        about.description,
        f"{len(rows)} cells ({shape})" + (f"; {failed} more failed." if failed else "."),
        f"![Contact sheet of {name}](card/{file}.webp)",
        f"The whole config: [card/{file}.yaml](card/{file}.yaml).",
    ]
    return "\n\n".join(line for line in lines if line)


def _columns(frame: pd.DataFrame) -> str:
    """Names, units and meanings of the columns that hold anything, as a table."""
    lines = ["| column | unit, range | meaning |", "| --- | --- | --- |"]
    for name, column in COLUMNS.items():
        if name not in PRIVATE and frame[name].notna().any():
            lines.append(f"| `{RENAMED.get(name, name)}` | {column.unit} | {column.meaning} |")
    return "\n".join(lines)
