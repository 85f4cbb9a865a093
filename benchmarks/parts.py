"""Three parts of a step that torch does slowly on a CPU, as torch does them and as distcari does, to the same bits.

    python benchmarks/parts.py          # seconds

Median processor milliseconds of one thread, in turn.
"""

import torch
from networks import in_turn, machine
from torch.nn import functional as F

from distcari.render.augment import _grid
from distcari.render.clipping import clipped
from distcari.render.measure import robust_views
from distcari.render.parametrization import frequency_scale

SIDE = 224


def main() -> None:
    torch.set_num_threads(1)
    print(machine())
    draw = torch.Generator().manual_seed(0)
    view = robust_views()[:1].contiguous()
    wide = torch.randn(1, 96, 112, 112, generator=draw).bfloat16().contiguous(memory_format=torch.channels_last)
    spectra, scale = torch.randn(1, 3, SIDE, SIDE // 2 + 1, 2, generator=draw), frequency_scale(SIDE)
    single = scale[..., :1].contiguous()
    parts = {
        "where a view looks": (
            lambda: F.affine_grid(view, [1, 3, SIDE, SIDE], align_corners=False),
            lambda: _grid(view, SIDE),
        ),
        "ReLU6 in bfloat16, 96 x 112 x 112": (lambda: F.relu6(wide), lambda: clipped(wide)),
        "spectra times a scale": (lambda: spectra * single, lambda: spectra * scale),
    }
    for words, (torchs, ours) in parts.items():
        seconds = in_turn({"torch": torchs, "ours": ours}, 50)
        same = torch.equal(torchs(), ours())
        print(f"{words:<36}{1e3 * seconds['torch']:.2f} ms, ours {1e3 * seconds['ours']:.2f}, same bits: {same}")


if __name__ == "__main__":
    main()
