"""Fixtures of all tests: a working folder with small pictures, an S3 server."""

import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from shared import HERE, S3


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A fresh working folder with two pictures, a config, and `tiny` importable as a factory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(tmp_path / f"photos/{name}.png")
    return tmp_path


@pytest.fixture(scope="session")
def s3():
    """A running S3 server with an empty bucket."""
    with subprocess.Popen([sys.executable, str(HERE / "s3_server.py"), "1"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as server:
        ports = json.loads(server.stdout.readline())
        found = S3(ports["steady"], ports["flaky"], itertools.count())
        found.ask("PUT", "bucket")
        yield found
        server.stdin.close()
