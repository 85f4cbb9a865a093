"""The chaos: drivers live and die over a grid on a Ray cluster of two nodes, until so many kills have hit.

After every life of a driver the whole store is read and held against its checksums; after every finished grid its
pictures are compared bit for bit with those of a run that nobody disturbed, and a fresh store is begun.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import yaml
from PIL import Image
from support.shared import HERE, TESTS
from system.chaos.faults import DEATHS, STORE

from distcari.store import open_store
from distcari.store.check import Finding, check

FAST_DEATH_NOTICE = {  # Ray's own defaults take half a minute to give a frozen node up
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 4,
}


@dataclass
class Report:
    """What happened and what was found."""

    kills: Counter = field(default_factory=Counter)
    lives: int = 0
    grids: int = 0
    findings: list = field(default_factory=list)

    def __str__(self):
        lines = [
            f"{sum(self.kills.values())} kills and faults in {self.lives} lives of a driver, {self.grids} grids "
            f"finished, {len(self.findings)} findings"
        ]
        lines += [f"  {n:4d} {what}" for what, n in sorted(self.kills.items())]
        return "\n".join([*lines, *map(str, self.findings)])


class ChaosRun:
    """A cluster, a grid and a stream of accidents."""

    def __init__(self, folder, seed=0, shard=1):
        self.folder, self.random, self.report = Path(folder), random.Random(seed), Report()
        (self.folder / "armed").mkdir(parents=True)
        (self.folder / "log").touch()
        os.environ["DISTCARI_CHAOS"] = str(self.folder)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(TESTS), os.environ.get("PYTHONPATH", "")])
        os.environ["RAY_DISABLE_FAILURE_SIGNAL_HANDLER"] = "1"
        self._write_config(shard)
        self.dashboard = None
        self._begin_cluster()
        self.wanted = self._undisturbed()

    def run(self, kills, seconds=float("inf"), say=lambda line: None):
        """Go on until so many kills have hit; the report."""
        end = time.monotonic() + seconds
        while sum(self.report.kills.values()) < kills and time.monotonic() < end:
            self._life()
            say(str(self.report).splitlines()[0])
        while self._life(calm=True) != 0:
            pass
        return self.report

    def close(self):
        """Take the cluster down."""
        if self.dashboard:
            self.dashboard.kill()
            self.dashboard.wait()
        self.cluster.shutdown()

    def _begin_cluster(self):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "include_dashboard": False,
                "object_store_memory": 100 * 2**20,
                "_system_config": FAST_DEATH_NOTICE,
            },
        )
        self.nodes = [self._node(), self._node()]

    def _life(self, calm=False):
        """One driver from start to its end, with accidents; then look at the store. Its exit code."""
        for armed in (self.folder / "armed").iterdir():
            armed.unlink(missing_ok=True)
        while len(self.nodes) < 2:
            self.nodes.append(self._node())
        driver = self._driver("store")
        self.report.lives += 1
        pause = self.random.choice([0.5, 2.0, 6.0])  # a storm, or a few drops
        while driver.poll() is None:
            if not calm:
                self._accident(driver)
            with suppress(subprocess.TimeoutExpired):
                driver.wait(self.random.uniform(0.2, pause))
        self._count_log()
        self._examine(finished=driver.returncode == 0)
        return driver.returncode

    def _accident(self, driver):
        kind = self.random.choices(
            ["worker", "master", "store", "actor", "driver", "node", "freeze", "raylet", "gcs", "dashboard"],
            [32, 32, 16, 20, 8, 4, 4, 4, 1, 4],
        )[0]
        if kind in ("worker", "master", "store"):
            point = self.random.choice(
                {
                    "worker": [point for point in DEATHS if point.startswith("worker")],
                    "master": [point for point in DEATHS if point.startswith("driver")],
                    "store": STORE,
                }[kind]
            )
            (self.folder / "armed" / point).touch()
        elif kind == "actor":
            self._kill_an_actor()
        elif kind == "driver" and self._working():
            driver.kill()
            self.report.kills["driver killed"] += 1
        elif kind == "node" and len(self.nodes) > 1 and self._working():
            self.cluster.remove_node(self.nodes.pop(self.random.randrange(len(self.nodes))), allow_graceful=False)
            self.report.kills["node killed"] += 1
            self.nodes.append(self._node())
        elif kind == "raylet" and len(self.nodes) > 1 and self._working():
            self._kill_a_raylet()
        elif kind == "gcs" and self._working():
            self._kill_the_gcs(driver)
        elif kind == "dashboard":
            self._kill_the_dashboard()
        elif kind == "freeze" and len(self.nodes) > 1 and self._working():
            self._freeze_a_node(driver)

    def _kill_a_raylet(self):
        """Its raylet alone; Ray has to find out what became of the workers."""
        node = self.nodes.pop(self.random.randrange(len(self.nodes)))
        self._family(node)[0].kill()
        self.report.kills["raylet killed"] += 1
        with suppress(Exception):
            self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.append(self._node())

    def _kill_the_gcs(self, driver):
        """The head's gcs_server: the cluster is lost, and the driver has to end; then there is a new cluster."""
        self.cluster.head_node.all_processes["gcs_server"][0].process.kill()
        self.report.kills["gcs killed"] += 1
        with suppress(subprocess.TimeoutExpired):
            driver.wait(90)
        if driver.poll() is None:
            self.report.findings.append("a driver whose gcs_server was killed did not end in 90 s")
            driver.kill()
            driver.wait()
        with suppress(Exception):
            self.cluster.shutdown()
        self._begin_cluster()

    def _kill_the_dashboard(self):
        """Whoever looks at the store while it is written may die at any moment; the next kill finds another."""
        if self.dashboard and self.dashboard.poll() is None:
            self.dashboard.kill()
            self.dashboard.wait()
            self.report.kills["dashboard killed"] += 1
        log = (self.folder / "dashboard.log").open("a")
        self.dashboard = subprocess.Popen(
            [sys.executable, "-m", "distcari", "dashboard", "--store", str(self.folder / "store"), "--port", "0"],
            stdout=log,
            stderr=log,
            cwd=self.folder,
        )

    def _freeze_a_node(self, driver):
        """Stop a whole node; thaw it when the cluster has given it up and others have its work."""
        node = self.nodes.pop(self.random.randrange(len(self.nodes)))
        family = self._family(node)
        for process in family:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGSTOP)
        self.nodes.append(self._node())
        with suppress(subprocess.TimeoutExpired):
            driver.wait(self.random.uniform(5, 8))
        for process in family:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
        self.report.kills["node frozen and thawed"] += 1
        with suppress(subprocess.TimeoutExpired):
            driver.wait(1)
        with suppress(Exception):
            self.cluster.remove_node(node, allow_graceful=False)

    def _kill_an_actor(self):
        workers = self._working()
        if workers:
            with suppress(psutil.Error):
                self.random.choice(workers).kill()
                self.report.kills["actor killed"] += 1

    def _working(self):
        """Worker processes that have become actors."""
        found = []
        for node in self.nodes:
            for process in self._family(node):
                with suppress(psutil.Error, IndexError):
                    if process.cmdline()[0].startswith("ray::ChaosWorker"):
                        found.append(process)
        return found

    @staticmethod
    def _family(node):
        try:
            raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
            return [raylet, *raylet.children(recursive=True)]
        except psutil.Error:
            return []

    def _count_log(self):
        log = self.folder / "log"
        self.report.kills.update(log.read_text().splitlines())
        log.write_text("")

    def _examine(self, finished):
        """Nothing lost, nothing doubled, no row without its pixels, and the pictures are the right ones."""
        place = self.folder / "store"
        if not (place / "distcari.json").exists():
            return
        store = open_store(str(place))
        self.report.findings += [f for f in check(store) if isinstance(f, Finding)]
        table = store.index.table(["key", "pixels_sha256"]).to_pydict()
        got = dict(zip(table["key"], table["pixels_sha256"], strict=True))
        wrong = [key for key, sha in got.items() if self.wanted.get(key) != sha]
        self.report.findings += [f"{key} differs from the undisturbed run" for key in wrong]
        if finished:
            self.report.findings += [f"{key} is lost" for key in set(self.wanted) - set(got)]
            self.report.grids += 1
            shutil.rmtree(place)

    def _undisturbed(self):
        driver = self._driver("calm")
        assert driver.wait() == 0, (self.folder / "driver.log").read_text()
        table = open_store(str(self.folder / "calm")).index.table(["key", "pixels_sha256"]).to_pydict()
        return dict(zip(table["key"], table["pixels_sha256"], strict=True))

    def _driver(self, store):
        config = yaml.safe_load((self.folder / "grid.yaml").read_text()) | {"store": str(self.folder / store)}
        path = self.folder / f"{store}.yaml"
        path.write_text(yaml.safe_dump(config))
        log = (self.folder / "driver.log").open("a")
        return subprocess.Popen(
            [sys.executable, "-m", "system.chaos.driver", str(path), self.cluster.address],
            stdout=log,
            stderr=log,
            cwd=self.folder,
        )

    def _node(self):
        return self.cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)

    def _write_config(self, shard):
        photos = self.folder / "photos"
        photos.mkdir()
        pixels = np.random.default_rng(0)
        for i in range(4):
            Image.fromarray(pixels.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(photos / f"p{i}.png")
        (self.folder / "grid.yaml").write_text(
            yaml.safe_dump(
                {
                    "name": "grid",
                    "images": [str(photos / "*.png")],
                    "layers": ["conv1", "conv2"],
                    "seeds": [0, 1, 2],
                    "models": [{"name": n, "factory": "tiny:net", "init_seed": i} for i, n in enumerate("ab")],
                    "input_size": 32,
                    "render": {"size": 32, "steps": 24},
                    "resources": {"batch": 3},
                    "shard": shard,
                }
            )
        )
