"""distcari beside lucent, Horama's MACO, faccent and plenoptic's metamers, at equal seconds, by one set of figures.

    python benchmarks/rivals.py                                    # about 20 minutes of one core
    python benchmarks/rivals.py --tools distcari lucent --images chelsea coffee --sheet rivals.jpg
    python benchmarks/rivals.py --network half-resnet --layers layer2_3      # a trained ResNet-50 of half width
    python benchmarks/rivals.py --defaults --images chelsea        # each at its own number of steps, or an estimate

Equal seconds: each tool gets the processor time, of one thread, that distcari's default takes for that network and
layer; its number of steps is what fits in, by a timed start. All draw the same thing: what Lite 0, Lite 1 and a
colour-blind Lite 0 see of an image at a block. To be fair, all get the network cut off behind that block (only distcari
does so by itself) with its own normalisation. Else they run at their defaults, but for what a picture of the whole
input needs:

lucent      param.image(128), its standard transforms, Adam; objective: the caricature of tensorflow/lucid #121
horama      MACO at 224 pixels, crops of 90 to 95 % (by default 1,280 pixels and 20 to 25 %, for textures), its
            dot_cossim; its spectrum of ImageNet is downloaded, so here it is that of distcari's reference photographs
faccent     feature accentuation from the input, fourier, 4 transforms (by default 16); the formula of
            its dot_cossim_compare, which itself ends with an error on torch 2 (a view of what is not contiguous)
plenoptic   Metamer from noise, mean squared error of the activations

Gain and cosine are robust ones (32 fixed views) in *plain* activations, which the rivals optimise and
distcari does not.
"""

import argparse
import contextlib
import copy
import io
import itertools
import os
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from networks import cpu_seconds, image_of, machine
from numpy.typing import NDArray
from open_nsfw import MEAN, STD, Front, half_resnet
from PIL import Image, ImageDraw
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor, nn
from torch.nn import functional as F
from trust import colour_blind, lite

from distcari.analysis.judge import Judge, _layers, _published
from distcari.figures import high_frequency_share, picture_figures
from distcari.render import Network, caricatures
from distcari.render.measure import measure
from distcari.render.metric import measured, reference_images
from distcari.render.path import path_coherence
from distcari.settings import RenderSettings

Picture = NDArray[np.float32]  # (y, x, 3) in [0, 1]
Draw = Callable[["Cut", Tensor, int, int], Picture]  # network, image (3, 224, 224), seed, steps
SIDE = 224


class Cut(nn.Module):
    """A network up to a block, for pictures in -1 … 1; the block's output is also that of the module `aim`."""

    def __init__(self, network: Network, layer: str) -> None:
        super().__init__()
        inner: Any = copy.deepcopy(network.model)
        if layer.startswith("_blocks_"):
            blocks = list(inner._blocks)[: int(layer.rpartition("_")[2]) + 1]
            self.front: nn.Module = nn.Sequential(inner._conv_stem, inner._bn0, inner._swish, *blocks)
        else:
            self.front = Front(inner, layer)
        self.aim = nn.Identity()
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.aim(self.front(x))  # type: ignore[no-any-return]


class FromPictures(nn.Module):
    """The same for pictures in 0 … 1."""

    def __init__(self, cut: Cut) -> None:
        super().__init__()
        self.cut = copy.deepcopy(cut)  # rivals leave hooks behind

    def forward(self, x: Tensor) -> Tensor:
        return self.cut(2 * x - 1)  # type: ignore[no-any-return]


def by_lucent(cut: Cut, image: Tensor, seed: int, steps: int) -> Picture:
    from lucent.optvis import objectives, render

    target = cut(2 * image[None] - 1)

    @objectives.wrap_objective()
    def caricature() -> Any:
        def inner(layer: Any) -> Tensor:
            z = layer("cut_aim")
            cosine = F.cosine_similarity(z.flatten(1), target.flatten(1))
            return -((z * target).sum() * cosine.clamp_min(0.1)).mean()

        return inner

    torch.manual_seed(seed)
    np.random.seed(seed)
    model = FromPictures(cut)
    made = render.render_vis(
        model, caricature(), thresholds=(steps,), preprocess=False, progress=False, show_image=False
    )
    return np.asarray(made[-1][0], np.float32)


def by_horama(cut: Cut, image: Tensor, seed: int, steps: int) -> Picture:
    from horama import maco
    from horama.losses import dot_cossim

    target = cut(2 * image[None] - 1)
    torch.manual_seed(seed)
    made, _ = maco(
        lambda shown: dot_cossim(cut(shown), target).mean(),
        total_steps=steps,
        image_size=SIDE,
        values_range=(-1, 1),
        noise=0.02,
        box_size=(0.90, 0.95),
        device="cpu",
    )
    return np.asarray((made.detach() + 1).permute(1, 2, 0) / 2, np.float32)


