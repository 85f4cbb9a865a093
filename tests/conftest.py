"""Fixtures of all tests: a working folder with small pictures, an S3 server."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.shared import HERE, ROOT, S3, TESTS

# Files whose tests share nothing but wait long for processes: `make test` runs each in whatever process is free.
APART = {
    "tests/cluster/test_tail.py",
    *(f"tests/cli/test_{name}.py" for name in ("process", "submit")),
    *(f"tests/system/test_{name}.py" for name in ("survival", "power_cut")),
    "tests/store/test_objectstore.py",
}
# A shell's `make test &` starts its jobs with SIGINT ignored, and so would be every driver that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What is begun first, since it would end alone if it were last: the longest files, and folders that wait for processes.
LONGEST = {f"tests/{name}.py" for name in ("cluster/test_cluster", "dashboard/test_browser", "site/test_site_browser")}
WAIT_LONG = ("system", "cluster", "dashboard", "site", "cli")


def pytest_collection_modifyitems(items):
    """Long ones first."""

    def later(item):
        file = item.nodeid.partition("::")[0]
        return file not in LONGEST, file not in APART, item.path.parent.name not in WAIT_LONG

    items.sort(key=later)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file's tests share its fixtures in one process, but for those of APART."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return nodeid if file in APART else file

    return ByFile(config, log)


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
def one_thread():
    """More only get in each other's way on so small networks."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def find_chromium():
    """Chromium's or Chrome's program; None if there is none. On CI there must be one (DISTCARI_BROWSER=required)."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("DISTCARI_BROWSER") == "required":
        raise RuntimeError("no chromium on this machine, and DISTCARI_BROWSER=required")
    return found


@pytest.fixture(scope="session")
def browser():
    """A real browser, one for all tests."""
    program = find_chromium()
    if program is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
