"""What the engine and its workers must know of a device, for each kind in one place: CPU, CUDA, ROCm, XPU, MPS.

ROCm's cards are `cuda` to torch. Tried here: `cpu` alone. The others follow torch's documentation and are untried.
"""

import contextlib
import platform
from collections.abc import Iterator
from typing import NamedTuple

import torch

from distcari.render.passes import out_of_memory

ENOUGH = 0.5  # of its share of a card: if others leave a process less, whatever failed is their fault


class Memory(NamedTuple):
    """A device's memory in bytes: free for this process (what torch holds unused counts), all, and what others hold."""

    free: int
    total: int
    others: int


def accelerator() -> str | None:
    """The kind of accelerator that torch can use in this process: `cuda` (ROCm too), `xpu`, `mps`; None without one."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return None if found is None or found.type not in ("cuda", "xpu", "mps") else found.type


def name(device: str | torch.device) -> str:
    """What people call it: the card's name, `cpu`, Apple's chip."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "xpu":
        return torch.xpu.get_device_name(device)
    return f"{platform.processor() or 'Apple'} GPU" if device.type == "mps" else str(device)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies in bfloat16 by itself, or would only imitate it, slowly.

    True on CPUs with AVX512-BF16 or AMX, on NVIDIA GPUs from Ampere on, on AMD's that torch says it of, on Intel's. On
    Apple's it is left alone. `python benchmarks/levers.py` times both.
    """
    if device.type == "cuda":
        if torch.version.hip:
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "xpu":
        return bool(torch.xpu.is_bf16_supported())
    if device.type != "cpu":
        return False
    return any(getattr(torch.cpu, check, bool)() for check in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))


def multiplies_tf32(device: torch.device) -> bool:
    """Whether it multiplies float32 with 10 bits of mantissa if it is told to: NVIDIA's GPUs from Ampere on."""
    return device.type == "cuda" and not torch.version.hip and torch.cuda.get_device_capability(device) >= (8, 0)


def kind(device: str | torch.device) -> str:
    """What decides which bits a device computes: its type, and whether it multiplies in bfloat16."""
    device = torch.device(device)
    return f"{device.type}, bfloat16" if multiplies_bfloat16(device) else device.type


@contextlib.contextmanager
def float32_as_named(device: torch.device, tf32: bool = False) -> Iterator[None]:
    """Float32 that is float32: torch lets CUDA's convolutions round to TF32 (10 bits) unless it is told not to.

    `tf32`: let them, and matrix products too.
    """
    if device.type != "cuda":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn


def memory(device: str | torch.device) -> Memory | None:
    """A card's memory; None of what has none of its own (a CPU, Apple's chips)."""
    device = torch.device(device)
    if device.type not in ("cuda", "xpu"):
        return None
    free, total = torch.accelerator.get_memory_info(device)
    held, used = torch.accelerator.memory_reserved(device), torch.accelerator.memory_allocated(device)
    return Memory(free + held - used, total, max(0, total - free - held))


def limit(device: str | torch.device, share: float) -> None:
    """Keep this process to a share (0 … 1) of a card's memory, so that those that share it do not starve each other."""
    device = torch.device(device)
    if share >= 1 or device.type not in ("cuda", "xpu"):
        return
    kind = torch.cuda if device.type == "cuda" else torch.xpu
    kind.set_per_process_memory_fraction(share, device.index or 0)


def wait(device: str | torch.device) -> None:
    """Until all that the device was given is done."""
    if torch.device(device).type != "cpu":
        torch.accelerator.synchronize(device)


def let_go(device: str | torch.device) -> None:
    """Give memory back that torch keeps for later."""
    if torch.device(device).type != "cpu":
        torch.accelerator.empty_cache()


def trouble(device: str | torch.device, error: BaseException | None = None, share: float = 1.0) -> str:
    """Why a device, or a share of it, is of no use, after an error or before any work; "" if it works.

    An error of CUDA's sticks: every later call of the process fails. Where memory ran out, the question is whose it is.
    """
    if torch.device(device).type == "cpu":
        return ""
    try:
        if error is None or not out_of_memory(error):
            torch.zeros(1, device=device).add_(1).item()
        room = memory(device)
    except Exception as flaw:
        return f"the device {device} does not work: {type(flaw).__name__}: {str(flaw).splitlines()[0]}"
    asked = error is None or out_of_memory(error)
    if room and asked and room.total - room.others < ENOUGH * min(share, 1) * room.total:
        free, total, others = (n / 2**30 for n in room)
        return f"the card is full: others hold {others:.0f} of {total:.0f} GiB, {free:.1f} are free"
    return ""
