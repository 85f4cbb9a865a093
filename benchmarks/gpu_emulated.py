"""How busy a GPU would be kept: the real driver, real figures and a real store around a card that is imitated.

    python benchmarks/gpu_emulated.py            # two minutes; two cores

A unit of n cells takes max(240 ms, 11 ms · n) of the card (what an H100 is estimated to need for ResNet-50, layer3,
in bfloat16: 240 ms until the launches are through, 11 ms a cell; docs/performance.md) and gives back pictures made
beforehand. Busy is the card's time at work from the first unit's begin to the last one's end. `before` ends the cells
on the thread that feeds the card, `after` beside it, with units in hand. Models are small and load at once. With
`--share 0.25` four workers share the card, and wait for their launches side by side, as on a machine with cores for it.
"""

import argparse
import fcntl
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
import yaml
from PIL import Image
from torch import nn

from distcari.cluster.executors.ray import RayExecutor
from distcari.cluster.start import run_plan
from distcari.cluster.worker import Worker
from distcari.config.load import load_experiment
from distcari.planning.placement import Placement
from distcari.planning.plan import Plan, make_plan
from distcari.render import Caricature
from distcari.store import open_store
from distcari.store.check import check

HERE = Path(__file__).parent
LAUNCHES, CELL = 0.240, 0.011  # seconds of the card
LAYERS, SIDE, STEPS = 8, 224, 64
GRIDS = {"21 x 7 x 8": (21, 7, 8), "4 x 3 x 7": (4, 3, 7)}  # models, images, layers


def network() -> nn.Module:
    """A small network with eight layers to name."""
    return nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(LAYERS)))


class EmulatedWorker(Worker):
    """A worker whose card is imitated; each unit's begin and end on it are a line of the file `busy`."""

    def __init__(self, *given: Any, device: str, **more: Any) -> None:
        super().__init__(*given, device="cpu", renderer=self._render, **more)
        self._device_of_mine, self._card = threading.Lock(), Path(os.environ["EMULATED_CARD"] + ".lock")
        self._busy = Path(os.environ["EMULATED_CARD"])
        rng = np.random.default_rng(0)
        coarse = [rng.integers(0, 255, (28, 28, 3), dtype=np.uint8) for _ in range(8)]
        self._pictures = [
            np.clip(
                np.asarray(Image.fromarray(c).resize((SIDE, SIDE)), np.float32) / 255
                + rng.normal(0, 0.02, (SIDE, SIDE, 3)),
                0,
                1,
            ).astype(np.float32)
            for c in coarse
        ]

    def _most(self, *given: Any) -> int:
        return len(given[-1].cells)

    def _render(self, _network: Any, images: torch.Tensor, *_: Any, **__: Any) -> list[Caricature]:
        n = len(images)
        with self._device_of_mine:
            begin = time.time()
            time.sleep(max(0, LAUNCHES - CELL * n))
            with self._card.open("a") as card:  # which the workers that share it use in turn
                fcntl.flock(card, fcntl.LOCK_EX)
                time.sleep(CELL * n)
            end = time.time()
        with self._busy.open("a") as file:
            file.write(json.dumps([begin, end, n]) + "\n")
        figures = dict.fromkeys(("gain", "cosine", "robust_gain", "robust_cosine", "objective", "target_norm"), 1.0)
        curve, match = np.linspace(0, 1, STEPS, dtype=np.float32), np.full((56, 56), 0.5, np.float32)
        return [Caricature(self._pictures[i % 8], curve, match, figures) for i in range(n)]


class OneByOne(Placement):
    """One unit in hand, its cells ended on the thread that feeds the card."""

    hands, beside = 1, 0


class Before(RayExecutor):
    """As it was."""

    def place(self, plan: Plan) -> Placement:
        """The same workers."""
        return OneByOne(**vars(super().place(plan)))


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds in which at least one of them is on."""
    seconds, until = 0.0, 0.0
    for begin, end in sorted(spans):
        seconds += max(0.0, end - max(begin, until))
        until = max(until, end)
    return seconds


def run(name: str, folder: Path, executor: RayExecutor, busy: Path, share: float) -> None:
    """One grid; prints the card's and everybody's time."""
    models, images, layers = GRIDS[name]
    photos = folder / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for i in range(images):
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(photos / f"{i}.png")
    config = folder / "grid.yaml"
    document = {
        "name": "grid",
        "store": str(folder / "store"),
        "models": [{"name": f"m{i}", "factory": "gpu_emulated:network", "init_seed": i} for i in range(models)],
        "images": [str(photos / f"{i}.png") for i in range(images)],
        "layers": [str(i) for i in range(layers)],
        "render": {"size": SIDE, "steps": STEPS, "precision": "float32"},
        "resources": {"num_gpus": share},
    }
    config.write_text(yaml.safe_dump(document))
    experiment = load_experiment(config)
    store = open_store(experiment.store, writable=True)
    busy.write_text("")
    start = time.time()
    done = run_plan(make_plan(experiment, store, str(config)), store, executor)
    whole = time.time() - start
    units = [json.loads(line) for line in busy.read_text().splitlines()]
    *flaws, verified = [found for found in check(store) if not isinstance(found, int)] + [done.done]
    assert not flaws and not done.failures and verified == models * images * layers
    window = max(end for _, end, _ in units) - min(begin for begin, _, _ in units)
    at_work, cells = covered([(begin, end) for begin, end, _ in units]), sum(n for _, _, n in units)
    kind = "before" if isinstance(executor, Before) else "after"
    print(
        f"{name:11} {kind:7} {cells} cells in {len(units)} units: the card {at_work:.1f} s at work in {window:.1f} s, "
        f"busy {at_work / window:.0%}; {window / (cells * CELL):.1f} times its cells in full batches; "
        f"{1000 * window / cells:.0f} ms a cell; the whole run {whole:.1f} s",
        flush=True,
    )


def main() -> None:
    """Both grids, before and after."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["before", "after"])
    parser.add_argument("--share", type=float, default=1.0, help="of the card, for each worker")
    parser.add_argument("--grids", nargs="*", choices=GRIDS, help="these alone")
    chosen, share = parser.parse_args().only, parser.parse_args().share
    with tempfile.TemporaryDirectory() as place:
        busy = Path(place) / "busy"
        os.environ |= {"EMULATED_CARD": str(busy), "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
        ray.init("local", num_cpus=max(2, round(1 / share)), num_gpus=1, include_dashboard=False, log_to_driver=False)
        for name in parser.parse_args().grids or GRIDS:
            for kind in (Before, RayExecutor):
                if chosen in (None, "before" if kind is Before else "after"):
                    run(name, Path(place) / f"{name[:2].strip()}{kind.__name__}", kind(EmulatedWorker), busy, share)
        ray.shutdown()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    import gpu_emulated  # by its own name, which workers know it by

    gpu_emulated.main()
