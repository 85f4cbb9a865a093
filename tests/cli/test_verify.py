"""Damage of every kind at random places of a real store: each is found, and what is requeued comes back."""

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.commands import serially
from support.shared import config, write
from support.stores import META, grid

from distcari.cli.main import main
from distcari.store import Store
from distcari.store.check import Finding, check, requeue

pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore::UserWarning")]
ARRAYS = ("caricature", "gain_curve", "match", "input")


def built(folder, shard):
    """Twelve finished cells, committed in four parts, and one failure; the cells by key."""
    store = Store(str(folder), writable=True)
    g = grid(models="mno", images="ijkl")
    rng = np.random.default_rng(0)
    inputs = {image: rng.integers(0, 255, (8, 8, 3), np.uint8) for image in "ijkl"}
    shas = {
        image: {"sha256": hashlib.sha256(repr(x.shape).encode() + x.tobytes()).hexdigest()}
        for image, x in inputs.items()
    }
    arrays = store.prepare(g, META | {"images": shas}, size=16, input_size=8, steps=4, dtype="float32", shard=shard)
    store.write_inputs(arrays, inputs)
    cells = list(g.cells())
    for at in range(0, 12, 4):
        some = cells[at : at + 4]
        written = arrays.write_together(
            [arrays.place(cell.labels) for cell in some],
            [rng.random((16, 16, 3), np.float32) for _ in some],
            [np.arange(4.0)] * 4,
            [rng.random((56, 56), np.float32) for _ in some],
        )
        store.commit(
            [
                {
                    "key": cell.key,
                    "experiment": "e",
                    "steps": 4,
                    "pixels_sha256": sha,
                    **dict(zip(arrays.axes, cell.labels, strict=True)),
                }
                for cell, sha in zip(some, written, strict=True)
            ]
        )
    store.failed.append([{"key": "f" * 32, "experiment": "e", "error": "boom"}])
    return store, {cell.key: cell.labels for cell in cells}


def findings(store):
    return [told for told in check(store) if isinstance(told, Finding)]


def damaged(path, kind, chance):
    """Damage a file; how, in words."""
    content = path.read_bytes()
    if kind == "flip":
        at = chance.randrange(len(content))
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])
        return f"bit flipped in byte {at} of {len(content)}"
    if kind == "cut":
        at = chance.randrange(len(content))
        path.write_bytes(content[:at])
        return f"cut to {at} of {len(content)} bytes"
    path.unlink()
    return "deleted"


def place(name, path, shard):
    """Where a chunk's cells lie in the array: (model, images, layer, seed), of an input (images,)."""
    numbers = [int(n) for n in path.name.split(".")[1:]]
    if name == "input":
        return (slice(numbers[0], numbers[0] + 1),)
    return (numbers[0], slice(numbers[1] * shard, (numbers[1] + 1) * shard), *numbers[2:4])


def emptied(store, name, where):
    """Put the fill value in the place of what was written, as a well-formed chunk."""
    array = Store(store.url, writable=True).arrays("e")._writable(name)
    array[where] = 0 if name == "input" else np.nan
    return "emptied"


