"""A grid of a million cells: planning, resuming, reading the index, and what driver and store cost for each cell.

    python benchmarks/scale.py            # needs 4 GiB of memory, 3 GiB of disk for small files; about 6 minutes

50 models × 200 images × 100 layers. For resuming, 900,000 rows are in the index and their chunks (empty files) in the
store. Cells per second come from a real run with a renderer that does nothing. A thousand actors do not fit here: what
they would ask of the driver is computed from its measured time for each unit.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from PIL import Image

MODELS, IMAGES, LAYERS, DONE = 50, 200, 100, 900_000
HERE = Path(__file__).parent


def main() -> None:
    """Build the grid in a temporary folder, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", choices=["plan", "resume"], help=argparse.SUPPRESS)
    parser.add_argument("--config", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.config)))
        return
    with tempfile.TemporaryDirectory(prefix="scale") as folder:
        config = make_config(Path(folder))
        row("cells planned, seconds (imports apart)", "< 10", (plan := apart("plan", config))["seconds"])
        row("cells planned, peak memory in GB", "< 1", plan["gigabytes"])
        fill(config)
        row("resumed with 900,000 done, seconds", "< 20", (resume := apart("resume", config))["seconds"])
        row("resumed with 900,000 done, peak GB", "", resume["gigabytes"])
        assert resume["cells"] == MODELS * IMAGES * LAYERS - DONE
        row("index of 900,000 rows merged, seconds", "", merged(config))
        row("pd.read_parquet filtered on one model, s", "< 0.5", filtered(config))
    overhead()


def make_config(folder: Path) -> Path:
    """The grid's config, its images beside it."""
    pixels = np.random.default_rng(0)
    (folder / "images").mkdir()
    for i in range(IMAGES):
        Image.fromarray(pixels.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / f"images/i{i:03}.png")
    config = folder / "million.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "name": "million",
                "store": str(folder / "store"),
                "images": [str(folder / "images/*.png")],
                "models": [{"name": f"m{i:02}", "factory": "pieces:deep", "init_seed": i} for i in range(MODELS)],
                "layers": [str(i) for i in range(LAYERS)],
                "input_size": 32,
                "render": {"size": 32},
            }
        )
    )
    return config


def apart(what: str, config: Path) -> dict[str, Any]:
    """A measurement in a process of its own, so that the memory is its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, "--config", str(config)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(HERE)},
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(what: str, config: str) -> dict[str, Any]:
    """Plan; or plan, and do under the lease what a run does before its first unit."""
    from distcari.cluster.driver import Run
    from distcari.cluster.executors.serial import SerialExecutor
    from distcari.config.load import load_experiment
    from distcari.planning.plan import make_plan
    from distcari.store import open_store
    from distcari.store.lease import take

    start = time.perf_counter()
    experiment = load_experiment(config)
    store = open_store(experiment.store, writable=True)
    plan = make_plan(experiment, store, config)
    if what == "plan":
        units = plan.grid.units(plan.todo, 4)
    else:
        with take(store.files, experiment.name):
            units = Run(plan, store, SerialExecutor()).prepare()
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "cells": sum(len(unit.cells) for unit in units),
    }


def fill(config: Path) -> None:
    """Let 900,000 cells look done: rows in 180 parts, and empty files where their chunks would be."""
    sys.path.insert(0, str(HERE))
    from distcari.config.load import load_experiment
    from distcari.planning.plan import make_plan
    from distcari.store import open_store
    from distcari.store.schema import INDEX

    experiment = load_experiment(config)
    store = open_store(experiment.store, writable=True)
    plan = make_plan(experiment, store, str(config))
    arrays = store.prepare(plan.grid, plan.meta, size=32, input_size=32, steps=plan.most_steps, dtype="float32")
    names = ("match", "gain_curve", "caricature")
    floats = [name for name in INDEX.names if str(INDEX.field(name).type) == "double"]
    random, now = np.random.default_rng(0), pd.Timestamp.now("UTC")
    for start in range(0, DONE, 5000):
        rows = []
        for cell, values in zip(plan.todo[start : start + 5000], random.random((5000, len(floats))), strict=True):
            place = arrays.find(cell.labels)
            for name in names:
                os.close(os.open(str(arrays._chunk(name, place)), os.O_CREAT | os.O_WRONLY))
            rows.append(
                {
                    **dict(zip(floats, values.tolist(), strict=True)),
                    "key": cell.key,
                    "experiment": "million",
                    **plan.labels(cell),
                    "finished_at": now,
                    "started_at": now,
                    "pixels_sha256": cell.key * 2,
                    "run_id": "r",
                    "node": "n",
                    "device": "cpu",
                    "layer_kind": "conv",
                }
            )
        store.commit(rows)


def merged(config: Path) -> float:
    """Seconds to compact the index."""
    from distcari.store import open_store

    start = time.perf_counter()
    open_store(str(config.parent / "store"), writable=True).merge()
    return time.perf_counter() - start


def filtered(config: Path) -> float:
    """Seconds to read one model's 20,000 rows with plain pandas, the best of five."""
    took = []
    for _ in range(5):
        start = time.perf_counter()
        frame = pd.read_parquet(config.parent / "store/index", filters=[("model", "==", "m07")])
        took.append(time.perf_counter() - start)
        assert len(frame) == IMAGES * LAYERS
    return min(took)


def overhead(cells: int = 4000) -> None:
    """A real run on two actors that render nothing; and the driver's share of it."""
    import logging

    import ray
    from pieces import NullWorker

    from distcari.cluster.events import CellDone
    from distcari.cluster.executors.ray import RayExecutor
    from distcari.cluster.queue import Queue
    from distcari.cluster.start import run_plan
    from distcari.config.load import load_experiment
    from distcari.planning.plan import make_plan
    from distcari.store import open_store

    with tempfile.TemporaryDirectory(prefix="scale") as folder:
        os.environ["PYTHONPATH"] = str(HERE)
        config = make_config(Path(folder))
        experiment = load_experiment(config, [f"layers={[str(i) for i in range(cells // 400)]}"])
        store = open_store(experiment.store, writable=True)
        only = {"model": ["m00", "m01"]}
        plan = make_plan(experiment, store, str(config), only=only)
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        stamps: list[float] = []
        before = time.process_time()
        run_plan(
            plan,
            store,
            RayExecutor(NullWorker),
            [lambda event: stamps.append(time.perf_counter()) if isinstance(event, CellDone) else None],
        )
        busy = time.process_time() - before
        ray.shutdown()
        rate = (len(stamps) - 1) / (stamps[-1] - stamps[0])
        row(f"null renderer, cells per second ({len(stamps)} cells, 2 actors)", "", rate)
        row("driver's processor time for each cell, ms", "", each := 1000 * busy / len(stamps))
        units = plan.grid.units(plan.wanted, 4) * 60
        queue, start = Queue(units), time.perf_counter()
        while queue:
            queue.take("m00", Counter({f"m{i:02}": 20 for i in range(50)}), 1000)
        row(
            f"queue's time for each of {len(units)} units, 1,000 workers, ms",
            "",
            1000 * (time.perf_counter() - start) / len(units),
        )
        row("1,000 actors keep one driver busy if a cell takes less than, s", "", each)


def row(what: str, target: str, value: float) -> None:
    """One line of the table."""
    print(f"{what:<64} {value:10.3f}   {target}", flush=True)


if __name__ == "__main__":
    main()
