"""What the store says of an experiment, and the notes of runs: typed, old JSON kept, odd ones survived."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.stores import grid

from distcari.errors import InputError
from distcari.store import Store, runs
from distcari.store.description import Description

OLD = {
    "axes": ["model", "image", "layer", "seed"],
    "description": "",
    "settings": {"size": 32, "compat": None, "shard": 1},
    "settings_hash": "00",
    "steps": {"x": 4, "y": None},
    "models": {
        "a": {
            "digest": "1",
            "sha256": "2",
            "mean": [0.5, 0.5, 0.5],
            "std": [1.0, 1.0, 1.0],
            "input_size": 32,
            "num_classes": 5,
            "source": {"factory": "tiny:net"},
        },
        "a − b": {"digest": "3", "sha256": "2-4", "difference": {"a": "a", "b": "b", "contrast": 0.5, "layers": {}}},
    },
    "images": {"i": {"sha256": "5", "origin": "photos/i.png"}},
    "layers_of": {"a": ["x"]},
    "config": {"name": "e"},
    "distcari_version": "0.1",
    "of another version": [1],
}


def changed(**changes):
    return Description.of(OLD | changes)


def test_json_comes_back_as_it_was_unknown_fields_and_silence_included():
    assert Description.of(OLD).as_json() == OLD
    assert Description.of({"axes": ["model"]}).as_json() == {"axes": ["model"]}


def test_the_store_keeps_it_as_it_is(tmp_path):
    store = Store(str(tmp_path), writable=True)
    store.prepare(grid(), OLD, size=16, input_size=8, steps=4, dtype="float32")
    document = json.loads((tmp_path / "arrays.zarr/e/zarr.json").read_text())
    assert document["attributes"]["distcari"] == OLD == store.arrays("e").meta
    assert store.arrays("e").description.models["a − b"].difference.contrast == 0.5


@pytest.mark.parametrize(
    "wrong", [3, [], {"axes": "model"}, {"models": []}, {"models": {"a": 3}}, {"steps": {"x": []}}]
)
def test_what_is_no_description_says_which_field(wrong):
    with pytest.raises(ValueError, match=r"(?i)input"):
        Description.of(wrong)


def test_layers_of_models():
    found = Description.of(OLD)
    assert found.layers("a") == ("x",) and found.layers("a − b") == ("x", "y") and found.layers("other") == ()
    assert found.has("a", "x") and not found.has("a", "y") and found.has("a − b", "y")


def test_merging_adds_and_refuses_another_meaning():
    now = changed(models={"c": {"digest": "9"}}, steps={"z": 4}, layers_of={}, description="more")
    both = Description.of(OLD).merged(now, overwrite=False, where="c.yaml")
    assert list(both.models) == ["a", "a − b", "c"] and list(both.steps) == ["x", "y", "z"]
    assert both.layers_of == {"a": ("x",), "a − b": ("x", "y"), "c": ("z",)} and both.description == "more"
    for other, says in (
        (changed(models={"a": {"digest": "other"}}), "model a: its content has changed"),
        (changed(images={"i": {"sha256": "other"}}), "image i: its content"),
        (changed(steps={"x": 5}), "steps at x: 4 in the store, 5 now"),
        (changed(axes=[*OLD["axes"], "cossim_pow"]), "sweeps nothing, now cossim_pow"),
    ):
        with pytest.raises(InputError, match=says):
            Description.of(OLD).merged(other, overwrite=False, where="c.yaml")
    with pytest.raises(InputError, match="not with a changed size"):
        larger = changed(settings={"size": 64, "compat": None, "shard": 1})
        Description.of(OLD).merged(larger, overwrite=True, where="c.yaml")
    anew = Description.of(OLD).merged(changed(steps={"x": 5}), overwrite=True, where="c.yaml")
    assert anew.steps == {"x": 5, "y": None}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "run_id",
    "experiment",
    "state",
    "started_at",
    "updated_at",
    "total",
    "skipped",
    "actors",
    "done",
    "failed",
    "rate",
    "eta",
    "models",
    "running",
]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_any_note_is_read_or_is_none(note):
    found = runs.parse(json.dumps(note))
    if found is not None:
        assert found.pending >= 0 and runs.parse(found.encoded()) == found


@given(st.binary(max_size=50))
def test_any_bytes_are_no_note(content):
    assert runs.parse(content) is None


def test_a_note_as_deep_as_can_be_is_none():
    assert runs.parse(b"[" * 100_000) is None


def test_notes_left_running_are_closed(tmp_path):
    files = Store(str(tmp_path), writable=True).files
    for name, experiment, state in (("1", "e", "running"), ("2", "other", "running"), ("3", "e", "finished")):
        runs.write_note(files, runs.RunNote(name, experiment, state, models={"a": runs.Share(3, 1)}, running=(("a",),)))
    files.write("runs/4.json", b"{cut")
    (tmp_path / "runs/5.json").mkdir()
    runs.close_notes(files, "e")
    states = [runs.read_note(files, name).state for name in runs.note_names(files)[:3]]
    assert states == ["crashed", "running", "finished"] and runs.read_note(files, "4.json") is None
    assert runs.read_note(files, "1.json").models == {"a": runs.Share(3, 1, 0)}
