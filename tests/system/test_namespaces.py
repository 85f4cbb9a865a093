"""Two Ray nodes with addresses of their own, in network namespaces, that share no checkpoint, no picture and no store.

The store is an S3 server on the first node's address. Where namespaces may not be made (no root), nothing is tested.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from support import tiny
from support.shared import HERE, ROOT, config, write

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
A, B = "10.203.0.1", "10.203.0.2"


def run(*command, **options):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **options)


def allowed():
    if not shutil.which("ip") or os.geteuid() != 0:
        return False
    try:
        run("ip", "netns", "add", "dcprobe")
        run("ip", "netns", "del", "dcprobe")
        return True
    except subprocess.CalledProcessError:
        return False


@pytest.fixture
def two_hosts():
    """Two namespaces joined by a cable."""
    if not allowed():
        pytest.skip("network namespaces may not be made here")
    for name in ("dca", "dcb"):
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "add", "va", "netns", "dca", "type", "veth", "peer", "name", "vb", "netns", "dcb")
    for name, end, address in (("dca", "va", A), ("dcb", "vb", B)):
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", end)
        run("ip", "-n", name, "link", "set", end, "up")
    started = []
    yield lambda host, *command, **options: started.append(
        subprocess.Popen(["ip", "netns", "exec", host, *map(str, command)], start_new_session=True, **options)
    )
    for process in started:
        subprocess.run(["pkill", "-9", "-s", str(process.pid)])
        process.wait()
    for name in ("dca", "dcb"):
        for pid in run("ip", "netns", "pids", name).stdout.split():
            subprocess.run(["kill", "-9", pid])
        run("ip", "netns", "del", name)


def listens(host, port, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if f":{port} " in run("ip", "netns", "exec", host, "ss", "-ltn").stdout:
            return
        time.sleep(0.1)  # another machine's port: nothing here tells when
    raise AssertionError(f"nobody listens on {port} of {host}")


def test_a_grid_on_two_hosts_that_share_nothing(two_hosts, work):
    torch.save({"state_dict": tiny.net().state_dict()}, work / "secret.pt")
    options = {"endpoint_url": f"http://{A}:5001", "key": "k", "secret": "s", "region": "us-east-1"}
    path = write(
        work / "c.yaml",
        config(
            models=[{"name": "a", "factory": "tiny:net", "checkpoint": str(work / "secret.pt")}],
            images=[str(work / "photos/*.png")],
            layers=["conv1", "conv2"],
            seeds=[0, 1, 2],
            store="s3://bucket/lab",
            store_options=options,
            resources={"batch": 1, "custom": {"lab": 1}},
        ),
    )
    environment = os.environ | {
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": f"{HERE}:{ROOT}",
        "RAY_DISABLE_IMPORT_WARNING": "1",
        "DISTCARI_CACHE": str(work / "cache"),
    }
    python, bin_folder = sys.executable, Path(sys.executable).parent
    two_hosts(
        "dca",
        python,
        "-m",
        "moto.server",
        "-H",
        "0.0.0.0",
        "-p",
        5001,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    listens("dca", 5001)
    run(
        "ip",
        "netns",
        "exec",
        "dca",
        python,
        "-c",
        f"import urllib.request as u; u.urlopen(u.Request('http://{A}:5001/bucket', method='PUT'))",
    )
    ray = [bin_folder / "ray", "start", "--disable-usage-stats", "--block", "--object-store-memory=100000000"]
    sockets = tempfile.mkdtemp(prefix="r", dir="/tmp")  # paths of sockets must be short
    log = (work / "ray.log").open("w")
    two_hosts(
        "dca",
        *ray,
        "--head",
        "--num-cpus=0",
        f"--node-ip-address={A}",
        "--port=6399",
        "--include-dashboard=false",
        f"--temp-dir={sockets}",
        env=environment,
        stdout=log,
        stderr=log,
    )
    listens("dca", 6399)
    # The second host does not see the first one's working folder: it lies behind an empty one.
    hide = f'hostname lab-b && mount -t tmpfs none {work} && exec "$@"'
    two_hosts(
        "dcb",
        "unshare",
        "-m",
        "-u",
        "sh",
        "-c",
        hide,
        "sh",
        *ray,
        "--num-cpus=2",
        '--resources={"lab": 2}',
        f"--address={A}:6399",
        f"--node-ip-address={B}",
        env=environment,
        stdout=log,
        stderr=log,
        cwd="/",
    )
    submit = ["ip", "netns", "exec", "dca", python, "-m", "distcari.submit", path, "--address", f"{A}:6399"]
    done = subprocess.run(
        [*submit, "--set", "resources.actors=2", "--wait", "120"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=work,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    read = (
        "import pandas, sys; pandas.read_parquet('s3://bucket/lab/index', storage_options={'key': 'k', 'secret': "
        f"'s', 'client_kwargs': {{'endpoint_url': 'http://{A}:5001'}}}}).to_parquet(sys.argv[1])"
    )
    run("ip", "netns", "exec", "dca", python, "-c", read, work / "index.parquet")
    frame = pd.read_parquet(work / "index.parquet")
    assert len(frame) == 12
    assert set(frame["node"]) == {"lab-b"}  # the head, where the driver and all files are, has no processor to lend
    shutil.rmtree(sockets, ignore_errors=True)
