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
'''


@pytest.mark.parametrize(("factory", "layer"), [("zero_weights", "conv2"), ("dead", "relu")])
def test_a_silent_layer_is_a_failure_with_the_reason(work, factory, layer):
    (work / "silent.py").write_text(SILENT)
    run = compute(work, config(models=[{"name": "a", "factory": f"silent:{factory}"}], layers=[layer]))
    assert run.done == 0 and len(run.failures) == 2
    assert all("zero" in row["error"].lower() or "silent" in row["error"].lower() for row in run.failures)
