"""The store under any interleaving of growth, commits, failures, merges and crashes, held against a plain dict."""

import warnings
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.crashes import Fuse, bury
from support.stores import META, grid

from distcari.store import Store
from distcari.store import store as store_module
from distcari.store.arrays import pixels_sha256
from distcari.store.check import check
from distcari.store.lease import take

SIZE = 4
UNIVERSE = {"models": "abcd", "images": "ijkl", "layers": "xy", "seeds": (0, 1, 5)}
KEYS = {cell.labels: cell.key for cell in grid(**UNIVERSE).cells()}
LABELS = {key: labels for labels, key in KEYS.items()}
crash = st.none() | st.integers(0, 35) | st.integers(0, 130)  # making an experiment takes 125 steps, most things 30


def some(labels):
    return st.lists(st.sampled_from(labels), min_size=1, max_size=len(labels), unique=True)


class Life(RuleBasedStateMachine):
    """`done`: key to the value of each picture that is committed; `failed`: keys that were given up once."""

    @initialize(dtype=st.sampled_from(["float32", "float16", "uint8"]), shard=st.sampled_from([1, 1, 2, 3]))
    def begin(self, dtype, shard):
        self.dtype, self.shard = dtype, shard
        self.patch = pytest.MonkeyPatch()
        self.fuse = Fuse()
        self.fuse.put_in(self.patch)
        self.patch.setattr(store_module, "take", partial(take, beat=3600))
        self.setting = zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1})
        self.folder = Path(FOLDERS.mktemp("s"))
        self.done, self.failed, self.labels = {}, set(), {axis: [] for axis in ("model", "image", "layer", "seed")}
        self.values = 0
        self.store = self.open()

    def open(self):
        return Store(str(self.folder), writable=True)

    def teardown(self):
        if hasattr(self, "patch"):
            self.patch.undo()

    def do(self, steps, action, *, adds=(), removes=()):
        """Do something, dying after so many steps; then open the store again and mend it. Was it done?

        Between death and mending readers see each row once: all rows of before, less some of those that were to go,
        and the new ones all or none.
        """
        with self.fuse.of(steps):
            action()
        if not self.fuse.died:
            return True
        note(f"died after {steps} steps")
        bury(self.folder)
        self.store = self.open()
        seen = set(self.see())
        assert set(self.done) - set(removes) <= seen <= set(self.done) | set(adds)
        assert not set(adds) & seen or set(adds) <= seen
        return False

    def see(self):
        """Keys that the store's reader shows, each once."""
        keys = self.store.table(["key"])["key"]
        assert keys.is_unique
        return list(keys)

    def mend(self, *crashes):
        """Recover, dying on the way a few times."""
        for steps in (*crashes, None):
            with self.fuse.of(steps):
                self.store.recover()
            if self.fuse.died:
                note(f"died mending after {steps} steps")
                bury(self.folder)
                self.store = self.open()

    def settle(self):
        """After a death and its mending: what the store shows is what is done, and what was given up."""
        seen = set(self.see())
        self.done = {key: value for key, value in self.trying.items() if key in seen}
        self.failed = set(self.store.failed.table(["key"])["key"].to_pylist())

    # what happens to a store

    @rule(models=some("abcd"), images=some("ijkl"), layers=some("xy"), seeds=some((0, 1, 5)), steps=crash, again=crash)
    def grow(self, models, images, layers, seeds, steps, again):
        g = grid(models=models, images=images, layers=layers, seeds=seeds)

        def action():
            arrays = self.store.prepare(g, META, size=SIZE, input_size=2, steps=4, dtype=self.dtype, shard=self.shard)
            self.store.write_inputs(arrays, {image: np.full((2, 2, 3), ord(image), np.uint8) for image in images})

        if not self.do(steps, action):
            self.mend(again)
            action()

    @precondition(lambda self: self.labels["model"])
    @rule(data=st.data(), commit=st.sampled_from(["once", "twice", "never"]), steps=crash, again=crash)
    def finish(self, data, commit, steps, again):
        """Write the chunks of some cells and, mostly, commit them."""
        free = [labels for labels, key in KEYS.items() if key not in self.done and self.has(labels)]
        if not free:
            return
        cells = data.draw(st.lists(st.sampled_from(free), min_size=1, max_size=4, unique=True))
        values = {}
        for labels in cells:
            self.values += 1
            values[KEYS[labels]] = self.values % 200 / 255
        rows = []

        def action():
            arrays = self.store.arrays("e")
            for unit in units(arrays, cells):
                pictures = [np.full((SIZE, SIZE, 3), values[KEYS[labels]], np.float32) for labels in unit]
                hashes = arrays.write_together(
                    [arrays.place(labels) for labels in unit],
                    pictures,
                    [np.arange(4.0)] * len(unit),
                    [np.ones((56, 56))] * len(unit),
                )
                rows.extend(self.row(labels, sha) for labels, sha in zip(unit, hashes, strict=True))
            for _ in range({"never": 0, "once": 1, "twice": 2}[commit]):
                self.store.commit(rows)

        self.trying = self.done | (values if commit != "never" else {})
        if self.do(steps, action, adds=values if commit != "never" else ()):
            self.done = self.trying
        else:
            self.mend(again)
            self.settle()

    @precondition(lambda self: self.labels["model"])
    @rule(data=st.data(), steps=crash, again=crash)
    def give_up(self, data, steps, again):
        open_ = [labels for labels, key in KEYS.items() if key not in self.done and self.has(labels)]
        if not open_:
            return
        rows = [
            self.row(labels, "", error="boom")
            for labels in data.draw(st.lists(st.sampled_from(open_), min_size=1, max_size=3, unique=True))
        ]
        for row in rows:
            del row["pixels_sha256"], row["steps"], row["finished_at"]
        self.trying = self.done
        if self.do(steps, lambda: self.store.failed.append(rows)):
            self.failed |= {row["key"] for row in rows}
        else:
            self.mend(again)
            self.settle()

    @precondition(lambda self: self.done)
    @rule(data=st.data(), steps=crash, again=crash)
    def forget(self, data, steps, again):
        keys = set(data.draw(st.lists(st.sampled_from(sorted(self.done)), min_size=1, max_size=5)))
        self.trying = self.done
        if self.do(steps, lambda: self.store.forget(keys), removes=keys):
            self.done = {key: value for key, value in self.done.items() if key not in keys}
            self.failed -= keys
        else:
            self.mend(again)
            self.settle()

    @rule(small=st.sampled_from([None, 1, 3]), steps=crash, again=crash)
    def merge(self, small, steps, again):
        if not self.do(steps, lambda: self.store.merge(small)):
            self.mend(again)

    @precondition(lambda self: len(self.done) > 1)
    @rule(data=st.data())
    def merge_while_it_is_copied(self, data):
        """A copy of the store may hold the merged part and some of those that it replaced."""
        before = {path: path.read_bytes() for path in (self.folder / "index").glob("part-*")}
        self.store.merge()
        gone = [path for path in before if not path.exists()]
        for path in data.draw(st.lists(st.sampled_from(gone), unique=True)) if gone else []:
            path.write_bytes(before[path])
        self.mend()

    @precondition(lambda self: self.done)
    @rule(data=st.data(), at=st.floats(0, 0.999), cut=st.booleans(), again=crash)
    def damage_a_part(self, data, at, cut, again):
        """A damaged part is put aside, with a word; its rows are to be done again."""
        part = data.draw(st.sampled_from(sorted((self.folder / "index").glob("part-*"))))
        content = bytearray(part.read_bytes())
        keys = set(pd.read_parquet(part)["key"])
        if cut:
            del content[int(at * len(content)) :]
        else:
            content[int(at * len(content))] ^= 1 + int(at * 254)
        part.write_bytes(content)
        with pytest.warns(UserWarning, match="put aside"):
            self.mend(again)
            if again is not None:
                warnings.warn("put aside", stacklevel=1)  # said before the death, perhaps
        self.done = {key: value for key, value in self.done.items() if key not in keys}

    @rule(steps=crash)
    def mend_what_is_well(self, steps):
        self.mend(steps)

    # what holds at any time

    @invariant()
    def every_row_once_and_with_its_pixels(self):
        if not self.labels["model"]:
            return
        assert Counter(self.see()) == Counter(list(self.done))
        if self.done:
            assert Counter(pd.read_parquet(self.folder / "index")["key"]) == Counter(list(self.done))
        assert [told for told in check(self.store, jobs=1) if not isinstance(told, int)] == []
        arrays = self.store.arrays("e")
        for key, value in self.done.items():
            picture = arrays.picture(arrays.place(LABELS[key]))
            assert np.abs(picture - value).max() < 1e-3, key
        assert set(self.store.failures()["key"]) == self.failed - set(self.done)

    @invariant()
    def axes_only_grow(self):
        if "e" not in self.store.experiments():
            return
        arrays = self.store.arrays("e")
        for axis, before in self.labels.items():
            now = arrays.labels(axis)
            assert now[: len(before)] == before and len(set(now)) == len(now) and set(now) <= set(UNIVERSE[f"{axis}s"])
            self.labels[axis] = list(now)
        if self.has(next(iter(KEYS))) or all(self.labels.values()):
            ds = self.store.xarray("e")
            for axis, labels in self.labels.items():
                assert list(ds[axis].values)[: len(labels)] == labels and ds.caricature.dtype == self.dtype

    @invariant()
    def nothing_is_left_lying_about(self):
        names = [path.name for path in self.folder.rglob("*")]
        assert not [name for name in names if name.startswith(("_tmp-", "_merged-")) or name.endswith(".partial")]

    def has(self, labels):
        return all(label in self.labels[axis] for axis, label in zip(self.labels, labels, strict=True))

    def row(self, labels, sha, **more):
        return {
            "key": KEYS[labels],
            "experiment": "e",
            **dict(zip(self.labels, labels, strict=True)),
            "steps": 4,
            "finished_at": datetime.now(UTC),
            "pixels_sha256": sha,
            **more,
        }