def spectrum(path: Path) -> None:
    """What Horama would download: the mean magnitude of decorrelated photographs, (3, 224, 113)."""
    from horama.common import get_color_correlation_svd_sqrt

    photos = reference_images(SIDE).permute(0, 2, 3, 1)
    logit = torch.logit(photos.clamp(0.02, 0.98))
    plain = (logit - logit.mean((1, 2), keepdim=True)) @ torch.linalg.pinv(get_color_correlation_svd_sqrt("cpu"))
    np.save(path, torch.fft.rfft2(plain.permute(0, 3, 1, 2)).abs().mean(0).numpy())


def by_faccent(cut: Cut, image: Tensor, seed: int, steps: int) -> Picture:
    from faccent import objectives, param, render

    @objectives.wrap_objective()
    def compare() -> Any:
        def inner(layer: Any) -> Tensor:
            z = layer("aim")  # (transforms, picture and input, C, v, u)
            mine, aim = z[:, 0].flatten(1), z[:, 1].flatten(1)
            return -((mine * aim).sum(1) * F.cosine_similarity(mine, aim)).mean()

        return inner

    torch.manual_seed(seed)
    np.random.seed(seed)
    made = render.render_vis(
        copy.deepcopy(cut),
        compare(),
        param.fourier(init_img=image, forward_init_img=True, img_size=(SIDE, SIDE), device="cpu"),
        out_thresholds=[steps],
        inline_thresholds=[],
        nb_transforms=4,
        model_input_size=(SIDE, SIDE),
        model_input_range=(-1, 1),
        img_size=(SIDE, SIDE),
        progress=False,
    )
    return np.asarray(made[0][-1][0].permute(1, 2, 0), np.float32)


def by_plenoptic(cut: Cut, image: Tensor, seed: int, steps: int) -> Picture:
    import plenoptic

    plenoptic.set_seed(seed)
    metamer = plenoptic.Metamer(image[None], FromPictures(cut).eval())
    metamer.synthesize(max_iter=steps, stop_criterion=0)
    return np.asarray(metamer.metamer[0].detach().clamp(0, 1).permute(1, 2, 0), np.float32)


RIVALS: dict[str, Draw] = {"lucent": by_lucent, "horama": by_horama, "faccent": by_faccent, "plenoptic": by_plenoptic}
DEFAULT_STEPS = {"lucent": 512, "horama": 1000, "faccent": 100, "plenoptic": 100}


def quietly(draw: Draw, *given: Any) -> Picture:
    """A rival's picture, without its bars and warnings."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return draw(*given).clip(0, 1)


def by_distcari(network: Network, layer: str, image: Tensor, seed: int) -> Picture:
    return caricatures(network, image[None], layer, [seed], RenderSettings())[0].picture


def steps_within(tool: str, cut: Cut, image: Tensor, seconds: float) -> int:
    """How many of a rival's steps so much processor time has room for."""
    quietly(RIVALS[tool], cut, image, 0, 2)  # imports, first allocations
    few, more = (cpu_seconds(lambda n=n: quietly(RIVALS[tool], cut, image, 0, n)) for n in (2, 10))  # type: ignore[misc]
    return max(1, 2 + int((seconds - few) / max((more - few) / 8, 1e-3)))


def drawn(
    tools: Sequence[str], network: Network, layer: str, images: dict[str, Tensor], seeds: Iterable[int]
) -> dict[tuple[str, str, int], Picture]:
    """Pictures by tool, image and seed, all in the processor seconds of distcari's."""
    some = next(iter(images.values()))
    by_distcari(network, layer, some, 0)
    budget = cpu_seconds(lambda: by_distcari(network, layer, some, 1))
    cut, steps = Cut(network, layer), {}
    for tool in tools:
        if tool != "distcari":
            steps[tool] = steps_within(tool, cut, some, budget)
    print(f"{layer}: {budget:.1f} s a cell; steps " + ", ".join(f"{t} {n}" for t, n in steps.items()), flush=True)
    found = {}
    for tool, (name, image), seed in itertools.product(tools, images.items(), seeds):
        if tool == "distcari":
            found[tool, name, seed] = by_distcari(network, layer, image, seed)
        else:
            found[tool, name, seed] = quietly(RIVALS[tool], cut, image, seed, steps[tool])
    return found


