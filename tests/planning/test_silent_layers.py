"""A layer that is silent about the image (all zero) gives no cell, but a failure with the reason."""

import pytest
from support.serial import compute
from support.shared import config

SILENT = '''
import torch
from torch import nn

from support.tiny import Net


def zero_weights():
    model = Net()
    nn.init.zeros_(model.conv2.weight)
    nn.init.zeros_(model.conv2.bias)
    return model


class Dead(Net):
    """Its first layer's output is below zero everywhere, and a ReLU behind it is never on."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.head(self.relu(self.conv1(x) - 1e6).mean((2, 3)))


def dead():
    return Dead()


class Threshold(Net):
    """Answers to strong contrasts alone: a start that is nearly grey gives no gradient."""

    def forward(self, x):
        return super().forward(torch.relu(x - 0.2) - torch.relu(-x - 0.2))


def threshold():
    return Threshold()
'''


@pytest.mark.parametrize(("factory", "layer"), [("zero_weights", "conv2"), ("dead", "relu")])
def test_a_silent_layer_is_a_failure_with_the_reason(work, factory, layer):
    (work / "silent.py").write_text(SILENT)
    run = compute(work, config(models=[{"name": "a", "factory": f"silent:{factory}"}], layers=[layer]))
    assert run.done == 0 and len(run.failures) == 2 and run.store.table().empty
    assert not list((work / "store/arrays.zarr/small/caricature").glob("c.*"))
    assert all("zero" in row["error"].lower() or "silent" in row["error"].lower() for row in run.failures)


def test_a_cell_that_was_woken_says_so_in_the_index(work):
    (work / "silent.py").write_text(SILENT)
    models = [{"name": "a", "factory": "silent:threshold", "normalization": "half"}, config()["models"][1]]
    run = compute(work, config(models=models, layers=["conv2"], render={"size": 32, "steps": 16}))
    woken = run.store.table().groupby("model")["woken"]
    assert not run.failures and woken.min()["a"] > 0 == woken.max()["b"]
