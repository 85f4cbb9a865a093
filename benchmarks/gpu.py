"""Speed on a GPU, with its name: needs torch, torchvision, numpy and pillow alone.

    PYTHONPATH=. python benchmarks/gpu.py            # on the GPU
    PYTHONPATH=. python benchmarks/gpu.py --tiny     # seconds on a CPU, to see that it runs

ResNet-50 with seeded weights, on noise. Compared with the work that lucent does for a cell: batch of one, the whole
network, weight gradients, float32, 512 steps (1024 at layer4); without lucent's own overhead, which favours it.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50

from distcari.render import Network, caricatures
from distcari.render.memory import AT_ONCE
from distcari.settings import RenderSettings

LAYERS = ("layer2_1_conv2", "layer3_3", "layer4_2")


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall seconds of a piece of work, GPU included."""
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def lucents_work(model: nn.Module, layer: str, side: int, device: torch.device, steps: int) -> None:
    """So many steps of a batch of one through the whole network, with the gradients of its weights."""
    x = torch.rand(1, 3, side, side, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([x], 0.05)
    seen: list[Tensor] = []
    hook = model.get_submodule(layer.replace("_", ".")).register_forward_hook(lambda _m, _i, out: seen.append(out))
    for _ in range(steps):
        seen.clear()
        optimizer.zero_grad()
        model(x)
        (-seen[0].sum()).backward()
        optimizer.step()
    hook.remove()


def peak(device: torch.device, dtype: torch.dtype, n: int) -> float:
    """FLOP/s of a square product in this type."""
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    a @ b
    return 2 * n**3 / min(seconds(lambda: a @ b, device) for _ in range(10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--most", type=int, default=256, help="largest batch")
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    side, size, steps, layers = (64, 64, 2, ("layer2_1_conv2",)) if args.tiny else (224, 224, 64, LAYERS)
    trial = 2 if args.tiny else 64
    torch.manual_seed(0)
    model = (resnet18 if args.tiny else resnet50)().eval().to(device)
    network = Network((resnet18 if args.tiny else resnet50)(), input_size=side, device=device)
    print(f"{name}, torch {torch.__version__}; {'tiny' if args.tiny else 'ResNet-50'}, {steps} steps")
    for dtype in (torch.float32, torch.bfloat16):
        print(f"peak {dtype}: {peak(device, dtype, 256 if args.tiny else 8192) / 1e12:.3g} TFLOP/s")
    for layer in layers:
        lucents_work(model, layer, side, device, 2)
        whole = 1024 if layer.startswith("layer4") else 512
        before = seconds(lambda layer=layer: lucents_work(model, layer, side, device, trial), device) / trial * whole
        print(f"{layer}: lucent's work {before:.2f} s a cell")
        for precision in ("float32", "auto"):
            settings = RenderSettings(size=size, steps=steps, precision=precision)  # type: ignore[arg-type]
            fits = min(args.most, AT_ONCE)
            for n in sorted({1, min(16, fits), fits}):
                images = torch.rand(n, 3, size, size)
                caricatures(network, images, layer, range(n), settings.with_(steps=2))
                own = (
                    seconds(
                        lambda n=n, s=settings, x=images, layer=layer: caricatures(network, x, layer, range(n), s),
                        device,
                    )
                    / n
                )
                print(
                    f"  {network.precision(layer, precision)} batch {n}: {own:.4f} s a cell, "
                    f"{3600 / own:.0f} cells per hour, × {before / own:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
