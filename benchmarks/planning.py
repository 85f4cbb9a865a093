"""How long it takes to plan a grid of many large checkpoints.

    python benchmarks/planning.py [--models 21] [--folder DIR]     # 2 GB of disk for the files, about a minute

`models` ResNet-50 checkpoints of 95 MB, random and each different, are written; each planning runs in a process of its
own, as a command does, with the files in the system's cache. Imports are apart, but for torchvision's, which is in the
plan (1.5 s of processor time). The target of a planning is 4 s.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from PIL import Image

LAYERS = ["layer1", "layer2", "layer3", "layer4"]


def main() -> None:
    """Make the files in a folder, plan twice, and print the seconds of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=21)
    parser.add_argument("--folder", type=Path, help="where to make the files, and leave them")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure)))
        return
    with tempfile.TemporaryDirectory(prefix="planning") as temporary:
        folder = args.folder or Path(temporary)
        config = make_config(folder, args.models)
        for path in folder.glob("checkpoints/*.pt"):
            path.read_bytes()
        for turn in (1, 2):
            for part, seconds in apart(config).items():
                print(f"{turn} {part:<40} {seconds:8.2f} s", flush=True)


def make_config(folder: Path, models: int) -> Path:
    """The checkpoints, a picture and the config in a folder; files that are there stay."""
    from torchvision.models import resnet50

    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    state = resnet50().state_dict()
    for i in range(models):
        path = folder / f"checkpoints/net{i:02}.pt"
        if not path.exists():
            torch.save({"state_dict": state | {"fc.bias": state["fc.bias"] + i}}, path)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / "one.png")
    config = folder / "planning.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "name": "planning",
                "store": str(folder / "store"),
                "images": [str(folder / "one.png")],
                "layers": LAYERS,
                "models": [{"torchvision": "resnet50", "checkpoint": str(folder / "checkpoints/*.pt")}],
            }
        )
    )
    return config


def apart(config: Path) -> dict[str, float]:
    """A planning in a process of its own: seconds by part."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(config)], check=True, capture_output=True, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(config: str) -> dict[str, float]:
    """Seconds of the imports, of the models by themselves, and of the whole plan."""

    def now() -> dict[str, float]:
        return {"": time.perf_counter(), " (processor)": time.process_time()}

    stamps = [now()]
    from distcari.config.load import load_experiment
    from distcari.planning.plan import make_plan
    from distcari.sources.digests import Digests
    from distcari.sources.models import inspect_models
    from distcari.store import open_store

    stamps.append(now())
    experiment = load_experiment(config)
    plan = make_plan(experiment, open_store(experiment.store, writable=True), config)
    stamps.append(now())
    assert len(plan.todo) == len(plan.models) * len(LAYERS)
    with Digests() as digests:
        inspect_models(list(plan.models.values()), digests)
    stamps.append(now())
    parts = ["imports", "the plan", "models inspected once more"]
    return {part + of: stamps[i + 1][of] - stamps[i][of] for i, part in enumerate(parts) for of in stamps[0]}


if __name__ == "__main__":
    main()