def units(arrays, cells):
    """The cells as a driver hands them out: alone, or by shard."""
    shard = arrays.images_per_shard
    if shard == 1:
        return [[labels] for labels in cells]
    found = {}
    for model, image, layer, seed in cells:
        at = (model, arrays.labels("image").index(image) // shard, layer, seed)
        found.setdefault(at, []).append((model, image, layer, seed))
    return list(found.values())


@pytest.fixture(autouse=True, scope="module")
def _folders(tmp_path_factory):
    global FOLDERS
    FOLDERS = tmp_path_factory


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


@given(
    dtype=st.sampled_from(["float32", "float16", "uint8"]),
    shard=st.integers(1, 5),
    size=st.integers(1, 9),
    images=st.lists(st.integers(0, 7), min_size=1, unique=True),
    seed=st.integers(0, 99),
    steps=st.integers(1, 4),
)
@settings(max_examples=15, deadline=None)
def test_every_type_comes_back_as_written_with_and_without_shards(dtype, shard, size, images, seed, steps):
    store = Store(str(FOLDERS.mktemp("s")), writable=True)
    g = grid(models=("m", "n"), images=tuple("ijklopqr"), seeds=(0, 7))
    arrays = store.prepare(g, META, size=size, input_size=2, steps=4, dtype=dtype, shard=shard)
    random = np.random.default_rng(seed)
    wanted = {}
    for unit in units(arrays, [("n", "ijklopqr"[i], "x", 7) for i in images]):
        pictures = random.random((len(unit), size, size, 3), np.float32)
        pictures.reshape(len(unit), -1)[:, :2] = 0, 1  # the ends of the range
        matches = random.uniform(-1, 1, (len(unit), 56, 56)).astype(np.float32)
        curves = random.normal(size=(len(unit), steps))
        hashes = arrays.write_together([arrays.place(labels) for labels in unit], pictures, curves, matches)
        wanted |= dict(zip(unit, zip(pictures, curves, matches, hashes, strict=True), strict=True))
    again = Store(store.url).arrays("e")
    ds = store.xarray("e")
    error = {"float32": 0, "float16": 2**-11, "uint8": 0.5 / 255 + 1e-6}[dtype]
    for labels in (cell.labels for cell in g.cells()):
        place = again.place(labels)
        at = dict(zip(again.axes, labels, strict=True))
        seen = ds.caricature.sel(at).values
        assert np.array_equal(seen, again.read("caricature", place), equal_nan=True)
        if labels not in wanted:
            assert (seen == 0).all() if dtype == "uint8" else np.isnan(seen).all()
            continue
        picture, curve, match, sha = wanted[labels]
        assert np.abs(again.picture(place) - picture).max() <= error and again.picture(place).dtype == np.float32
        assert pixels_sha256(seen) == sha and seen.dtype == dtype
        assert np.array_equal(again.read("match", place), match)
        assert np.array_equal(again.read("gain_curve", place)[:steps], curve.astype(np.float32))
        assert np.isnan(again.read("gain_curve", place)[steps:]).all()
    objects = {place // shard for place in (again.labels("image").index("ijklopqr"[i]) for i in images)}
    assert len(list((Path(store.url) / "arrays.zarr/e/caricature").glob("c.*"))) == len(objects)
