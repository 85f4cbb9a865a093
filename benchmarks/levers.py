"""What each lever of speed is worth, one after another: processor seconds of a step, and pictures by steps.

    python benchmarks/levers.py [--compile] [IMAGE …]      # default image: scikit-image's chelsea; about ten minutes

The first table times one pass through the network, forward and back, with one thread; all levers in turn, medians.
The second renders EfficientNet-Lite0 by other optimisers, schedules, resolutions and measures the pictures in float32.
"""

import argparse
import copy
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence

import torch
from networks import LAYERS, cpu_seconds, image_of, in_turn, machine, model_of, network_of
from torch import Tensor, nn

from distcari.render import Network, caricatures
from distcari.render.adam import Adam, Nadam
from distcari.render.augment import random_views, see
from distcari.render.convolution import FrozenConvolutions
from distcari.render.folding import fold
from distcari.render.measure import high_frequency_share, measure
from distcari.render.network import cast
from distcari.render.objective import flat, gain_and_cosine, objective
from distcari.render.parametrization import colour_basis, frequency_scale, generators, pictures, starts
from distcari.render.passes import noise, run_to
from distcari.settings import RenderSettings

warnings.filterwarnings("ignore")


def passes(name: str, layer: str, compiled: bool) -> dict[str, Callable[[], object]]:
    """One pass forward and back with ever more levers; the last ones are alternatives to those before."""
    plain, info = model_of(name), network_of(name).layer(layer)
    frozen = copy.deepcopy(plain).requires_grad_(False)
    folded = fold(copy.deepcopy(frozen), noise(224)).model.to(memory_format=torch.contiguous_format)
    last = copy.deepcopy(folded).to(memory_format=torch.channels_last)
    half = cast(last, torch.bfloat16)
    seen: list[Tensor] = []
    plain.get_submodule(info.path).register_forward_hook(lambda _m, _i, out: seen.append(out))

    def whole() -> None:
        seen.clear()
        plain(torch.rand(1, 3, 224, 224, requires_grad=True))
        seen[-1].square().sum().backward()

    def cut(
        model: nn.Module,
        *,
        last: bool = True,
        dtype: torch.dtype = torch.float32,
        n: int = 1,
        side: int = 224,
        mode: FrozenConvolutions | None = None,
    ) -> Callable[[], None]:
        form = torch.channels_last if last else torch.contiguous_format

        def work() -> None:
            x = torch.rand(n, 3, side, side, requires_grad=True)
            z = x.to(dtype).contiguous(memory_format=form)
            if mode is None:
                out = run_to(model, model.get_submodule(info.path), info.calls, z)
            else:
                with mode:
                    out = run_to(model, model.get_submodule(info.path), info.calls, z)
            out.float().square().sum().backward()

        return work

    bf16 = torch.bfloat16
    works = {
        "as lucent: whole network, weight gradients": whole,
        "stops at the layer": cut(copy.deepcopy(plain), last=False),
        "no weight gradients": cut(frozen, last=False),
        "batch norms folded": cut(folded, last=False),
        "channels last": cut(last),
        "packed convolutions (float32 default)": cut(last, mode=FrozenConvolutions()),
        "bfloat16 without packed convolutions": cut(half, dtype=bf16),
        "bfloat16 with them (default)": cut(half, dtype=bf16, mode=FrozenConvolutions()),
        "… four cells in a batch, a cell": cut(half, dtype=bf16, n=4, mode=FrozenConvolutions()),
        "… seen at 160 pixels": cut(half, dtype=bf16, side=160, mode=FrozenConvolutions()),
    }
    if compiled:
        for label, model, dtype in (("float32", last, torch.float32), ("bfloat16", half, bf16)):
            works[f"torch.compile, {label}"] = compile_to(model, info.path, dtype)
    return works


def threads() -> None:
    """Wall milliseconds of a step by the defaults with one thread and with two, in turn."""
    image, settings = image_of("chelsea"), RenderSettings(steps=8)
    for name, layers in LAYERS.items():
        network = network_of(name)
        for layer in layers:
            took: dict[int, list[float]] = {1: [], 2: []}
            for n in (1, 2, 1, 2, 1, 2):
                torch.set_num_threads(n)
                ends: list[float] = []
                caricatures(
                    network,
                    image[None],
                    layer,
                    [0],
                    settings,
                    on_step=lambda _, ends=ends: ends.append(time.perf_counter()),
                )  # type: ignore[misc]
                took[n] += [b - a for a, b in itertools.pairwise(ends)]
            one, two = (statistics.median(took[n]) * 1e3 for n in (1, 2))
            print(
                f"{name} {layer}: a step {one:.1f} ms of wall time with one thread, {two:.1f} with two "
                f"(longest {max(took[1]) * 1e3:.0f}, {max(took[2]) * 1e3:.0f})",
                flush=True,
            )
    torch.set_num_threads(1)


