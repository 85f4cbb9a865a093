"""Any one file of a store deleted, cut, flipped or replaced by a folder: InputErrors alone, no cell lost or doubled.

Each attempt reads the damaged store in every way, verifies it, and lets the same experiment be computed again; at the
end the store is the undamaged one, cell by cell.
"""

import contextlib
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from support.serial import compute
from support.shared import config

from distcari.errors import InputError
from distcari.store import open_store
from distcari.store.arrays import pixels_sha256
from distcari.store.check import Finding, check, requeue

pytestmark = [pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::UserWarning")]
SMALL = config(
    models=[{"name": "a", "factory": "tiny:net"}, {"name": "b", "factory": "tiny:net", "init_seed": 1}],
    layers=["conv2"],
    render={"size": 32, "steps": 1},
    input_size=32,
    resources={"batch": 1},
)
KINDS = ("delete", "cut", "flip", "folder")
# Of the run and for eyes alone: what is wrong with them costs no cell, and verify does not look at them.
BESIDE = ("models.parquet", "leases/", "runs/", "failures/", "contact_sheets/")


@pytest.fixture
def original(work, one_thread):
    """A finished store of four cells in two index parts: the folder, and what is seen of it."""
    compute(work, SMALL | {"images": ["photos/one.png"]})
    compute(work, SMALL)
    return Path("store").rename("original"), seen("original")


@pytest.mark.parametrize("examples", [20, pytest.param(100, marks=pytest.mark.long)])
def test_no_damage_brings_a_trace_or_costs_a_cell(original, examples):
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def law(data):
        hurt_and_come_back(*original, data)

    law()


def hurt_and_come_back(original, before, data):
    files = sorted(path.relative_to(original) for path in original.rglob("*") if path.is_file())
    file, kind = data.draw(st.sampled_from(files)), data.draw(st.sampled_from(KINDS))
    shutil.rmtree("store", ignore_errors=True)
    shutil.copytree(original, "store")
    hurt = Path("store") / file
    damage(hurt, kind, data.draw(st.floats(0, 1, exclude_max=True)), data.draw(st.integers(0, 7)))
    now = seen("store")
    note(f"{file} {kind}: {now if isinstance(now, str) else 'readable'}")
    found = findings()
    if not str(file).startswith(BESIDE) and now != before and found == []:
        assert file.parts[0] == "index" and lost_rows(before), "verify found nothing, and yet the store is another"
    come_back(hurt)
    assert seen("store") == before and findings() == []
    assert pd.read_parquet("store/index")["key"].is_unique


def damage(path, kind, share, bit):
    """Do it to a file."""
    content = path.read_bytes()
    at = int(len(content) * share)
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "cut":
        path.write_bytes(content[:at])
    elif kind == "flip":
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :] if content else b"")


def seen(folder):
    """All that readers see of a store: each row's labels and hashes, those of its chunks; or what stops them."""
    try:
        store = open_store(folder)
        rows = store.table().sort_values("key").to_dict("records")
        store.experiments(), store.failures()
        arrays = store.arrays("small") if rows else None
        labels = [tuple(row[axis] for axis in (arrays.axes if arrays else ())) for row in rows]
        chunks = [
            pixels_sha256(arrays.read(name, arrays.place(at)))
            for at in labels
            for name in ("caricature", "match", "gain_curve")
        ]
        inputs = [pixels_sha256(arrays.input(image)) for image in arrays.labels("image")] if arrays else []
        return [(row["key"], row["pixels_sha256"], at) for row, at in zip(rows, labels, strict=True)], chunks, inputs
    except (InputError, KeyError) as error:
        return f"{type(error).__name__}: {error}"


def findings():
    """What verify says; None if the store cannot be opened or listed at all."""
    try:
        return [told for told in check(open_store("store"), jobs=1) if isinstance(told, Finding)]
    except InputError as error:
        assert error.problem and error.remedy
        return None


def lost_rows(before):
    """Whether the comparison at the end of a run would see that rows are gone."""
    return open_store("store").missing("small", {key for key, _, _ in before[0]})


def come_back(hurt):
    """Compute the experiment again, doing as errors say: requeue what verify finds, move away what is foreign."""
    for remedy in (lambda: None, mend, lambda: away(hurt), mend):
        with contextlib.suppress(InputError):
            remedy()
        try:
            if compute(Path(), SMALL).failures:
                continue
        except InputError as error:
            note(f"resumed: {error}")
            assert error.problem and error.remedy
            continue
        if findings() == []:
            return
    raise AssertionError("it does not come back")


def mend():
    store = open_store("store", writable=True)
    requeue(store, [told for told in check(store, jobs=1) if isinstance(told, Finding)])


def away(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
