"""What a worker's time goes to on a real run, and what a second worker brings.

    python benchmarks/cluster.py [--cells 50]         # some minutes; two cores

EfficientNet-Lite0 by the defaults on Ray, one thread a worker: `cells` cells on one worker, then twice as many on two.
The optimisation's share is of the workers' time from a worker's first unit to its last; of it, loading the model and
writing, reading back and verifying the chunks are named. Time before the first unit is what a run costs once.
"""

import argparse
import logging
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import ray
import yaml
from networks import machine

from distcari.cluster import events as e
from distcari.cluster.start import run_plan
from distcari.config.load import load_experiment
from distcari.planning.plan import make_plan
from distcari.store import open_store

LAYERS = ["_blocks_4", "_blocks_6", "_blocks_8", "_blocks_10", "_blocks_14"]


def config_in(folder: Path, cells: int, actors: int) -> Path:
    """Five layers and so many seeds of the demo's first network and photograph that there are `cells`."""
    demo = yaml.safe_load(Path("configs/demo.yaml").read_text())
    config = folder / f"cluster{actors}.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "name": f"cluster{actors}",
                "store": str(folder / "store"),
                "models": demo["models"][:1],
                "images": demo["images"][:1],
                "layers": LAYERS,
                "seeds": list(range(cells // len(LAYERS))),
                "resources": {"actors": actors, "num_cpus": 1},
            }
        )
    )
    return config


def measured(config: Path, actors: int) -> tuple[int, float]:
    """Run it and print where the time went: (cells, seconds from the first unit to the end)."""
    experiment = load_experiment(config)
    store = open_store(experiment.store, writable=True)
    seconds: Counter[str] = Counter()
    spans: dict[str, list[float]] = {}
    taken: list[float] = []

    def listen(event: e.Event) -> None:
        if isinstance(event, e.UnitStarted | e.UnitEnded):
            spans.setdefault(event.worker, []).append(time.perf_counter())
        if isinstance(event, e.UnitEnded):
            seconds.update(event.seconds)
        elif isinstance(event, e.CellDone):
            taken.append(event.row["seconds"])

    start = time.perf_counter()
    run_plan(make_plan(experiment, store, str(config)), store, listeners=[listen])
    first, end = min(s[0] for s in spans.values()), max(s[-1] for s in spans.values())
    whole = sum(s[-1] - s[0] for s in spans.values())
    print(
        f"{actors} worker(s), {len(taken)} cells: {first - start:.1f} s before the first unit, {end - first:.1f} s; "
        f"rendering {seconds['render'] / whole:.1%} of the workers' time, loading {seconds['load'] / whole:.1%} "
        f"({seconds['load'] / actors:.2f} s a worker), storing {seconds['commit'] / whole:.1%} "
        f"({1000 * seconds['commit'] / len(taken):.0f} ms a cell), the rest "
        f"{1 - sum(seconds[p] for p in ('render', 'load', 'commit')) / whole:.1%}",
        flush=True,
    )
    return len(taken), end - first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=50)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(machine())
    with tempfile.TemporaryDirectory(prefix="cluster") as folder:
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        rates = []
        for actors in (1, 2):
            cells, took = measured(config_in(Path(folder), args.cells * actors, actors), actors)
            rates.append(cells / took)
        ray.shutdown()
        print(
            f"{rates[0] * 3600:.0f} and {rates[1] * 3600:.0f} cells per hour: the second worker adds "
            f"{rates[1] / rates[0] - 1:.0%}"
        )


if __name__ == "__main__":
    main()
