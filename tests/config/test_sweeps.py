"""Render settings given as lists: axes of their own in the grid, the store, the commands."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.commands import serially
from support.grids import grid
from support.serial import compute, planned
from support.shared import config, write

from distcari import caricature
from distcari.cli.main import main
from distcari.config.load import load_experiment
from distcari.errors import InputError
from distcari.exchange.contact_sheet import contact_sheets
from distcari.grid import Axis, Grid, label_text, select
from distcari.sources.models import load_model
from distcari.store import arrays
from distcari.store.check import check

SWEEP = {"size": 32, "steps": 3, "cossim_pow": [0, 1]}
powers = st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=4, unique=True)


def swept(g, values):
    return Grid(g.experiment, g.settings_hash, (*g.axes, Axis("cossim_pow", {v: f"cossim_pow={v}" for v in values})))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"render": {"cossim_pow": [0, 11]}}, ["render.cossim_pow[1]", "less than or equal to 10"]),
        ({"render": {"views": ["side"]}}, ["render.views[0]", "'picture' or 'both'"]),
        ({"render": {"size": [32, 64]}}, ["render.size", "cannot be a list", "cossim_pow"]),
        ({"render": {"compat": ["none", "lucent"]}}, ["render.compat", "cannot be a list"]),
        ({"render": {"stepps": [1]}}, ["render.stepps", "unknown field", "steps"]),
        ({"render": {"steps": []}}, ["render.steps", "empty"]),
        ({"render": {"rotate": [1, 1.0]}}, ["render.rotate[1]", "duplicate"]),
        ({"render": {"steps": [1, 2]}, "steps_by_layer": {"conv2": 3}}, ["steps_by_layer", "list of render.steps"]),
        ({"render": {"scale": [0, 0.1], "compat": "lucent"}}, ["render.scale", "compat: lucent"]),
        ({"render": {"damping": [0, 1], "compat": "v2"}}, ["render.damping", "compat: v2", "came after"]),
        ({"render": {"cossim_pow": [0, 1.2], "compat": "v2"}}, ["render.cossim_pow", "version 2's default, 1.0"]),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_by_line(work, changes, says):
    with pytest.raises(InputError) as error:
        load_experiment(write(work / "c.yaml", config(**changes)))
    assert all(words in str(error.value) for words in ["c.yaml: line ", "->", *says])


def test_a_config_with_sweeps_is_written_as_it_was_read(work):
    experiment = load_experiment(write(work / "c.yaml", config(render={"views": ["both", "picture"], **SWEEP})))
    assert list(experiment.sweeps.items()) == [("cossim_pow", [0.0, 1.0]), ("views", ["both", "picture"])]
    assert load_experiment(write(work / "d.yaml", experiment.model_dump(mode="json"))) == experiment


def test_keys_without_a_sweep_are_those_of_all_stores_there_are():
    assert [cell.key for cell in grid(["m"], ["i"], ["l"], [0, 7]).cells()] == [
        "e0b91b8db2dc854d6ca11976fec65874",
        "eee9b53327822c1458e480ea0ca19e66",
    ]


@given(powers, st.floats(0, 10), st.integers(1, 4))
@settings(max_examples=50)
def test_a_value_more_changes_no_key_and_units_have_one_setting(values, more, batch):
    g = grid(["m", "n"], ["i", "j", "k"], ["x"], [0, 1])
    before = {cell.labels: cell.key for cell in swept(g, values).cells()}
    larger = swept(g, dict.fromkeys([more, *values]))
    after = {cell.labels: cell.key for cell in larger.cells()}
    assert before.items() <= after.items() and len(set(after.values())) == len(after)
    for unit in larger.units(larger.cells(), batch):
        assert len({cell.labels[-1] for cell in unit.cells}) == 1 and len(unit.cells) <= batch
    shards = larger.units(larger.cells(), batch, {"i": 0, "j": 0, "k": 1})
    assert len({unit.shard for unit in shards}) == len(shards)


@given(powers)
def test_labels_are_found_by_their_text_and_text_tells_them_apart(values):
    axis = Axis("cossim_pow", dict.fromkeys(values, ""))
    assert [axis.find(label_text(v)) for v in values] == values
    assert len({label_text(v) for v in values}) == len(values)
    g = swept(grid(["m"], ["i"], ["x"], [0]), values)
    assert {cell.labels[-1] for cell in select(g.cells(), g.axes, {"cossim_pow": [str(values[0])]})} == {values[0]}
    assert Axis("model", {"1": ""}).find("1.0") is None and axis.find("some") is None


def test_a_sweep_is_computed_grown_resumed_and_shown(work):
    run = compute(work, config(layers=["conv2"], render=SWEEP))
    assert run.done == 8 and run.store.arrays("small").axes[4:] == ["cossim_pow"]
    first = run.store.table().set_index("key")
    before = {key: run.store.picture(key).tobytes() for key in first.index}
    assert sorted(first["cossim_pow"].unique()) == [0.0, 1.0] and set(first["settings_hash"].value_counts()) == {4}
    alone = caricature(
        load_model(run.plan.models["a"]),
        Image.fromarray(run.plan.images["one"].pixels),
        "conv2",
        size=32,
        steps=3,
        cossim_pow=0,
        input_size=32,
    )
    ds = run.store.xarray("small")
    assert ds.caricature.dims[:5] == ("model", "image", "layer", "seed", "cossim_pow")
    assert ds.cossim_pow.dtype == np.float64 and ds.seed.dtype == np.int64
    here = {"model": "a", "image": "one", "layer": "conv2", "seed": 0}
    assert np.array_equal(ds.caricature.sel(**here, cossim_pow=0), alone.picture)
    assert not np.array_equal(ds.caricature.sel(**here, cossim_pow=1), alone.picture)

    more = config(layers=["conv2"], render={**SWEEP, "cossim_pow": [2, 0, 1]})
    assert compute(work, more, only={"cossim_pow": ["2"], "model": ["b"]}).done == 2
    run = compute(work, more)
    assert run.done == 2 and not run.failures and not planned(work, more)[0].todo
    assert run.store.arrays("small").labels("cossim_pow") == [0.0, 1.0, 2.0]
    assert all(run.store.picture(key).tobytes() == pixels for key, pixels in before.items())
    assert list(check(run.store)) == [12]
    sheets = dict(contact_sheets(run.store, "small"))
    assert list(sheets) == ["one", "two"] and all(sheet.height > 3 * 2 * 170 for sheet in sheets.values())
    run.store.merge()
    assert main(["export", "store", "--out", "out"]) == 0
    assert {p.stem for p in (work / "out").glob("a_conv2_one*.png")} == {f"a_conv2_one_cossim_pow{p}" for p in "012"}


def test_steps_and_texts_are_swept_and_curves_padded(work, monkeypatch):
    render = {"size": 32, "steps": [2, 5], "schedule": ["cosine", "constant"]}
    run = compute(work, config(layers=["conv2"], render=render))
    curves = run.store.xarray("small").gain_curve.sel(model="a", image="one", layer="conv2", seed=0)
    assert curves.dims == ("steps", "schedule", "step") and curves.sizes["step"] == 5
    assert np.isnan(curves.sel(steps=2)[:, 2:]).all() and not np.isnan(curves.sel(steps=5)).any()
    assert run.store.table().groupby(["steps", "schedule"]).size().eq(4).all() and list(check(run.store)) == [16]
    synced = set()
    monkeypatch.setattr(arrays.os, "fsync", lambda fd: synced.add(str(Path(f"/proc/self/fd/{fd}").readlink())))
    run = compute(work, config(layers=["conv2"], render={**render, "steps": [2, 5, 9]}))
    curves = {p for p in map(str, (work / "store/arrays.zarr/small/gain_curve").glob("c.*")) if ".2." in p[-6:]}
    assert len(curves) == 16 and curves <= synced  # two chunks for each of the eight: the curve has grown
    assert run.done == 8 and run.store.arrays("small").group["gain_curve"].shape[-1] == 9
    run.store.recover()
    assert list(check(run.store)) == [24]


def test_another_sweep_under_the_same_name_is_refused(work):
    compute(work, config(layers=["conv2"], render=SWEEP))
    for render in ({"size": 32, "steps": 3}, {**SWEEP, "rotate": [1, 2]}):
        with pytest.raises(InputError, match=r"sweeps cossim_pow, now .*\n.*another name"):
            planned(work, config(layers=["conv2"], render=render), overwrite=True)
    with pytest.raises(InputError, match=r"cossim_pow=5: no such cossim_pow\n.*There are: 0, 1\."):
        planned(work, config(layers=["conv2"], render=SWEEP), only={"cossim_pow": ["5"]})
    with pytest.raises(InputError, match="other settings"):
        planned(work, config(layers=["conv2"], render={**SWEEP, "rotate": 9}))


def test_a_failed_cell_says_where_in_the_sweep_it_lies(work):
    Image.new("RGB", (40, 40)).save(work / "photos/black.png")
    models = [{"name": "p", "factory": "tiny:poisoned", "normalization": "imagenet"}]
    run = compute(work, config(models=models, layers=["conv2"], render=SWEEP))
    assert run.done == 4 and [row["cossim_pow"] for row in run.failures] == [0.0, 1.0]
    failures = pd.read_parquet("store/failures")
    assert set(failures["image"]) == {"black"} and sorted(failures["cossim_pow"]) == [0.0, 1.0]
    plan, _ = planned(work, config(models=models, layers=["conv2"], render=SWEEP))
    assert (plan.given_up, plan.todo, plan.done) == (2, [], 4)


def test_the_command_sweeps(work):
    path = write(work / "c.yaml", config(layers=["conv2"], shard=2))
    code, said = serially(path, "--set", "render.cossim_pow=[0, 2]", "--only", "cossim_pow=2")
    assert code == 0 and "1 seed × 1 of cossim_pow = 4 cells" in said and "4 cells computed" in said, said
    frame = pd.read_parquet("store/index")
    assert set(frame["cossim_pow"]) == {2.0} and set(frame["steps"]) == {3}
