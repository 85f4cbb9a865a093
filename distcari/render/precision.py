"""Whether a device multiplies in bfloat16 by itself, or would only imitate it, slowly.

The processor is asked, not timed: a trial under load may answer otherwise for one worker than for the next, and the
same key must give the same picture on the same kind of device. `python benchmarks/levers.py` times both.
"""

import torch


def native(device: torch.device) -> bool:
    """True on CPUs with AVX512-BF16 or AMX, and on NVIDIA GPUs from Ampere on."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    return any(
        getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
