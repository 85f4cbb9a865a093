"""Plans: made without Ray, with every checkpoint read once, and held against what the store has."""

import numpy as np
import pytest
import torch
from support import tiny
from support.serial import planned
from support.shared import config

from distcari.errors import InputError
from distcari.planning.durations import duration
from distcari.render import metric
from distcari.sources import models


def test_each_checkpoint_is_read_once_and_each_architecture_built_once(work, monkeypatch):
    for i in range(3):
        torch.save(tiny.net().state_dict(), work / f"net{i}.pt")
    read, built = [], []
    read_state, build = models.read_state, models.architectures.build

    def reading(path, where):
        read.append(path.name)
        return read_state(path, where)

    def building(*given, **more):
        built.append(more.get("device", "cpu"))
        return build(*given, **more)

    monkeypatch.setattr(models, "read_state", reading)
    monkeypatch.setattr(models.architectures, "build", building)
    plan, _ = planned(work, config(models=[{"factory": "tiny:net", "checkpoint": "net?.pt"}]))
    assert read == ["net0.pt", "net1.pt", "net2.pt"] and len(plan.todo) == 12
    assert built.count("meta") == 1 and len(built) == 2  # its shape, and one whose layers are looked at


def test_weights_of_other_classes_or_another_architecture(work):
    """Classes are read from the checkpoint, whatever the architecture's own number is."""
    from torchvision.models import resnet18

    torch.save(resnet18(num_classes=7).state_dict(), work / "seven.pt")
    torch.save({k: v for k, v in resnet18().state_dict().items() if k != "conv1.weight"}, work / "cut.pt")
    seven = {"torchvision": "resnet18", "checkpoint": "seven.pt"}
    plan, _ = planned(work, config(models=[seven], layers=["layer1"]))
    assert plan.models["seven"].num_classes == 7
    with pytest.raises(InputError, match=r"models\[1\]: .*cut\.pt is a checkpoint of another architecture"):
        planned(work, config(models=[seven, {"torchvision": "resnet18", "checkpoint": "cut.pt"}], layers=["layer1"]))


def test_durations_as_people_read_them():
    said = [duration(seconds) for seconds in (None, 45, 200, 7500, 277_200)]
    assert said == ["?", "45 s", "3 min 20 s", "2 h 05 min", "3 d 5 h"]


@pytest.mark.parametrize("kept", [None, b"", b"PK\x03\x04", "half", "other", b"not a file of numpy"])
def test_reference_photographs_that_cannot_be_read_are_an_error_before_any_work(work, tmp_path, monkeypatch, kept):
    path = tmp_path / "reference.npz"
    if kept == "other":
        np.savez(path, light=np.zeros((1, 8, 8)))
    elif kept is not None:
        path.write_bytes(kept if isinstance(kept, bytes) else metric.REFERENCE.read_bytes()[:100_000])
    monkeypatch.setattr(metric, "REFERENCE", path)
    with pytest.raises(InputError, match="the reference photographs cannot be read: ") as told:
        planned(work, config())
    assert told.value.where == str(path) and "--force-reinstall" in told.value.remedy
    assert not (work / "store" / "arrays.zarr").exists()
