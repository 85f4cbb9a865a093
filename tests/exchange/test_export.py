"""Export of cells with any labels: inside the folder, one file each, and a manifest that maps them."""

import json

import numpy as np
import pytest
from PIL import Image
from support.stores import META

from distcari.errors import InputError
from distcari.exchange.export import MANIFEST, export
from distcari.grid import Axis, Grid
from distcari.store import Store

NASTY = ["../up", "/tmp/absolute", "a/b", "A/B", "<script>", "m" * 10_000, "line\nbreak", "m", "m_l", "é", "e\u0301"]


def store_of(folder, models, experiments=("e",)):
    """Finished cells of these models, one layer, two images."""
    store = Store(str(folder), writable=True)
    for experiment in experiments:
        g = Grid(
            experiment,
            "h",
            (
                Axis("model", dict.fromkeys(models, "x")),
                Axis("image", {"i": "1", "l_i": "2"}),
                Axis("layer", {"l": "l"}),
                Axis("seed", {0: "0"}),
            ),
        )
        arrays = store.prepare(g, META, size=8, input_size=8, steps=2, dtype="float32")
        for number, cell in enumerate(g.cells()):
            picture = np.full((8, 8, 3), number / 50, np.float32)
            sha = arrays.write(arrays.place(cell.labels), picture, np.zeros(2), np.zeros((56, 56), np.float32))
            store.commit(
                [
                    {
                        "key": cell.key,
                        "experiment": experiment,
                        "steps": 2,
                        "pixels_sha256": sha,
                        **dict(zip(arrays.axes, cell.labels, strict=True)),
                    }
                ]
            )
    return store


def test_nasty_names_stay_inside_and_apart(tmp_path):
    store = store_of(tmp_path / "s", NASTY)
    before = {p for p in tmp_path.rglob("*") if "out" not in p.parts}
    out = tmp_path / "deep/er/out"
    assert export(store, out) == 2 * len(NASTY)
    assert {p for p in tmp_path.rglob("*") if p.is_file() and out not in p.parents} <= before
    listed = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
    assert {(entry["model"], entry["image"]) for entry in listed} == {(m, i) for m in NASTY for i in ("i", "l_i")}
    assert len({entry["npy"].casefold() for entry in listed}) == len(listed) == len(list(out.glob("*.npy")))
    for entry in listed:
        picture = np.load(out / entry["npy"])
        assert np.array_equal(picture, store.picture(entry["key"])) and entry["layer"] == "l" and entry["seed"] == 0
        assert Image.open(out / entry["png"]).size == (8, 8)


def test_experiments_have_folders_of_their_own(tmp_path):
    store = store_of(tmp_path / "s", ["m"], experiments=("e", "f"))
    assert export(store, tmp_path / "out") == 4
    listed = json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))
    assert {entry["npy"] for entry in listed} == {f"{e}/{name}.npy" for e in "ef" for name in ("m_l_i", "m_l_l_i")}
    assert export(store, tmp_path / "one", "f") == 2 and (tmp_path / "one/m_l_i.png").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    store = store_of(tmp_path / "s", ["m"])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--out"):
        export(store, tmp_path / "file/below")
    with pytest.raises(InputError, match="Experiments there: e"):
        export(store, tmp_path / "out", "other")
