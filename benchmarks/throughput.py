"""distcari by its defaults against torch-lucent 0.1.8 as the predecessor called it, at equal terms.

    pip install -e '.[bench]'
    python benchmarks/throughput.py [--quick] [--threads 1] [IMAGE …]      # default image: scikit-image's chelsea
    python benchmarks/throughput.py --set learning_rate=0.17               # other settings of ours, lucent's the same

Same process, threads, models, images and layers, in turn. Seconds are processor seconds of one cell with everything
that belongs to it (target, steps, 34 measurements of the finished picture; of lucent only its own `render_vis`). With
one thread that is a cell's time on an idle core, whatever else the machine does; two cores carry two such cells.
lucent: 128 × 128, 512 steps, at ResNet's layer4 1024, ImageNet normalisation. Its quality is measured in its own frame
(grey border of 12, best of four shifts), which favours it; ours over the input, by the network in float32.
--quick times lucent over a few steps, multiplies, and measures no quality of lucent's.
"""

import argparse
import copy
import time
import warnings

import numpy as np
import torch
import yaml
from networks import IMAGENET, LAYERS, cpu_seconds, geometric_mean, image_of, machine, model_of, network_of
from torch import Tensor, nn
from torch.nn import functional as F

from distcari.figures import high_frequency_share
from distcari.render import Network, caricatures
from distcari.render.measure import measure
from distcari.settings import RenderSettings

warnings.filterwarnings("ignore")
SHIFTS, PAD = (0, 3, 5, 8), 12


def lucent_steps(layer: str) -> int:
    return 1024 if layer.startswith("layer4") else 512


def lucent(model: nn.Module, target: Tensor, layer: str, steps: int) -> tuple[np.ndarray, float]:
    """A picture (128, 128, 3) by lucent's own render_vis, and the processor seconds it took."""
    from lucent.optvis import render

    np.random.seed(0)
    torch.manual_seed(0)
    used = copy.deepcopy(model)  # its hooks are never removed

    def objective(hook) -> Tensor:  # type: ignore[no-untyped-def]
        z = hook(layer)
        dot = (z * target).sum()
        return -dot * (dot / z.norm()) ** 0

    made: list[np.ndarray] = []
    seconds = cpu_seconds(
        lambda: made.extend(render.render_vis(used, objective, thresholds=(steps,), show_image=False, progress=False))
    )
    return made[0][0], seconds


def in_its_frame(network: Network, picture: np.ndarray, image: Tensor, layer: str) -> tuple[float, float, float]:
    """(robust gain, robust cosine, high-frequency share) of lucent's picture as lucent's network saw it."""
    forward, target = _lucents(network, image, layer)
    framed = F.pad(torch.from_numpy(picture).permute(2, 0, 1)[None], [PAD] * 4, value=0.5)
    best = max(
        (measure(forward, F.pad(framed, [s, -s, s, -s]), target, 224) for s in SHIFTS),
        key=lambda m: float(m["robust_gain"]),
    )
    return float(best["robust_gain"]), float(best["robust_cosine"]), high_frequency_share(picture)


def _lucents(network: Network, image: Tensor, layer: str):  # type: ignore[no-untyped-def]
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in IMAGENET)
    plain = network.activations(layer, normalize=False)

    def forward(x: Tensor) -> Tensor:
        return plain((x - mean) / std)

    with torch.no_grad():
        return forward, forward(image[None])


def ours(
    network: Network, image: Tensor, layer: str, settings: RenderSettings
) -> tuple[tuple[float, float, float], float]:
    """Our quality and the processor seconds of a cell."""
    cells = []
    seconds = cpu_seconds(lambda: cells.extend(caricatures(network, image[None], layer, [0], settings)))
    exact, picture = network.activations(layer), cells[0].picture
    with torch.no_grad():
        m = measure(exact, torch.from_numpy(picture).permute(2, 0, 1)[None], exact(image[None]), 224)
    return (float(m["robust_gain"]), float(m["robust_cosine"]), high_frequency_share(picture)), seconds


