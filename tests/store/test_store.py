import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stores import META, finish, grid, prepared

from distcari.errors import InputError
from distcari.store import Store, open_store
from distcari.store.arrays import Arrays
from distcari.store.schema import INDEX


def chunks(store):
    return [p for p in Path(store.url).glob("arrays.zarr/e/caricature/c.*") if p.is_file()]


@pytest.fixture
def store(tmp_path):
    return Store(str(tmp_path / "s"), writable=True)


def test_pandas_and_xarray_read_it_as_the_contract_says(store):
    g = grid(models=("m", "n"))
    arrays = prepared(store, g)
    cell = next(iter(g.cells()))
    finish(store, arrays, cell, 0.25)
    frame = pd.read_parquet(f"{store.url}/index")
    assert list(frame.columns) == INDEX.names and list(frame["key"]) == [cell.key]
    assert not any(isinstance(kind, pd.CategoricalDtype) for kind in frame.dtypes)
    ds = xr.open_zarr(f"{store.url}/arrays.zarr", group="e", consolidated=False)
    assert ds.caricature.dims == ("model", "image", "layer", "seed", "y", "x", "channel")
    assert ds.gain_curve.dims[-1] == "step" and ds.match.dims[-2:] == ("v", "u")
    assert ds.input.dims == ("image", "y_input", "x_input", "channel")
    picture = ds.caricature.sel(model="m", image="i", layer="x", seed=0)
    assert (picture == 0.25).all() and np.isnan(ds.caricature.sel(model="n")).all()
    assert (store.picture(cell.key) == 0.25).all()
    assert store.xarray("e").sizes["model"] == 2


def test_an_all_zero_picture_is_kept_as_a_chunk(store):
    g = grid()
    finish(store, prepared(store, g), next(iter(g.cells())), 0.0)
    assert len(chunks(store)) == 1
    assert (store.table()["key"].size, float(store.picture(next(iter(g.cells())).key).max())) == (1, 0.0)


@pytest.mark.parametrize(("dtype", "error"), [("float32", 0.0), ("float16", 1e-3), ("uint8", 0.5 / 255 + 1e-6)])
def test_pictures_come_back_as_written(store, dtype, error):
    g = grid()
    arrays = prepared(store, g, dtype)
    picture = np.random.default_rng(0).random((16, 16, 3), np.float32)
    arrays.write((0, 0, 0, 0), picture, np.zeros(2), np.zeros((56, 56)))
    back = arrays.picture((0, 0, 0, 0))
    assert back.dtype == np.float32 and np.abs(back - picture).max() <= error
    assert np.isnan(arrays.read("gain_curve", (0, 0, 0, 0))[2:]).all()


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from("abcdef"), min_size=1, unique=True),
            st.lists(st.integers(0, 5), min_size=1, unique=True),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_axes_only_grow_and_no_cell_moves(tmp_path_factory, growths):
    store = Store(str(tmp_path_factory.mktemp("s")), writable=True)
    places = {}
    for models, seeds in growths:
        g = grid(models=models, seeds=seeds)
        arrays = prepared(store, g)
        for cell in g.cells():
            place = arrays.place(cell.labels)
            assert places.setdefault(cell.labels, place) == place
    finish(store, arrays, cell)
    prepared(store, grid(models=[*"abcdefgh"]))
    assert (store.picture(cell.key) == 0.5).all()


def test_a_crash_while_growing_is_mended(store):
    arrays = prepared(store, grid())
    arrays.group["caricature"].resize((5, *arrays.group["caricature"].shape[1:]))
    prepared(store, grid(models=("m", "n")))
    assert store.xarray("e").sizes["model"] == 2


def test_recovery_sweeps_temporaries_and_puts_a_broken_part_aside(store):
    g = grid(models=("m", "n"))
    arrays = prepared(store, g)
    cells = list(g.cells())
    finish(store, arrays, cells[0])
    finish(store, arrays, cells[1])
    index = Path(store.url) / "index"
    broken = sorted(index.glob("part-*"))[0]
    broken.write_bytes(broken.read_bytes()[:100])
    (index / "_tmp-1-part-x.parquet").write_bytes(b"half")
    partial = Path(store.url) / "arrays.zarr/e/caricature/c.0.x.partial"
    partial.write_bytes(b"half")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        store.recover()
    assert any("put aside" in str(w.message) for w in told)
    assert store.committed("e") == {cells[1].key}
    assert len(pd.read_parquet(index)) == 1
    assert not partial.exists() and not list(index.glob("_tmp-*"))


def test_forget_takes_rows_out_and_leaves_the_others(store):
    g = grid(models=("m", "n"))
    arrays = prepared(store, g)
    one, two = g.cells()
    finish(store, arrays, one)
    finish(store, arrays, two)
    assert store.forget({one.key}) == 1
    assert store.committed("e") == {two.key}
    assert arrays.labels("model") == ["m", "n"]


def test_a_flipped_byte_is_noticed(store):
    g = grid()
    cell = next(iter(g.cells()))
    finish(store, prepared(store, g), cell)
    (chunk,) = chunks(store)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(Exception, match=r"(?i)checksum"):
        store.picture(cell.key)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
def test_chunks_are_the_files_that_zarr_writes_also_of_an_experiment_that_got_more_steps(tmp_path, monkeypatch, dtype):
    g, picture = grid(), np.random.default_rng(0).random((16, 16, 3), np.float32)
    stores = [Store(str(tmp_path / name), writable=True) for name in ("ours", "zarrs")]
    for store in stores:
        prepared(store, g, dtype)
        arrays = store.prepare(g, META, size=16, input_size=8, steps=6, dtype=dtype)
        arrays.write((0, 0, 0, 0), picture, np.arange(6.0), picture.mean() * np.eye(56))
        monkeypatch.setattr(Arrays, "_format", lambda self, name: None)  # through zarr
    ours, zarrs = (
        {str(p.relative_to(store.url)): p.read_bytes() for p in Path(store.url).rglob("c.*")} for store in stores
    )
    assert ours == zarrs and len([name for name in ours if "gain_curve" in name]) == 2


def test_a_disk_that_gives_back_something_else_is_noticed(store, monkeypatch):
    arrays, read = prepared(store, grid()), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path)[:: -1 if path.name.startswith("c.") else 1])
    with pytest.raises(OSError, match=r"match at .* reads back differently"):
        arrays.write((0, 0, 0, 0), np.zeros((16, 16, 3)), np.zeros(4), np.zeros((56, 56)))


def test_unknown_keys_and_experiments_are_key_errors(store):
    with pytest.raises(KeyError, match="no finished cell"):
        store.picture("nothing")
    with pytest.raises(KeyError, match="no experiment 'x'"):
        store.arrays("x")


def test_a_store_of_a_newer_format_is_refused(store):
    store.files.write("distcari.json", b'{"format": 99, "distcari": "9.9"}')
    with pytest.raises(InputError, match="format 99"):
        open_store(store.url)


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file where a folder should be"):
        Store(str(tmp_path / "file" / "store"), writable=True).check_writable()


def test_failures_vanish_once_the_cell_is_done(store):
    g = grid()
    arrays = prepared(store, g)
    cell = next(iter(g.cells()))
    store.failed.append([{"key": cell.key, "experiment": "e", "error": "boom"}])
    assert list(store.failures()["error"]) == ["boom"]
    finish(store, arrays, cell)
    assert store.failures().empty
