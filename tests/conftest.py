"""Shared pieces: a tiny convolutional network made by a factory, a config for it, small pictures, an S3 server."""

import itertools
import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A fresh working folder with two pictures, a config, and `tiny` importable as a factory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{HERE.parent}")  # this tree, whichever is installed
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(tmp_path / f"photos/{name}.png")
    return tmp_path


@dataclass(frozen=True)
class S3:
    """A bucket of a real S3 server: fresh URLs in it, and the options that reach it, well behaved or flaky."""

    steady: int
    flaky: int
    numbers: itertools.count

    def url(self):
        """A place in the bucket that nobody has used."""
        return f"s3://bucket/place{next(self.numbers)}"

    def options(self, flaky=False, **changes):
        """Options by obstore's names."""
        return {"endpoint": self.endpoint(flaky), "access_key_id": "tester", "secret_access_key": "hush-hush-secret",
                "region": "us-east-1"} | changes

    def fsspec(self, flaky=False):
        """The same by the names of fsspec's s3fs."""
        return {"key": "tester", "secret": "hush-hush-secret", "client_kwargs": {"endpoint_url": self.endpoint(flaky)}}

    def endpoint(self, flaky=False):
        """The server's URL."""
        return f"http://127.0.0.1:{self.flaky if flaky else self.steady}"

    def faults(self):
        """How often the flaky line has met each fault."""
        return json.loads(self.ask("GET", "_faults"))

    def let(self, fault):
        """Let the next PUT at the flaky line meet this fault."""
        self.ask("PUT", f"_next/{fault.replace(' ', '%20')}")

    def ask(self, method, path):
        """A request to the server as it is; its answer."""
        signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=tester/20260101/us-east-1/s3/aws4_request, "
                  "SignedHeaders=host, Signature=0"}
        request = urllib.request.Request(f"{self.endpoint()}/{path}", method=method, headers=signed)
        with urllib.request.urlopen(request) as answer:
            return answer.read()


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


def config(**changes):
    """A small experiment as a plain dict."""
    return {
        "name": "small",
        "models": [
            {"name": "a", "factory": "tiny:net", "init_seed": 0},
            {"name": "b", "factory": "tiny:net", "init_seed": 1},
        ],
        "images": ["photos/*.png"],
        "layers": ["conv2", "head"],
        "input_size": 32,
        "render": {"size": 32, "steps": 3},
    } | changes


def write(path, document):
    """The document as a YAML file; its path as text."""
    Path(path).write_text(yaml.safe_dump(document))
    return str(path)
