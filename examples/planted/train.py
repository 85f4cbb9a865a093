"""Trains the networks: python examples/planted/train.py [--trainings 6] [--network residual] [--variants NAME …]

Writes checkpoints/<variant>_<training>.pt (checkpoints_residual/ …) and images/ beside itself; what is there is left
alone. A training's number
decides its weights at the start, the order, and which scenes it sees: trainings of one variant share the variant alone.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from network import NETWORKS, WIDTHS
from numpy.typing import NDArray
from PIL import Image
from scenes import CLASSES, SIDE, VARIANTS, dataset, draw, render
from torch import Tensor, nn

HERE = Path(__file__).parent
PROBES = 4  # scenes of all_vary that nobody was trained on, as input images
BATCH, RATES = 64, {"plain": 1e-2, "residual": 5e-3, "vit": 3e-3}
LONGER = {"vit": {"scenes": 6000, "epochs": 12, "flip": True}}  # a transformer learns no symmetry by itself


def train(
    variant: str,
    training: int,
    *,
    scenes: int = 3000,
    epochs: int = 8,
    batch: int = BATCH,
    widths: Sequence[int] = WIDTHS,
    network: str = "plain",
    flip: bool = False,
) -> nn.Module:
    """A network trained on a variant; the same bits for the same arguments on the same machine.

    `flip`: half of the batches are seen in a mirror.
    """
    torch.manual_seed(training)
    pictures, labels = (torch.from_numpy(a) for a in dataset(variant, scenes, 1000 + training))
    pictures = _normalised(pictures)
    model, rate = NETWORKS[network](widths).to(memory_format=torch.channels_last), RATES[network]
    batches = scenes // batch
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * batches)
    for _ in range(epochs):
        for at in torch.randperm(scenes)[: batches * batch].split(batch):
            seen = pictures[at].flip(3) if flip and torch.rand(()) < 0.5 else pictures[at]
            loss = nn.functional.cross_entropy(model(seen), labels[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, pictures: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share of scenes that it names rightly."""
    return float((model(_normalised(torch.from_numpy(pictures))).argmax(1).numpy() == labels).mean())


def save_probes(folder: Path, number: int = PROBES) -> None:
    """Input images that no training has seen, each of another class."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(99)
    for i in range(number):
        Image.fromarray(render(draw("all_vary", rng, i), 2 * SIDE)).save(folder / f"{CLASSES[i]}.png")


def main() -> None:
    """Train what is not there yet, and say how well each network does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trainings", type=int, default=6, help="networks of each variant")
    parser.add_argument("--network", choices=NETWORKS, default="plain")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    args = parser.parse_args()
    torch.set_num_threads(1)  # so small a network gains nothing from a second, and the bits stay the same
    save_probes(HERE / "images")
    folder = HERE / ("checkpoints" if args.network == "plain" else f"checkpoints_{args.network}")
    folder.mkdir(exist_ok=True)
    tests = {variant: dataset(variant, 600, 7) for variant in VARIANTS}
    print(f"{'network':20s} accuracy on its own scenes, on all_vary's; seconds")
    for variant in args.variants:
        for training in range(args.trainings):
            file, start = folder / f"{variant}_{training}.pt", time.perf_counter()
            if file.exists():
                model = NETWORKS[args.network]()
                model.load_state_dict(torch.load(file, weights_only=True))
                model.eval()
            else:
                model = train(variant, training, network=args.network, **LONGER.get(args.network, {}))
                torch.save(model.state_dict(), file)
            own, all_ = accuracy(model, *tests[variant]), accuracy(model, *tests["all_vary"])
            print(f"{file.stem:20s} {own:.2f} {all_:.2f}  {time.perf_counter() - start:.1f} s", flush=True)


def _normalised(pictures: Tensor) -> Tensor:
    return pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
