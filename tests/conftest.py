"""Fixtures of all tests: a working folder with small pictures, an S3 server."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.shared import HERE, ROOT, S3, TESTS

WAIT_LONG = ("system", "cluster", "dashboard", "cli")  # folders whose tests wait for processes: begun first


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    """For `make test`: a file's tests share its fixtures in one process, but for those marked `apart`; long ones first.

    Begun last they would be all that runs at the end, on one core.
    """
    for item in items:
        if not item.get_closest_marker("apart"):
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(TESTS).as_posix()))
    items.sort(key=lambda it: (not it.get_closest_marker("apart"), it.path.parent.name not in WAIT_LONG))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A fresh working folder with two pictures, a config, and `tiny` importable as a factory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (HERE, TESTS, ROOT))))  # this tree
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(tmp_path / f"photos/{name}.png")
    return tmp_path


@pytest.fixture(scope="session")
def s3():
    """A running S3 server with an empty bucket."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "s3_server.py"), "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        ports = json.loads(server.stdout.readline())
        found = S3(ports["steady"], ports["flaky"], itertools.count())
        found.ask("PUT", "bucket")
        yield found
        server.stdin.close()


@pytest.fixture
def cluster(work, monkeypatch):
    """A cluster with a head that does no work, started in another folder; nodes are added by the test."""
    monkeypatch.chdir("/")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    monkeypatch.chdir(work)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def one_thread():
    """More only get in each other's way on so small networks."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
