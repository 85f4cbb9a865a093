"""Data sets out of a store, read back by the libraries that people read them with, without a network."""

import json
import os
import tarfile

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from support import analysis_store
from support.commands import run

from distcari.errors import InputError
from distcari.exchange.imagefolder import export_imagefolder
from distcari.exchange.shards import export_webdataset
from distcari.exchange.whole_folder import whole_folder

MODELS = ("a", "b/../../x", "c 'q' <é>")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two experiments, one with names that cannot be file names; its images' hashes as a run would say them."""
    url = tmp_path_factory.mktemp("data") / "s"
    analysis_store.make(url, models=("a", "b"), images=("cat",), layers=("l1",), seeds=(0,), name="f")
    made = analysis_store.make(url, models=MODELS, images=("cat", "cup.v2"), layers=("l1",), seeds=(0, 1))
    group = made.arrays("e").group
    said = {"cat": {"sha256": "1", "origin": "cat.png"}, "cup.v2": {"sha256": "2", "origin": "cup.png"}}
    group.attrs["distcari"] = {**group.attrs["distcari"], "images": said}
    return made


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    """The real library with a cache of its own; whoever opens a connection fails."""
    import datasets
    import datasets.config

    def refuse(*_):
        raise AssertionError("asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    return datasets


def pixels(store, key):
    return np.round(store.picture(key) * 255).astype(np.uint8)


@pytest.mark.parametrize("by_card", [False, True], ids=["imagefolder", "by its card"])
def test_datasets_reads_an_image_folder(store, tmp_path, datasets, by_card):
    out = tmp_path / "out"
    assert export_imagefolder(store, out, licence="cc-by-4.0") == 14
    kind = {"path": str(out)} if by_card else {"path": "imagefolder", "data_dir": str(out)}
    data = datasets.load_dataset(**kind, split="train", cache_dir=str(tmp_path / "cache"))
    table = store.table().set_index("key")
    assert len(data) == 14 and set(data["key"]) == set(table.index)
    for row in data:
        cell = table.loc[row["key"]]
        assert np.array_equal(np.asarray(row["image"]), pixels(store, row["key"]))
        assert (row["model"], row["image_label"], row["seed"]) == (cell["model"], cell["image"], cell["seed"])
        assert row["robust_gain"] == cell["robust_gain"] and row["colourfulness"] == cell["colourfulness"]
        if row["experiment"] == "e":
            assert np.array_equal(np.asarray(row["input"]), store.arrays("e").input(cell["image"]))
        else:
            assert row["input"] is None
    assert "node" not in data.column_names


def test_the_card_has_licence_columns_config_and_pictures(store, tmp_path):
    out = tmp_path / "out"
    export_imagefolder(store, out, "e", {"model": ["a"]}, licence="cc-by-4.0")
    text = (out / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---")[1])
    assert head["license"] == "cc-by-4.0" and head["size_categories"] == ["n<1K"]
    assert "4 cells (1 of model, 2 of image, 1 of layer, 2 of seed)" in text and "| `image_label` |" in text
    assert Image.open(out / "card/e.webp").size[0] > 200
    assert yaml.safe_load((out / "card/e.yaml").read_text()) == {"name": "e"}
    schema = pq.read_schema(out / "metadata.parquet")
    assert schema.field("colourfulness").metadata[b"unit"] and schema.names[:2] == ["file_name", "input_file_name"]
    inside = {path.relative_to(out).parts[0] for path in out.rglob("*")}
    assert inside == {"README.md", "card", "metadata.parquet", "pictures", "inputs"}


def test_webdataset_reads_the_shards_and_the_hub_library_too(store, tmp_path, datasets):
    import webdataset

    out = tmp_path / "out"
    assert export_webdataset(store, out, shard=20_000) == 14
    shards = sorted((out / "shards").iterdir())
    assert len(shards) > 2
    where = pd.read_parquet(out / "metadata.parquet").set_index("key")["shard"]
    data = webdataset.WebDataset([str(p) for p in shards], shardshuffle=False).decode("rgb8")
    table, seen = store.table().set_index("key"), []
    for sample in data:
        key, about = sample["__key__"], sample["json"]
        assert np.array_equal(sample["png"], pixels(store, key)) and about["key"] == key
        assert about["model"] == table.loc[key]["model"] and about["robust_gain"] == table.loc[key]["robust_gain"]
        assert sample["__url__"].endswith(where[key]) and about["attempt"] is None and "node" not in about
        seen.append(key)
    assert sorted(seen) == sorted(table.index)
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 14 and loaded[0]["json"]["model"] == table.loc[loaded[0]["__key__"]]["model"]


def test_the_same_store_gives_the_same_shards(store, tmp_path):
    for name in "ab":
        export_webdataset(store, tmp_path / name)
    one, two = ((tmp_path / name / "shards/caricatures-000000.tar").read_bytes() for name in "ab")
    assert one == two
    with tarfile.open(tmp_path / "a/shards/caricatures-000000.tar") as tar:
        assert len(tar.getmembers()) == 28


def test_the_atlas_table_has_pictures_paths_and_places(store, tmp_path):
    export_imagefolder(store, tmp_path / "out", atlas=True)
    frame = pd.read_parquet(tmp_path / "out/atlas.parquet")
    assert len(frame) == 14 and frame[["x", "y"]].notna().to_numpy().all() and frame["x"].std() > 0
    for row in frame.to_dict("records"):
        assert np.array_equal(np.asarray(Image.open(row["picture_path"])), pixels(store, row["key"]))
        assert row["picture"]["bytes"][:4] == b"RIFF"


def test_a_folder_with_other_files_and_a_full_disk_are_said_and_leave_nothing(store, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("three years")
    for exported in (export_imagefolder, export_webdataset):
        with pytest.raises(InputError, match=r"holds other files already \('thesis.txt'\)"):
            exported(store, out)
    with pytest.raises(InputError, match="is no folder"):
        export_imagefolder(store, out / "thesis.txt")
    with pytest.raises(InputError, match="No space left"), whole_folder(tmp_path / "new") as folder:
        (folder / "half").write_text("half")
        raise OSError(28, os.strerror(28))
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and [p.name for p in out.iterdir()] == ["thesis.txt"]


def test_the_command(store, tmp_path):
    code, said = run("export", store.url, "--form", "imagefolder", "--out", tmp_path / "o", "--only", "model=a,b")
    assert code == 0 and "4 cells written" not in said and "names no licence" in said
    assert "No licence is given" in (tmp_path / "o/README.md").read_text()
    for arguments, problem in [
        (["--form", "webdataset", "--only", "model=nobody"], "no finished cell of that model"),
        (["--form", "webdataset", "--only", "colour=red"], "no such axis"),
        (["--license", "mit"], "goes with a data set's card"),
        (["--atlas"], "goes with --form imagefolder"),
        (["--form", "imagefolder", "--license", "a\nb"], "short printable text"),
    ]:
        code, said = run("export", store.url, "--out", tmp_path / "other", *arguments)
        assert code == 2 and problem in said and "Traceback" not in said, said
    assert not (tmp_path / "other").exists()
    code, said = run("export", store.url, "--out", tmp_path / "p", "--only", "image=cup.v2", "--only", "seed=1")
    assert code == 0 and len(json.loads((tmp_path / "p/manifest.json").read_text())) == 3
