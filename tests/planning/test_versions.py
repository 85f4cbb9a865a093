"""Stores of other versions: readable, never mixed with new pictures under one name, and `compat: v2`."""

import json

import pytest
from support.serial import compute, planned
from support.shared import config

from distcari.errors import InputError
from distcari.planning.description import settings_hash
from distcari.settings import RenderSettings

SMALL = {"size": 32, "steps": 3}
V2 = {**SMALL, "compat": "v2"}


@pytest.fixture
def old(work):
    """A store as version 2 left it."""
    store = compute(work, config(layers=["conv2"], render=V2)).store
    group = work / "store/arrays.zarr/small/zarr.json"
    document = json.loads(group.read_text())
    del document["attributes"]["distcari"]["render_version"]
    group.write_text(json.dumps(document))
    return store


def test_an_older_store_is_not_mixed_with_new_pictures(work, old):
    keys = set(old.table()["key"])
    with pytest.raises(InputError) as error:
        planned(work, config(layers=["conv2"], render=SMALL))
    for words in ("version 2 of the engine, now it is 4", "another name", "--overwrite", "render.compat=v2"):
        assert words in str(error.value)
    same = {"cossim_pow": 1.0, "learning_rate": 0.1, "rotate": 5.0, "scale": 0.05, "shift": 0.045}
    with pytest.raises(InputError, match="version 2 of the engine, now it is 4"):
        planned(work, config(layers=["conv2"], render=SMALL | same))
    with pytest.raises(InputError, match="another name"):
        planned(work, config(layers=["conv2"], render=SMALL), only={"model": ["a"]}, overwrite=True)
    run = compute(work, config(layers=["conv2"], render=SMALL), overwrite=True)
    assert run.done == 4 and len(run.store.table()) == 4 and not keys & set(run.store.table()["key"])
    with pytest.raises(InputError, match="version 4 of the engine, now it is 2"):
        planned(work, config(layers=["conv2"], render=V2))


def test_an_older_store_goes_on_with_compat_v2(work, old):
    before = {key: old.picture(key).tobytes() for key in old.table()["key"]}
    assert not planned(work, config(layers=["conv2"], render=V2))[0].todo
    run = compute(work, config(layers=["conv2"], render=V2, seeds=[0, 1]))
    assert run.done == 4 and {run.store.picture(key).tobytes() for key in before} == set(before.values())
    rows = run.store.table()
    assert set(rows["cossim_pow"]) == {1.0} and set(rows["metric"]) == {"plain"} and set(rows["damping"]) == {0.0}


@pytest.mark.parametrize(
    ("render", "was"),
    [
        ({"compat": "v2"}, "2cd222ada248e20108491f78fd429ad3930bd994e9559e4dceaf94e78463cccc"),
        ({"compat": "lucent"}, "51c11003acaae8850a7d4ab90f131d2da5bde01b1fb6acabc2750d1e989697a4"),
        (
            {"compat": "v2", "cossim_pow": 2, "size": 64},
            "47b814ae6f9fa473be8d6cd1eacfe73ad2b316387d2b1bc34a1c3cf9b02b1bf5",
        ),
    ],
)
def test_keys_of_version_2_are_found_again(render, was):
    swept = ["rotate"] if "size" in render else []
    assert settings_hash(RenderSettings(**render), swept) == was
    assert settings_hash(RenderSettings()) != was
