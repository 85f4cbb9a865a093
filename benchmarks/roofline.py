"""How near a step comes to the machine's own matrix products, and where the rest of its time goes.

    python benchmarks/roofline.py [--precision auto|float32]        # one thread, a minute or two

A step's useful work is its network's multiplications and additions up to the layer, once forward and once for the
gradient of the input; the peak is the best of square products in the same type, timed between the steps. Processor
seconds, so that other programs count little. What is no product (resampling, Fourier transform, activations, padding,
optimiser) counts as time without work.
"""

import argparse
import itertools
import statistics
import time
from collections import Counter

import torch
from networks import LAYERS, image_of, machine, network_of
from torch.profiler import ProfilerActivity, profile

from distcari.render import Network, caricatures
from distcari.render.flops import FlopCounter
from distcari.settings import RenderSettings

STEPS = 12
KINDS = {
    "products": ("convolution", "mm", "linear"),
    "activations": ("clamp", "hardtanh", "threshold", "relu"),
    "copies, padding": ("copy", "fill", "pad", "cat", "shuffle", "contiguous", "_ApplyBackward", "_Apply"),
    "resampling": ("grid_sampl", "bmm", "affine"),
    "Fourier transform": ("fft",),
    "pooling": ("pool",),
}


def peak(dtype: torch.dtype) -> float:
    """Best FLOP/s of a square product."""
    best = 0.0
    for n in (512, 1024):
        a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
        a @ b
        for _ in range(4):
            start = time.process_time()
            a @ b
            best = max(best, 2 * n**3 / (time.process_time() - start))
    return best


def work(network: Network, layer: str) -> float:
    """FLOP of a step: the pass to the layer, and the same for the input's gradient."""
    plain, x = Network(network.model, fold=False), torch.zeros(1, 3, network.input_size, network.input_size)
    plain._convolutions = None  # the counter knows torch's own
    forward = plain.activations(layer)
    with torch.no_grad(), FlopCounter() as counter:
        forward(x)
    return 2.0 * counter.total


def step_seconds(network: Network, layer: str, settings: RenderSettings, image: torch.Tensor) -> float:
    """Median processor seconds of a step."""
    ends: list[float] = []
    caricatures(network, image[None], layer, [0], settings, on_step=lambda _: ends.append(time.process_time()))
    return statistics.median(b - a for a, b in itertools.pairwise(ends))


def shares(network: Network, layer: str, settings: RenderSettings, image: torch.Tensor) -> str:
    """Share of the operators' time by kind, from torch's profiler, measurement of the picture included."""
    with profile(activities=[ProfilerActivity.CPU]) as told:
        caricatures(network, image[None], layer, [0], settings)
    spent: Counter[str] = Counter()
    for entry in told.key_averages():
        kind = next((k for k, words in KINDS.items() if any(w in entry.key for w in words)), "the rest")
        spent[kind] += entry.self_cpu_time_total
    return ", ".join(f"{kind} {time / spent.total():.0%}" for kind, time in spent.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings, image = RenderSettings(steps=STEPS, precision=args.precision), image_of("chelsea")
    print(f"{machine()}; one thread")
    for name, layers in LAYERS.items():
        network = network_of(name)
        for layer in layers:
            dtype = getattr(torch, network.precision(layer, args.precision))
            caricatures(network, image[None], layer, [0], settings.with_(steps=2))
            top, took = [], []
            for _ in range(4):
                top.append(peak(dtype))
                took.append(step_seconds(network, layer, settings, image))
            flop, best, step = work(network, layer), max(top), min(took)
            print(
                f"{name} {layer}: {flop / 1e9:.1f} GFLOP in {step * 1e3:.1f} ms = {flop / step / 1e9:.0f} GFLOP/s, "
                f"{flop / step / best:.0%} of {best / 1e9:.0f} ({str(dtype)[6:]})\n    "
                + shares(network, layer, settings, image),
                flush=True,
            )


if __name__ == "__main__":
    main()
