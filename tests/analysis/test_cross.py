"""Pictures shown to the other models of their experiment."""

import pandas as pd
import pytest
import torch
from support.serial import compute
from support.shared import config

from distcari.analysis import cross
from distcari.cli.main import main
from distcari.errors import InputError
from distcari.render.contrast import CROSS
from distcari.store import open_store

MODELS = [*config()["models"], {"name": "r", "torchvision": "resnet18", "input_size": 32}]


@pytest.fixture
def store(work):
    """Two tiny networks, their difference, a sweep, and a third model that has but one of the layers."""
    render = {"size": 32, "steps": 3, "cossim_pow": [0, 1]}
    return compute(
        work,
        config(
            models=MODELS,
            layers=["conv[12]"],
            render=render,
            images=["photos/one.png"],
            differences=[{"a": "a", "b": "b"}],
        ),
    ).store


def test_pictures_are_in_another_model_what_they_are(store):
    frame = cross.cross(store, "small")
    index = store.table().set_index("key")
    assert len(frame) == 14 + 14 + 8  # resnet18 has no conv2
    own = frame[frame["model"] == frame["in_model"]].set_index("key")
    assert len(own) == 10 and own[list(CROSS)].equals(index.loc[own.index, list(CROSS)])
    pair = frame[(frame["model"] == "a − b") & (frame["in_model"] == "b")].set_index("key")
    assert pair.index.size == 4
    for name in CROSS:
        assert pair[name].to_numpy() == pytest.approx(index.loc[pair.index, f"{name}_in_b"].to_numpy(), rel=2e-3)


def test_the_command_writes_a_table_adds_to_it_and_measures_nothing_twice(store, capsys, monkeypatch):
    assert main(["cross", "store", "small", "--in", "b", "--only", "model=a", "--only", "cossim_pow=1"]) == 0
    assert "2 rows, 2 in all, in store/cross/small.parquet" in capsys.readouterr().out
    assert main(["cross", "store", "small"]) == 0 and "36 rows, 36 in all" in capsys.readouterr().out
    before = pd.read_parquet("store/cross/small.parquet")
    monkeypatch.setattr(cross, "load_model", None)  # so that measuring would fail
    assert main(["cross", "store", "small"]) == 0 and "36 rows, 36 in all" in capsys.readouterr().out
    after = pd.read_parquet("store/cross/small.parquet")
    names = ["key", "in_model"]
    assert before.sort_values(names).reset_index(drop=True).equals(after.sort_values(names).reset_index(drop=True))
    assert before.pivot_table(index="model", columns="in_model", values="gain").loc["a", "b"] > 0


def test_what_cannot_be_measured_is_refused(store, work, capsys):
    for given, said in (
        (["other"], "There are: small"),
        (["small", "--in", "z"], "no such model"),
        (["small", "--only", "colour=z"], "no such axis"),
        (["small", "--only", "x"], "axis=label"),
    ):
        assert main(["cross", "store", *given]) == 2 and said in capsys.readouterr().err
    torch.save(torch.nn.Linear(1, 1).state_dict(), work / "w.pt")
    meta = store.arrays("small").meta
    writable = open_store("store", writable=True).arrays("small").group
    writable.attrs["distcari"] = {**meta, "models": {**meta["models"], "b": {"sha256": "of another time"}}}
    with pytest.raises(InputError, match="weights of b are not those"):
        cross.cross(store, "small")
    writable.attrs["distcari"] = {**meta, "config": {}}
    with pytest.raises(InputError, match="was adopted"):
        cross.cross(store, "small")
