"""This machine as a Ray started on it would see it, without Ray."""

import os

import torch

from distcari.planning.placement import Node
from distcari.render import devices


def this_machine() -> Node:
    """Its cores, and the cards that torch can use (NVIDIA's, AMD's, Intel's; Apple's only where asked for)."""
    kind = devices.accelerator()
    cores = float(os.cpu_count() or 1)
    if kind in (None, "mps"):
        return Node({"CPU": cores})
    assert kind is not None
    name = devices.name(kind).removeprefix("NVIDIA ").removeprefix("AMD ")
    return Node({"CPU": cores, "GPU": float(torch.accelerator.device_count()), f"accelerator_type:{name}": 1.0})