def compile_to(model: nn.Module, path: str, dtype: torch.dtype) -> Callable[[], None]:
    """The same pass by torch.compile, which cannot stop by an exception: the network is cut by its graph."""
    from torchvision.models.feature_extraction import create_feature_extractor

    fast = torch.compile(create_feature_extractor(model, {path: "out"}))

    def work() -> None:
        x = torch.rand(1, 3, 224, 224, requires_grad=True)
        z = x.to(dtype).contiguous(memory_format=torch.channels_last)
        fast(z)["out"].float().square().sum().backward()

    print(f"    compiling took {cpu_seconds(work):.0f} s")
    return work


def other(
    network: Network,
    image: Tensor,
    layer: str,
    *,
    steps: int,
    rate: float = 0.1,
    optimiser: type = Nadam,
    betas: Sequence[float] = (),
    half_cosine: bool = False,
    decay: float = 1.1,
    sides: tuple[int, int] = (224, 224),
) -> Tensor:
    """A picture by other means: optimiser, schedule, decay of the spectrum, or a lower resolution in the first half."""
    forward = network.activations(layer, precision="auto")
    draws = generators([0])
    spectra = starts(draws, 224).requires_grad_(True)
    views, scale = random_views(draws, steps, 5, 0.05, 0.045), frequency_scale(224, decay)
    with torch.no_grad():
        targets = [flat(forward(see(image[None], None, side))) for side in sides]
    optimizer, warm = optimiser(spectra, *betas), max(1, round(0.05 * steps))
    for step in range(steps):
        late = int(2 * step >= steps)
        seen = see(pictures(spectra, scale, 224, colour_basis()), views[step], sides[late])
        gain, cosine = gain_and_cosine(flat(forward(seen)), targets[late])
        done = (step - warm) / max(1, steps - warm)
        down = (1 + math.cos(math.pi * done)) / 2 if half_cosine else math.cos(math.pi / 2 * done)
        share = (step + 1) / warm if done < 0 else down
        optimizer.minimise(-objective(gain, cosine, 1.0).sum(), rate * share)
    with torch.no_grad():
        return pictures(spectra, scale, 224, colour_basis())


RECIPES: dict[str, dict[str, object]] = {
    "Adam .9 .999, half a cosine, decay 1, 128 steps (before)": {
        "steps": 128,
        "optimiser": Adam,
        "half_cosine": True,
        "decay": 1.0,
    },
    "the same, 64 steps": {"steps": 64, "optimiser": Adam, "half_cosine": True, "decay": 1.0},
    "… a quarter of a cosine": {"steps": 64, "optimiser": Adam, "decay": 1.0},
    "… Nadam .9 .99": {"steps": 64, "betas": (0.9, 0.99), "decay": 1.0},
    "… Nadam .7 .99": {"steps": 64, "decay": 1.0},
    "… decay 1.1 (default)": {"steps": 64},
    "… 48 steps": {"steps": 48},
    "… 32 steps at rate .15": {"steps": 32, "rate": 0.15},
    "default, first half seen at 160 pixels": {"steps": 64, "sides": (160, 224)},
    "default, first half seen at 112 pixels": {"steps": 64, "sides": (112, 224)},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", default=["chelsea"])
    parser.add_argument("--compile", action="store_true", help="torch.compile as well (needs a C++ compiler)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--layers", nargs="+", default=["_blocks_10", "layer3_3"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    for name, layers in LAYERS.items():
        for layer in (x for x in layers if x in args.layers):
            print(f"{name} {layer}: milliseconds of a pass of one cell, gain over the first line")
            seconds = in_turn(passes(name, layer, args.compile), args.rounds)
            first = next(iter(seconds.values()))
            for lever, took in seconds.items():
                each = took / 4 if "four" in lever else took
                print(f"    {lever:<46} {each * 1e3:7.1f}  × {first / each:5.2f}", flush=True)
    threads()
    network = network_of("lite0")
    for path in args.images:
        image = image_of(path)
        print(f"{path}: robust gain, robust cosine, high-frequency share, contrast at {', '.join(LAYERS['lite0'])}")
        for recipe, options in RECIPES.items():
            cells = []
            for layer in LAYERS["lite0"]:
                made, exact = other(network, image, layer, **options), network.activations(layer)  # type: ignore[arg-type]
                with torch.no_grad():
                    m = measure(exact, made, exact(image[None]), 224)
                shown = made[0].permute(1, 2, 0).numpy()
                cells.append(
                    f"{float(m['robust_gain']):.2f} {float(m['robust_cosine']):.2f} "
                    f"hf {high_frequency_share(shown):.3f} c {shown.std():.2f}"
                )
            print(f"    {recipe:<58} " + " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
