"""The same cells with the same faults through distcari's own loop and through Ray Data: lost, doubled, hung, seconds.

    python benchmarks/ray_data.py            # six minutes; two cores

Both use distcari's engine, worker and store; what differs is who hands out the cells, tries again and commits the rows.
Ray Data reads each cell from a file, maps them over a pool of two actors one by one, and writes Parquet, with its
checkpointing (`CheckpointConfig`) by the cell's key, and `max_errored_blocks=-1`, so that bad cells do not end it.
Faults: three workers killed (SIGKILL) as they begin a cell; a cell that always raises; a cell that always kills its
process; the driver killed when a third is done, and the same command given again. After 90 s a run counts as hung.
"""

import argparse
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image
from torch import nn

from distcari.cluster.driver import Run
from distcari.cluster.executors.serial import SerialExecutor
from distcari.cluster.jobs import Job, Result
from distcari.cluster.worker import Worker
from distcari.config.load import load_experiment
from distcari.planning.plan import make_plan
from distcari.store import Store, open_store
from distcari.store.arrays import pixels_sha256

HERE, HUNG, FAULTS = (
    Path(__file__).parent,
    90.0,
    ("none", "3 workers killed", "bad cell", "deadly cell", "driver killed"),
)


def network() -> nn.Module:
    """A small one; a cell takes some tenths of a second."""
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))


class FaultyWorker(Worker):
    """Meets the faults that lie in the folder `$FAULTS` as files named after cells."""

    def run(self, job: Job) -> Result:
        """As ever, but for those cells."""
        folder, key = Path(os.environ["FAULTS"]), job.cells[0].cell.key
        if (folder / f"deadly-{key}").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        if (folder / f"bad-{key}").exists():
            return Result(failures=[(job.cells[0].cell, "a bad cell", "")], node=self.node)
        try:
            (folder / f"once-{key}").unlink()
        except FileNotFoundError:
            return super().run(job)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def planned(folder: Path) -> tuple[Any, Store]:
    """The grid of 32 cells, each a unit of its own."""
    experiment = load_experiment(folder / "grid.yaml")
    store = open_store(experiment.store, writable=True)
    return make_plan(experiment, store, str(folder / "grid.yaml")), store


def through_distcari(folder: Path) -> None:
    """What `distcari submit` does."""
    import ray

    from distcari.cluster.executors.ray import RayExecutor
    from distcari.cluster.start import run_plan

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    run_plan(*planned(folder), RayExecutor(FaultyWorker))


class Cells:
    """Ray Data's actor: a worker, one cell at a time."""

    def __init__(self, folder: str) -> None:
        self.jobs: dict[str, Job] = pickle.loads((Path(folder) / "jobs").read_bytes())
        self.worker = FaultyWorker(f"{folder}/store", {}, "grid", "ray-data", threads=1, device="cpu")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The cells' keys and the SHA-256 of their stored pixels."""
        rows = []
        for key in batch["key"]:
            result = self.worker.run(self.jobs[key])
            if result.failures:
                raise RuntimeError(result.failures[0][1])
            rows += result.rows
        return {name: np.array([row[name] for row in rows]) for name in ("key", "pixels_sha256")}


def through_ray_data(folder: Path) -> None:
    """The same with Ray Data; the store is made ready, and the cells are written to a file, the first time."""
    import ray
    import ray.data
    from ray.data.checkpoint import CheckpointConfig

    ray.init("local", num_cpus=4, include_dashboard=False, log_to_driver=False)  # two for reading and writing
    if not (folder / "cells").exists():
        run = Run(*planned(folder), SerialExecutor())
        jobs = {unit.cells[0].key: run.job(unit) for unit in run.prepare()}
        (folder / "jobs").write_bytes(pickle.dumps(jobs))
        (folder / "cells").mkdir()
        for i, key in enumerate(jobs):  # a block for each: read_parquet would make one of all
            (folder / f"cells/{i}.csv").write_text(f"key\n{key}\n")
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.checkpoint_config = CheckpointConfig(
        id_column="key", checkpoint_path=str(folder / "checkpoint"), delete_checkpoint_on_success=False
    )
    cells = ray.data.read_csv(str(folder / "cells"), override_num_blocks=32)
    made = cells.map_batches(
        Cells, fn_constructor_args=(str(folder),), batch_size=1, compute=ray.data.ActorPoolStrategy(size=2), num_cpus=1
    )
    made.write_parquet(str(folder / "rows"))


