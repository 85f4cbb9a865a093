"""What a picture may claim: nothing unseen drawn, quality beside version 2, networks against seeds, the function alone.

    python benchmarks/trust.py                                  # all of it: about an hour of one core
    python benchmarks/trust.py unseen separation --set damping=3
    python benchmarks/trust.py quality --images a.png b.png --seeds 1 --sheet sheet.png

unseen      Lite 0 with its colours averaged (colourfulness), behind a blur of sigma 4 (high-frequency share), with the
            right half of its input masked (contrast there over contrast in the left half)
quality     robust gain and cosine, high frequencies and colourfulness beside `compat: v2`, both in the metric in force
separation  mean ΔE2000 between Lite 0 and Lite 1 over mean ΔE2000 between seeds of either
levers      separation and quality's means of Lite 0 with one setting changed at a time, and of version 2, whose gain
            the others' is held against; `--levers` for some of them
function    ΔE2000 between a network and an equal one, 40 channels rescaled by 1/3 … 3, over that between seeds
path        path coherence of other photographs (the images and the shipped ones), and of Lite 0's own pictures

Targets: science.md's and issue F's. EfficientNet-Lite 0 and 1 with their ImageNet weights.
"""

import argparse
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from networks import LAYERS, image_of
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor, nn

from distcari.config.load import load_experiment
from distcari.figures import picture_figures
from distcari.render import Caricature, Network, caricatures
from distcari.settings import RenderSettings
from distcari.sources.models import expand_models, load_model

BLOCKS = LAYERS["lite0"]
HALF = (0.5, 0.5, 0.5)
SIDE = 224


LEVERS: dict[str, dict[str, Any]] = {
    "version 2": {"compat": "v2"},
    "default": {},
    "all frequencies at once": {"coarse": 0.0},
    "coarse to fine over half the steps": {"coarse": 0.5},
    "plain metric": {"metric": "plain"},
    "damping 3": {"damping": 3.0},
    "damping .6": {"damping": 0.6},
    "coarser for longer, less decay": {"coarse": 0.6, "weight_decay": 0.06, "amplify": 2.0},
    "weight decay .06": {"weight_decay": 0.06},
    "weight decay .1": {"weight_decay": 0.1},
    "amplify 2": {"amplify": 2.0},
    "amplify 2.4": {"amplify": 2.4},
    "80 steps": {"steps": 80},
    "views as wide as version 2's": {"rotate": 5.0, "scale": 0.05, "shift": 0.045},
    "views half as wide again": {"rotate": 1.25, "scale": 0.0125, "shift": 0.011},
    "cossim_pow 2": {"cossim_pow": 2.0},
    "cossim_pow 1": {"cossim_pow": 1.0},
}


class Behind(nn.Module):
    """A network that sees its pictures through something."""

    def __init__(self, inner: nn.Module, through: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.through = inner, through

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.through(x))


def lite(name: str = "lite0", change: Callable[[nn.Module], nn.Module] = lambda m: m) -> Network:
    spec = next(m for m in expand_models(load_experiment("configs/demo.yaml")) if m.name == name)
    return Network(change(load_model(spec).eval()), mean=HALF, std=HALF, input_size=spec.input_size)


def colour_blind(model: nn.Module) -> nn.Module:
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        first.weight.copy_(first.weight.mean(1, keepdim=True).expand_as(first.weight))
    return model


def blurred(model: nn.Module) -> nn.Module:
    at = torch.arange(SIDE)
    kernel = torch.exp(-0.5 * ((at[:, None] - at[None]) / 4.0) ** 2)
    kernel = kernel / kernel.sum(1, keepdim=True)
    return Behind(model, lambda x: (kernel @ x.float() @ kernel.T).to(x).contiguous(memory_format=torch.channels_last))


