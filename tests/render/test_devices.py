"""What is known of devices, as far as a machine without one can tell."""

import pytest
import torch

from distcari.render import devices


def test_a_processor_needs_nothing():
    cpu = torch.device("cpu")
    assert devices.name(cpu) == "cpu" and devices.memory(cpu) is None and devices.trouble(cpu) == ""
    devices.limit(cpu, 0.25)
    devices.wait(cpu)
    devices.let_go(cpu)
    assert devices.kind(cpu) == ("cpu, bfloat16" if devices.multiplies_bfloat16(cpu) else "cpu")


def test_float32_is_not_tf32_while_a_card_renders_and_the_users_choice_comes_back():
    chosen = torch.backends.cudnn.allow_tf32
    with pytest.raises(KeyError), devices.float32_as_named(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
        raise KeyError
    assert torch.backends.cudnn.allow_tf32 == chosen


GIB = 2**30


@pytest.mark.parametrize(
    ("room", "error", "share", "says"),
    [
        (devices.Memory(70 * GIB, 80 * GIB, 0), None, 1, ""),
        (
            devices.Memory(5 * GIB, 80 * GIB, 70 * GIB),
            None,
            1,
            "the card is full: others hold 70 of 80 GiB, 5.0 are free",
        ),
        (devices.Memory(20 * GIB, 80 * GIB, 60 * GIB), None, 0.25, ""),  # three fellows with their shares
        (devices.Memory(5 * GIB, 80 * GIB, 75 * GIB), None, 0.25, "the card is full"),
        (
            devices.Memory(5 * GIB, 80 * GIB, 70 * GIB),
            torch.OutOfMemoryError("CUDA out of memory"),
            1,
            "the card is full",
        ),
        (devices.Memory(5 * GIB, 80 * GIB, 0), torch.OutOfMemoryError("CUDA out of memory"), 1, ""),  # the cell's size
        (devices.Memory(5 * GIB, 80 * GIB, 70 * GIB), ValueError("a cell's own"), 1, ""),
    ],
)
def test_a_full_card_is_told_from_a_cell_that_is_too_large(monkeypatch, room, error, share, says):
    """On torch's `meta` device, which takes every operation but the look at a value."""
    monkeypatch.setattr(devices, "memory", lambda _: room)
    monkeypatch.setattr(torch.Tensor, "item", lambda _: 1)
    found = devices.trouble("meta", error, share)
    assert found.startswith(says) and bool(found) == bool(says)


def test_a_device_that_answers_no_more_is_found_out():
    """`meta` has no values: it fails as a card does after an error."""
    assert devices.trouble("meta").startswith("the device meta does not work: ")
