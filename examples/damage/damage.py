"""Eighteen damaged copies of EfficientNet-Lite 0, by cause and strength, and a table of their tags.

    python examples/damage/damage.py          # checkpoints/damage_*.pt and checkpoints/damage.csv, a minute
    distcari submit examples/damage/damage.yaml

Noise: of each layer's weights, in units of their spread. Pruned: the share of each layer's weights that is set to zero,
the smallest first. Bits: weights rounded to so many. Colour-blind: the first layer's filters are grey. Permuted: the
filters of the last five blocks are in another order, so that each meets the wrong input.
"""

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from distcari.config.load import load_experiment
from distcari.sources.models import expand_models, load_model

ROOT = Path(__file__).parents[2]
LADDER = {"noise": (0.05, 0.1, 0.2, 0.35, 0.5), "pruned": (0.2, 0.4, 0.6, 0.8, 0.9), "bits": (8, 6, 5, 4, 3)}
INTACT = {"noise": 0, "pruned": 0, "bits": 32}


def noise(weight: Tensor, strength: float) -> Tensor:
    """Gaussian noise of so many spreads."""
    draw = torch.Generator().manual_seed(weight.numel())
    return weight + strength * weight.std() * torch.randn(weight.shape, generator=draw)


def pruned(weight: Tensor, share: float) -> Tensor:
    """The smallest weights set to zero."""
    return torch.where(weight.abs() > weight.abs().flatten().quantile(share), weight, torch.zeros(()))


def bits(weight: Tensor, number: float) -> Tensor:
    """Rounded to 2^bits values between the extremes, evenly."""
    step = (weight.max() - weight.min()) / (2 ** int(number) - 1)
    return weight.min() + torch.round((weight - weight.min()) / step) * step


CAUSES: dict[str, Callable[[Tensor, float], Tensor]] = {"noise": noise, "pruned": pruned, "bits": bits}


def main(folder: Path) -> None:
    """Write the checkpoints and the table."""
    spec = next(s for s in expand_models(load_experiment(ROOT / "configs/demo.yaml")) if s.name == "lite0")
    state = load_model(spec).state_dict()
    filters = [name for name, value in state.items() if value.ndim == 4]
    folder.mkdir(exist_ok=True)
    rows: list[dict[str, object]] = [{"model": "damage_none", **INTACT}]
    torch.save(state, folder / "damage_none.pt")
    for cause, strengths in LADDER.items():
        for strength in strengths:
            name = f"damage_{cause}_{strength:g}"
            torch.save(
                {n: CAUSES[cause](v, strength) if n in filters else v for n, v in state.items()}, folder / f"{name}.pt"
            )
            rows.append({"model": name, cause: strength})
    first, late = (
        filters[0],
        [
            name
            for name in filters
            if name.startswith(("_blocks.11", "_blocks.12", "_blocks.13", "_blocks.14", "_blocks.15"))
        ],
    )
    torch.save(
        {**state, first: state[first].mean(dim=1, keepdim=True).expand_as(state[first]).clone()},
        folder / "damage_colour_blind.pt",
    )
    order = torch.Generator().manual_seed(0)
    permuted = {n: state[n][torch.randperm(len(state[n]), generator=order)] for n in late}
    torch.save({**state, **permuted}, folder / "damage_permuted.pt")
    with (folder / "damage.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["model", *INTACT])
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "checkpoints"))