def masked(model: nn.Module) -> nn.Module:
    seen = (torch.arange(SIDE) < SIDE // 2).float()
    return Behind(model, lambda x: x * seen.to(x))


def rescaled(model: nn.Module) -> nn.Module:
    """The 40 channels that blocks 3 and 4 write and blocks 4 and 5 read, scaled by 1/3 … 3: the same function."""
    s = torch.exp((torch.rand(40, generator=torch.Generator().manual_seed(5)) * 2 - 1) * np.log(3))
    blocks: Sequence[nn.Module] = model._modules["_blocks"]  # type: ignore[assignment]
    with torch.no_grad():
        for writer in (blocks[3], blocks[4]):
            writer.get_submodule("_bn2").weight.mul_(s)  # type: ignore[union-attr, operator]
            writer.get_submodule("_bn2").bias.mul_(s)  # type: ignore[union-attr, operator]
        for reader in (blocks[4], blocks[5]):
            reader.get_submodule("_expand_conv").weight.div_(s.view(1, -1, 1, 1))  # type: ignore[union-attr, operator]
    return model


def unseen(images: dict[str, Tensor], seeds: int, s: RenderSettings) -> None:
    networks = {
        ("colourfulness",): (lite(change=colour_blind), ("_blocks_1", *BLOCKS), ""),
        ("high frequencies",): (lite(change=blurred), BLOCKS, "inner."),
        ("contrast ratio", "… 16 px beyond"): (lite(change=masked), BLOCKS, "inner."),
    }
    for figures, (network, layers, prefix) in networks.items():
        for layer in layers:
            made = [
                _cell(network, image, prefix + layer, seed, s) for image in images.values() for seed in range(seeds)
            ]
            for figure in figures:
                found = [_unseen(figure, one) for one in made]
                means = f"mean {np.mean(found):.4f}, most {np.max(found):.4f}"
                print(f"unseen      {figure:<18}{layer:<12}{means}", flush=True)


def _unseen(figure: str, made: Caricature) -> float:
    p = made.picture
    if figure == "colourfulness":
        return picture_figures(p)["colourfulness"]
    if figure == "high frequencies":
        return made.figures["high_frequency_share"]
    half, beyond = p.shape[1] // 2, 16 * (figure != "contrast ratio")
    return float(p[:, half + beyond :].std((0, 1)).mean() / p[:, :half].std((0, 1)).mean())


def robust(network: Network, image: Tensor, layer: str, made: Caricature, s: RenderSettings) -> tuple[float, float]:
    """Robust gain and cosine of a finished picture in the metric in force, whatever it was made in."""
    from distcari.render.measure import measure
    from distcari.render.metric import measured

    forward = measured(network, layer, network.precision(layer, s.precision), s)
    with torch.no_grad():
        found = measure(forward, torch.from_numpy(made.picture).permute(2, 0, 1)[None], forward(image[None]), SIDE)
    return float(found["robust_gain"]), float(found["robust_cosine"])


def quality(images: dict[str, Tensor], seeds: int, s: RenderSettings, sheet: str | None) -> None:
    network, rows, gains, cosines, fine = lite(), [], [], [], []
    print(f"quality     in the metric {s.metric}; version 2 → now")
    for name, image in images.items():
        row = [image.permute(1, 2, 0).numpy()]
        for layer in BLOCKS:
            old = _cell(network, image, layer, 0, s.with_(compat="v2"))
            new = _cell(network, image, layer, 0, s)
            before, after = (robust(network, image, layer, c, s) for c in (old, new))
            gains.append((before[0], after[0]))
            cosines.append((before[1], after[1]))
            fine.append(tuple(picture_figures(c.picture)["high_frequency_share"] for c in (old, new)))
            words = [f"{name} {a:.2f} → {b:.2f}" for name, a, b in zip(("gain", "cosine"), before, after, strict=True)]
            words += [
                f"{short} {a[figure]:.{digits}f} → {b[figure]:.{digits}f}"
                for short, figure, digits in (("hf", "high_frequency_share", 3), ("colour", "colourfulness", 0))
                for a, b in [[picture_figures(c.picture) for c in (old, new)]]
            ]
            print(f"quality     {name:<15}{layer:<12}" + ", ".join(words), flush=True)
            row += [old.picture, new.picture]
        rows.append(np.hstack(row))
    share = [b / a for a, b in gains]
    print(
        f"quality     robust gain {np.mean(share):.1%} of version 2's ({min(share):.0%} to {max(share):.0%}), at least "
        f"93 % in {sum(one >= 0.93 for one in share)} of {len(share)} cells; cosine at least version 2's in "
        f"{sum(b >= a for a, b in cosines)}, means {_means(cosines, 3)}; high frequencies {_means(fine, 4)}"
    )
    if sheet:
        Image.fromarray((np.vstack(rows).clip(0, 1) * 255).round().astype("uint8")).save(sheet)


def _means(pairs: Sequence[tuple[float, ...]], digits: int) -> str:
    return " → ".join(f"{mean:.{digits}f}" for mean in np.mean(pairs, 0))


def separation(images: dict[str, Tensor], seeds: int, s: RenderSettings) -> None:
    networks, ratios = [lite("lite0"), lite("lite1")], []
    for layer in BLOCKS:
        within, between = [], []
        for image in images.values():
            a, b = ([_lab(_cell(n, image, layer, seed, s)) for seed in range(seeds)] for n in networks)
            within += [_apart(*pair) for group in (a, b) for pair in itertools.combinations(group, 2)]
            between += [_apart(x, y) for x in a for y in b]
        ratios.append(np.mean(between) / np.mean(within))
        print(
            f"separation  {layer:<12}seeds {np.mean(within):.1f}, networks {np.mean(between):.1f}, "
            f"separation {ratios[-1]:.3f}",
            flush=True,
        )
    print(f"separation  mean {np.mean(ratios):.3f}, least {min(ratios):.3f}")


def levers(images: dict[str, Tensor], seeds: int, s: RenderSettings, names: Sequence[str] = ()) -> None:
    """What each setting is worth: separation at each layer, beside the means of Lite 0's first seed.

    The gain is also that of the metric in force, as a share of that of the first row.
    """
    networks, first = [lite("lite0"), lite("lite1")], np.zeros(0)
    print(f"levers      {'':<38}separation at {', '.join(BLOCKS)}, mean · robust gain, cosine, hf · share of gain")
    for words in names or LEVERS:
        chosen, ratios, figures = s.with_(**LEVERS[words]), [], []
        for layer in BLOCKS:
            within, between = [], []
            for image in images.values():
                made = [[_cell(n, image, layer, seed, chosen) for seed in range(seeds)] for n in networks]
                gain, cosine = robust(networks[0], image, layer, made[0][0], s)
                figures.append((gain, cosine, made[0][0].figures["high_frequency_share"]))
                a, b = ([_lab(c) for c in group] for group in made)
                within += [_apart(*pair) for group in (a, b) for pair in itertools.combinations(group, 2)]
                between += [_apart(x, y) for x in a for y in b]
            ratios.append(float(np.mean(between) / np.mean(within)))
        means, gains = np.mean(figures, 0), np.array([gain for gain, _, _ in figures])
        first = first if len(first) else gains
        print(
            f"levers      {words:<38}"
            + " ".join(f"{r:.3f}" for r in [*ratios, np.mean(ratios)])
            + f" · {means[0]:.2f} {means[1]:.3f} {means[2]:.3f} · {np.mean(gains / first):.1%}, at least 93 % in "
            f"{np.sum(gains / first >= 0.93)} of {len(gains)}",
            flush=True,
        )


def function(images: dict[str, Tensor], seeds: int, s: RenderSettings) -> None:
    plain, equal = lite(), lite(change=rescaled)
    for precision in ("float32", "bfloat16"):
        chosen, edited, other = s.with_(precision=precision), [], []
        for image in images.values():
            a, b, c = (
                _lab(_cell(n, image, "_blocks_4", seed, chosen)) for n, seed in ((plain, 0), (equal, 0), (plain, 1))
            )
            edited.append(_apart(a, b))
            other.append(_apart(a, c))
        print(
            f"function    {precision}: rescaled channels {np.mean(edited):.2f}, another seed {np.mean(other):.2f}, "
            f"ratio {np.mean(edited) / np.mean(other):.3f}",
            flush=True,
        )


def path(images: dict[str, Tensor], seeds: int, s: RenderSettings) -> None:
    """How high other photographs come on the scale on which the input's random views have 1."""
    from distcari.render.metric import photographs
    from distcari.render.path import path_coherence
    from distcari.yardsticks import OTHER_WAY

    network, every = lite(), []
    others = torch.cat([photographs(SIDE), *(image[None] for image in images.values())])
    for layer in BLOCKS:
        found = []
        for image in images.values():
            same = torch.stack([(image - other).abs().mean() < 0.08 for other in others])  # shipped in another size
            shown = others[~same]
            coherence = path_coherence(network, layer, "float32", shown, image.expand_as(shown))
            found += [] if coherence is None else coherence.tolist()
        own = [_cell(network, i, layer, n, s).figures["path_coherence"] for i in images.values() for n in range(seeds)]
        every += found
        low, middle, high = np.quantile(found, [0.1, 0.5, 0.9])
        print(
            f"path        {layer:<12}others {low:.2f} {middle:.2f} {high:.2f} (10, 50, 90 of 100), own pictures "
            f"{min(own):.2f} at least, {np.mean(own):.2f} on average",
            flush=True,
        )
    share = float(np.mean(np.array(every) < OTHER_WAY))
    print(f"path        {share:.0%} of {len(every)} other photographs lie below {OTHER_WAY}")


def _cell(network: Network, image: Tensor, layer: str, seed: int, s: RenderSettings) -> Caricature:
    return caricatures(network, image[None], layer, [seed], s)[0]


def _lab(made: Caricature) -> NDArray[np.float64]:
    return np.asarray(rgb2lab(made.picture))


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(deltaE_ciede2000(a, b).mean())


PARTS = ("unseen", "quality", "separation", "levers", "function", "path")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=", ".join(PARTS) + "; all if none is named")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a render setting")
    parser.add_argument("--images", nargs="+", default=["chelsea", "coffee", "astronaut"], help="files, or samples")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--levers", nargs="+", default=[], choices=list(LEVERS), metavar="ROW", help="some rows alone")
    parser.add_argument("--sheet", help="write quality's pictures there: input, then version 2 and now, layer by layer")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    torch.set_num_threads(1)
    s = load_experiment("configs/demo.yaml", [f"render.{line}" for line in args.set]).render
    images = {path.rpartition("/")[2].partition(".")[0]: image_of(path) for path in args.images}
    for part in args.parts or PARTS:
        if part == "quality":
            quality(images, args.seeds, s, args.sheet)
        elif part == "levers":
            levers(images, args.seeds, s, args.levers)
        else:
            others = {"unseen": unseen, "separation": separation, "function": function, "path": path}
            others[part](images, args.seeds, s)


if __name__ == "__main__":
    main()
