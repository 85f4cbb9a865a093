"""A network small enough for tests, and ones that misbehave."""

import os
import time
from pathlib import Path

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.bn2 = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        return self.head(x.mean((2, 3)))


def net(width=8):
    model = Net(width)
    with torch.no_grad():
        for bn in (model.bn1, model.bn2):
            bn.running_mean.uniform_(-0.1, 0.1)
            bn.running_var.uniform_(0.5, 1.5)
    return model


class Poisoned(Net):
    """Raises whenever a very dark picture is in its batch."""

    def forward(self, x):
        if torch.is_grad_enabled() is False and (x.mean((1, 2, 3)) < -1.9).any():
            raise RuntimeError("poisoned picture")
        return super().forward(x)


def poisoned():
    return Poisoned().eval()


def not_a_network():
    return 42


def killer_once(killed="killed"):
    """A network that kills its process at the first rendering; not again once there is the file that it leaves."""
    model = Killer()
    model.killed = Path(killed)
    return model


class Killer(Net):
    def forward(self, x):
        if torch.is_grad_enabled() and x.any() and not x.is_leaf and not self.killed.exists():
            self.killed.touch()
            os.kill(os.getpid(), 9)
        return super().forward(x)


def deadly():
    """A network that kills its process whenever it sees the dark picture with gradients on: a cell that never ends."""
    return Deadly().eval()


class Deadly(Net):
    def forward(self, x):
        if not torch.is_grad_enabled() and (x.mean((1, 2, 3)) < -1.9).any():
            os.kill(os.getpid(), 9)
        return super().forward(x)


def slow(seconds=0.05, hold="hold"):
    """A network of which every pass takes a while, and waits while there is a file `hold`: a run of it can be caught in
    the middle."""
    model = Slow()
    model.seconds, model.hold = seconds, hold
    return model.eval()


class Slow(Net):
    def forward(self, x):
        if torch.is_grad_enabled() and x.any() and not x.is_leaf:  # not where planning probes it
            time.sleep(self.seconds)
            while Path(self.hold).exists():
                time.sleep(0.02)
        return super().forward(x)


def not_on_workers():
    """A network that can be made anywhere but in a Ray worker."""
    import ray

    if ray.is_initialized():
        raise RuntimeError("this node lacks the library")
    return Net().eval()