WAYS = {"distcari": through_distcari, "Ray Data": through_ray_data}


def rows_of(folder: Path, way: str) -> list[tuple[str, str]]:
    """(key, SHA-256 of its pixels) of each row that a reader finds."""
    if way == "distcari":
        table = open_store(str(folder / "store")).table(["key", "pixels_sha256"])
        return [(str(key), str(sha)) for key, sha in table.itertuples(index=False)]
    found: list[tuple[str, str]] = []
    for file in (folder / "rows").glob("*.parquet"):
        table = pq.read_table(file).to_pydict()
        found += zip(table["key"], table["pixels_sha256"], strict=True)
    return found


def child(way: str, folder: Path, until: int | None) -> bool:
    """Run it in a process of its own; whether it ended in time. `until`: killed once so many rows are there."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "ray_data.py"), "--through", way, str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("a"),
        start_new_session=True,
    )
    begun = time.monotonic()
    try:
        while process.poll() is None:
            if time.monotonic() - begun > HUNG:
                return False
            if until is not None and len(list((folder / "store/arrays.zarr/grid/caricature").glob("c.*"))) >= until:
                process.kill()
                return True
            time.sleep(0.05)
        if process.returncode:
            print((folder / "log").read_text().splitlines()[-1], file=sys.stderr)
        return True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def trial(way: str, fault: str, folder: Path) -> None:
    """One way with one fault; prints a line."""
    faults = folder / "faults"
    (folder / "photos").mkdir(parents=True)
    faults.mkdir()
    os.environ |= {"FAULTS": str(faults), "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(folder / f"photos/{i}.png")
    document = {
        "name": "grid",
        "store": str(folder / "store"),
        "models": [{"name": f"m{i}", "factory": "ray_data:network", "init_seed": i} for i in range(2)],
        "images": [str(folder / "photos/*.png")],
        "layers": ["0", "2"],
        "seeds": [0, 1],
        "input_size": 64,
        "render": {"size": 64, "steps": 64},
        "resources": {"batch": 1, "num_gpus": 0},
    }
    (folder / "grid.yaml").write_text(yaml.safe_dump(document))
    keys = [cell.key for cell in planned(folder)[0].todo]
    unable = set()
    if fault == "3 workers killed":
        for i in (3, 11, 20):
            (faults / f"once-{keys[i]}").touch()
    elif fault in ("bad cell", "deadly cell"):
        unable = {keys[7]}
        (faults / f"{fault.split()[0]}-{keys[7]}").touch()
    begun = time.monotonic()
    ended = child(way, folder, len(keys) // 3 if fault == "driver killed" else None)
    if fault == "driver killed":
        ended = child(way, folder, None)
    seconds = time.monotonic() - begun
    rows = rows_of(folder, way)
    times = Counter(key for key, _ in rows)
    lost = [key for key in keys if key not in times and key not in unable]
    store = open_store(str(folder / "store"))
    arrays, failures = store.arrays("grid"), len(store.failures())
    places = {cell.key: arrays.place(cell.labels) for cell in planned(folder)[0].wanted}
    wrong = sum(pixels_sha256(arrays.read("caricature", places[key])) != sha for key, sha in rows)
    doubled, recorded = sum(n - 1 for n in times.values()), failures if unable else "-"
    hung = "no" if ended else "yes"
    print(f"| {fault} | {way} | {len(lost)} | {doubled} | {hung} | {wrong} | {recorded} | {seconds:.0f} |", flush=True)


def main() -> None:
    """Every fault both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--through", nargs=2, metavar=("WAY", "FOLDER"), help="one run, for this program itself")
    parser.add_argument("--fault", choices=FAULTS, action="append")
    given = parser.parse_args()
    if given.through:
        WAYS[given.through[0]](Path(given.through[1]))
        return
    print("| fault | through | lost | doubled | hung | rows without their pixels | bad cells recorded | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for fault in given.fault or FAULTS:
        for way in WAYS:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
                trial(way, fault, Path(place))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    import ray_data  # by its own name, which workers know it by

    ray_data.main()