@pytest.mark.parametrize("shard", [1, 2])
@pytest.mark.parametrize("damages", [40, pytest.param(110, marks=pytest.mark.long)])
def test_random_damages_are_all_found(tmp_path, damages, shard):
    store, labels = built(tmp_path / "s", shard)
    root = Path(store.url)
    assert findings(store) == []
    chance = random.Random(shard)
    chunks = {name: sorted(p for p in (root / "arrays.zarr/e" / name).glob("c.*")) for name in ARRAYS}
    assert {name: len(found) for name, found in chunks.items()} == {
        name: 4 if name == "input" else 12 // shard for name in ARRAYS
    }
    parts = sorted(root.glob("index/part-*")) + sorted(root.glob("failures/part-*"))
    for number in range(damages):
        name = chance.choice([*ARRAYS, "parts"])
        path = chance.choice(parts if name == "parts" else chunks[name])
        before = path.read_bytes()
        kind = chance.choice(["flip", "cut"] if name == "parts" else ["flip", "cut", "delete", "fill"])
        how = emptied(store, name, place(name, path, shard)) if kind == "fill" else damaged(path, kind, chance)
        found = findings(Store(store.url))
        said = f"{number}: {path.relative_to(root)} {how}: {found}"
        assert found, said
        if name == "parts":
            assert (path.parent.name, path.name) in [one.part for one in found], said
        else:
            *model, images = place(name, path, shard)[: 1 if name == "input" else 2]
            hit = {labels[key] for one in found for key in one.keys}
            assert hit and {at[1] for at in hit} <= set("ijkl"[images]), said
            assert model == [] or {at[0] for at in hit} == {"mno"[model[0]]}, said
        path.write_bytes(before)
    assert findings(Store(store.url)) == []


@pytest.mark.parametrize("shard", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_requeued_leaves_a_sound_store(tmp_path, shard, seed):
    store, labels = built(tmp_path / "s", shard)
    chance = random.Random(seed)
    files = [*Path(store.url).glob("arrays.zarr/e/*/c.*"), *Path(store.url).glob("index/part-*")]
    for path in chance.sample(sorted(files), 4):
        damaged(path, chance.choice(["flip", "cut"] + ["delete"] * (path.parent.name != "index")), chance)
    found = findings(store)
    assert found
    requeue(Store(store.url, writable=True), found)
    left = Store(store.url)
    whole = {one.part[1] for one in found if one.part}
    still = [one for one in findings(left) if "input" not in one.where]  # an input comes back with its next run
    assert still == [] and not whole & set(left.index.parts())
    assert set(left.table()["key"]) < set(labels)
    assert pd.read_parquet(f"{store.url}/index")["key"].is_unique


def test_the_command_says_what_it_found_and_submit_brings_it_back(work, capsys):
    path = write(work / "c.yaml", config(seeds=[0, 1]))
    code, said = serially(path)
    assert code == 0, said
    pictures = {row.key: row.pixels_sha256 for row in pd.read_parquet("store/index").itertuples()}
    assert main(["verify", "store"]) == 0
    assert "16 cells verified, 0 findings" in capsys.readouterr().out
    shutil.copytree("store", "sound")
    chunks = sorted(Path("store/arrays.zarr/small/caricature").glob("c.*"))
    damaged(chunks[0], "flip", random.Random(0))
    damaged(chunks[5], "cut", random.Random(0))
    chunks[9].unlink()
    chunks[12].write_bytes(chunks[13].read_bytes())  # well-formed, but another cell's
    inputs = sorted(Path("store/arrays.zarr/small/input").glob("c.*"))
    damaged(inputs[0], "flip", random.Random(1))
    assert main(["verify", "store"]) == 1
    said = capsys.readouterr().out
    assert said.count("DAMAGED") == 5 and "input one" in said and "a chunk of it is missing" in said
    assert "--requeue" in said and "its pixels are not those that were written" in said
    assert main(["verify", "store", "--requeue"]) == 0
    assert "cells taken out of the index" in capsys.readouterr().out
    code, said = serially(path)
    assert code == 0, said
    assert main(["verify", "store"]) == 0
    assert {row.key: row.pixels_sha256 for row in pd.read_parquet("store/index").itertuples()} == pictures
    for chunk in [*chunks, *inputs]:
        assert chunk.read_bytes() == (Path("sound") / chunk.relative_to("store")).read_bytes(), chunk


def test_bad_input_is_refused(tmp_path, capsys):
    store, _ = built(tmp_path / "s", 1)
    assert main(["verify", store.url, "--experiment", "other"]) == 2
    assert "There are: e." in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "error:" in capsys.readouterr().err