def figures(network: Network, layer: str, image: Tensor, picture: Picture) -> dict[str, float]:
    """Of one picture: what it does to the layer, and to those before it; how much is fine."""
    shown = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    if shown.shape[-1] != SIDE:
        shown = F.interpolate(shown, size=(SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
    found = {}
    for metric in ("plain", "standardised"):
        forward = measured(network, layer, "float32", RenderSettings(metric=metric))  # type: ignore[arg-type]
        with torch.no_grad():
            held = measure(forward, shown, forward(image[None]), SIDE)
        found |= {f"{metric} {name}": float(held[name]) for name in ("robust_gain", "robust_cosine")}
    coherence = path_coherence(network, layer, "float32", shown, image[None])
    assert coherence is not None
    return found | {"path": float(coherence), "hf": high_frequency_share(shown[0].permute(1, 2, 0).numpy())}


def right_choices(judge: Judge, pictures: dict[tuple[str, int], Picture], images: dict[str, Tensor]) -> float:
    """In how many of 100 two-way choices the judge picks a picture's own input (distcari.analysis.match_inputs)."""
    names = list(images)
    inputs = judge.features([image.permute(1, 2, 0).numpy() for image in images.values()])
    likeness = judge.features(list(pictures.values())) @ inputs.T
    right = []
    for row, (name, _) in zip(likeness, pictures, strict=True):
        own = row[names.index(name)]
        right += [float(own > other) for at, other in enumerate(row) if names[at] != name]
    return 100 * float(np.mean(right))


def apart(one: Picture, two: Picture) -> float:
    return float(deltaE_ciede2000(rgb2lab(one), rgb2lab(two)).mean())


def separation(a: dict[tuple[str, int], Picture], b: dict[tuple[str, int], Picture]) -> float:
    """Mean ΔE2000 between two networks' pictures of an image, over that between seeds."""
    within, between = [], []
    for image in dict.fromkeys(name for name, _ in a):
        sides = [[picture for (name, _), picture in side.items() if name == image] for side in (a, b)]
        within += [apart(*pair) for side in sides for pair in itertools.combinations(side, 2)]
        between += [apart(x, y) for x in sides[0] for y in sides[1]]
    return float(np.mean(between) / max(np.mean(within), 1e-9))


def networks_of(name: str) -> tuple[dict[str, Network], Network]:
    """The networks that draw, and the first of them made colour-blind."""
    if name == "lite":
        return {each: lite(each) for each in ("lite0", "lite1")}, lite(change=colour_blind)
    plain, blind = (Network(change(half_resnet()), mean=MEAN, std=STD) for change in (lambda m: m, colour_blind))
    return {name: plain}, blind


def equal_seconds(
    kind: str, tools: Sequence[str], images: dict[str, Tensor], layers: Sequence[str], seeds: int, out: str
) -> None:
    judge_network = _published("lite2")
    judge = Judge("lite2", judge_network, _layers(judge_network))
    networks, colourless = networks_of(kind)
    rows: dict[str, dict[str, list[float]]] = {tool: defaultdict(list) for tool in tools}
    lines: list[list[Picture]] = []
    for layer in layers:
        made: dict[str, dict[str, dict[tuple[str, int], Picture]]] = {}
        for name, network in networks.items():
            pictures = drawn(tools, network, layer, images, range(seeds))
            made[name] = {t: {(i, s): p for (u, i, s), p in pictures.items() if u == t} for t in tools}
            for (tool, image, _), picture in pictures.items():
                for figure, value in figures(network, layer, images[image], picture).items():
                    rows[tool][figure].append(value)
        blind = drawn(tools, colourless, layer, images, range(1))
        for (tool, _, _), picture in blind.items():
            rows[tool]["blind"].append(picture_figures(picture)["colourfulness"])
        for tool in tools:
            rows[tool]["right"] += [right_choices(judge, made[name][tool], images) for name in made]
            if len(made) == 2:
                rows[tool]["separation"].append(separation(*(made[name][tool] for name in made)))
        first = made[next(iter(made))]
        lines += [[i.permute(1, 2, 0).numpy(), *(first[t][n, 0] for t in tools)] for n, i in images.items()]
        table({tool: {name: float(np.mean(v)) for name, v in row.items()} for tool, row in rows.items()})
    if out:
        sheet(["input", *tools], lines).save(out, quality=85)


COLUMNS = {
    "right": ("right of 100", "{:.0f}"),
    "path": ("path coherence", "{:.2f}"),
    "plain robust_gain": ("robust gain", "{:.2f}"),
    "plain robust_cosine": ("robust cosine", "{:.2f}"),
    "standardised robust_cosine": ("standardised", "{:.2f}"),
    "hf": ("high frequencies", "{:.3f}"),
    "blind": ("colour-blind colourfulness", "{:.0f}"),
    "separation": ("separation", "{:.2f}"),
}


def table(rows: dict[str, dict[str, float]]) -> None:
    print("\n| tool | " + " | ".join(title for title, _ in COLUMNS.values()) + " |")
    print("| --- |" + " --- |" * len(COLUMNS))
    for tool, row in rows.items():
        print(f"| {tool} | " + " | ".join(_told(row, *item) for item in COLUMNS.items()) + " |")
    print(flush=True)


def _told(row: dict[str, float], name: str, column: tuple[str, str]) -> str:
    return column[1].format(row[name]) if name in row else "–"


def sheet(titles: Sequence[str], lines: Sequence[Sequence[Picture]], side: int = 180) -> Image.Image:
    """A line for each layer and image, a column for the input and each tool: the first network, the first seed."""
    margin, head = 4, 18
    ground = Image.new("RGB", (len(titles) * (side + margin), head + len(lines) * (side + margin)), "white")
    draw = ImageDraw.Draw(ground)
    for column, title in enumerate(titles):
        x = column * (side + margin)
        draw.text((x + 4, 2), title, fill="black")
        for row, line in enumerate(lines):
            small = Image.fromarray((line[column].clip(0, 1) * 255).round().astype("uint8")).resize((side, side))
            ground.paste(small, (x, head + row * (side + margin)))
    return ground


def at_defaults(kind: str, tools: Sequence[str], images: dict[str, Tensor], layers: Sequence[str], most: float) -> None:
    """Each at its own number of steps, on the first network; where that takes too many seconds, the time alone."""
    network = next(iter(networks_of(kind)[0].values()))
    for layer, (name, image) in itertools.product(layers, images.items()):
        cut = Cut(network, layer)
        for tool in tools:
            if tool == "distcari":
                by_distcari(network, layer, image, 1)
                kept: list[Picture] = []
                took = cpu_seconds(lambda i=image, n=layer, k=kept: k.append(by_distcari(network, n, i, 0)))  # type: ignore[misc]
                told = figures(network, layer, image, kept[0])
            else:
                took = DEFAULT_STEPS[tool] * 10 / steps_within(tool, cut, image, 10) * (4 if tool == "faccent" else 1)
                told = (
                    figures(network, layer, image, quietly(RIVALS[tool], cut, image, 0, DEFAULT_STEPS[tool]))
                    if (took <= most)
                    else {}
                )
            print(
                f"{layer} {name} {tool}: {took:.0f} s"
                + ("" if tool == "distcari" else " (from ten timed steps)")
                + "".join(f", {COLUMNS[n][0]} {COLUMNS[n][1].format(v)}" for n, v in told.items() if n in COLUMNS),
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", nargs="+", default=["distcari", *RIVALS], choices=["distcari", *RIVALS])
    parser.add_argument("--images", nargs="+", default=["chelsea", "coffee", "rocket", "astronaut"])
    parser.add_argument("--network", default="lite", choices=["lite", "half-resnet"])
    parser.add_argument("--layers", nargs="+", default=["_blocks_4", "_blocks_10"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--defaults", action="store_true", help="at their own number of steps")
    parser.add_argument("--most-seconds", type=float, default=300, help="with --defaults: longer ones are not drawn")
    parser.add_argument("--sheet", default="", help="write the first network's pictures there")
    args = parser.parse_args()
    torch.set_num_threads(1)
    images = {name: image_of(name) for name in args.images}
    print(machine())
    if missing := [tool for tool in args.tools if find_spec(tool) is None]:
        print(f"not installed, so left out: {', '.join(missing)} (faccent: pip install --no-deps faccent==1.0.3)")
    args.tools = [tool for tool in args.tools if tool not in missing]
    sheet_path = str(Path(args.sheet).resolve()) if args.sheet else ""
    here, root = Path.cwd(), Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        if "horama" in args.tools:
            spectrum(Path(folder) / "spectrum_decorrelated.npy")  # Horama looks for it in the current folder
        (Path(folder) / "configs").symlink_to(root / "configs")
        os.chdir(folder)
        try:
            if args.defaults:
                at_defaults(args.network, args.tools, images, args.layers, args.most_seconds)
            else:
                equal_seconds(args.network, args.tools, images, args.layers, args.seeds, sheet_path)
        finally:
            os.chdir(here)


if __name__ == "__main__":
    main()