def compare(
    name: str, image: Tensor, layer: str, quick: bool, settings: RenderSettings
) -> dict[str, tuple[float, bool]]:
    """Print one line; (ratio of cells per hour, whether it counts) for each precision."""
    network, model = network_of(name), model_of(name)
    _, target = _lucents(network, image, layer)
    steps, precisions = lucent_steps(layer), ("auto", "float32")
    ask = {p: settings.with_(precision=p) for p in precisions}
    for p in precisions:  # weights are packed once for a model
        caricatures(network, image[None], layer, [0], ask[p].with_(steps=1))
    taken: dict[str, list[float]] = {p: [] for p in ("lucent", *precisions)}
    quality: dict[str, tuple[float, float, float]] = {}
    if quick:
        lucent(model, target, layer, 2)
        for _ in range(2):
            taken["lucent"].append(lucent(model, target, layer, 8)[1] / 8 * steps)
            for p in precisions:
                quality[p], seconds = ours(network, image, layer, ask[p])
                taken[p].append(seconds)
    else:
        for part in range(2):  # half of ours before, half behind
            for p in precisions:
                quality[p], seconds = ours(network, image, layer, ask[p])
                taken[p].append(seconds)
            if part == 0:
                picture, seconds = lucent(model, target, layer, steps)
                taken["lucent"].append(seconds)
                quality["lucent"] = in_its_frame(network, picture, image, layer)
    results = {}
    cells = [f"{min(taken['lucent']):7.1f} s " + (_told(quality["lucent"]) if not quick else " " * 18)]
    for p in precisions:
        ratio = min(taken["lucent"]) / min(taken[p])
        good = quick or _as_good(quality[p], quality["lucent"])
        results[p] = ratio, good
        cells.append(f"{min(taken[p]):6.2f} s {_told(quality[p])} × {ratio:5.1f}{'' if good else ' (quality!)'}")
    used = network.precision(layer, "auto")
    print(f"{name:<9} {layer:<15} {steps:5} | " + " | ".join(cells) + f" | auto = {used}", flush=True)
    return results


def _as_good(own: tuple[float, float, float], theirs: tuple[float, float, float]) -> bool:
    return own[0] >= theirs[0] and own[1] >= theirs[1] and own[2] <= theirs[2]


def _told(quality: tuple[float, float, float]) -> str:
    return f"{quality[0]:.2f} {quality[1]:.2f} hf {quality[2]:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", nargs="*", default=["chelsea"])
    parser.add_argument("--quick", action="store_true", help="fits in ten minutes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=list(LAYERS), choices=list(LAYERS))
    parser.add_argument("--layers", nargs="+", default=[], help="some of the models' layers alone")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a render setting of ours")
    args = parser.parse_args()
    changes = {name: yaml.safe_load(value) for name, _, value in (line.partition("=") for line in args.set)}
    settings = RenderSettings().with_(**changes)
    torch.set_num_threads(args.threads)
    start = time.perf_counter()
    print(f"{machine()}; {args.threads} thread(s); resnet50 has seeded weights, whose pictures are no judge of quality")
    print(f"ours: {changes or 'the defaults'}")
    print("model     layer     lucent steps | lucent: s, robust gain, cosine, hf | distcari auto | distcari float32")
    found: dict[str, list[tuple[float, bool]]] = {"auto": [], "float32": []}
    for image in args.images:
        print(f"image {image}")
        for name in args.models:
            for layer in args.layers or LAYERS[name]:
                for p, result in compare(name, image_of(image), layer, args.quick, settings).items():
                    found[p].append(result)
    for p, results in found.items():
        ratios = [ratio for ratio, _ in results]
        print(
            f"{p}: cells per hour × {geometric_mean(ratios):.1f} (geometric mean), least × {min(ratios):.1f}, "
            f"quality at least lucent's in {sum(good for _, good in results)} of {len(results)}"
            + (" (not measured: --quick)" if args.quick else "")
        )
    print(f"{time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
