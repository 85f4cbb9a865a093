"""Runs that are interrupted, killed, doubled and poisoned, on a real local Ray through the command line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image
from support.commands import serially, submit
from support.shared import config, write

from distcari import open_store

pytestmark = pytest.mark.timeout(300)


def started(path, deaf=False):
    """A run in the background, caught as soon as it has committed one more part of the index; `deaf`: with SIGINT
    ignored, as a script's `&` starts its jobs."""
    before = parts()
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "distcari.submit", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if deaf else None,
    )
    while parts() == before:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    return process


def parts():
    return sorted(Path("store/index").glob("part-*"))


def slow_config():
    return config(
        models=[{"name": "a", "factory": "tiny:slow", "options": {"seconds": 0.05}}],
        layers=["conv1", "conv2"],
        seeds=[0, 1, 2, 3],
        render={"size": 32, "steps": 12},
        resources={"batch": 2, "actors": 1},
    )


def files(store="store"):
    return {p: p.stat().st_mtime_ns for p in Path(store).rglob("*") if p.is_file()}


def test_a_second_driver_is_refused_and_killed_runs_go_on(work):
    path = write(work / "c.yaml", slow_config())
    first = started(path)
    Path("hold").touch()  # or it might end before it is killed
    code, said = serially(path)
    assert code == 2 and "store lease 'small'" in said and f"process {first.pid}" in said and "stop it" in said
    first.kill()
    first.wait()
    Path("hold").unlink()
    before = pd.read_parquet("store/index")

    second = started(path, deaf=True)  # takes the dead one's lease over at once
    Path("hold").touch()
    second.terminate()
    said = second.stdout.read()
    assert second.wait() == 130 and "nothing done is lost" in said and f"submit {path}" in said, said
    between = pd.read_parquet("store/index")
    assert set(before["key"]) <= set(between["key"]) and 0 < len(between) < 16

    notes = len(list(Path("store/runs").glob("*.json")))
    command = [sys.executable, "-m", "distcari.submit", path, "--executor", "serial"]
    third = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while len(list(Path("store/runs").glob("*.json"))) == notes:
        time.sleep(0.05)
    third.send_signal(signal.SIGINT)
    assert third.wait() == 130
    Path("hold").unlink()
    code, said = serially(path)
    assert code == 0, said
    after = pd.read_parquet("store/index")
    assert len(after) == after["key"].nunique() == 16
    kept = after.set_index("key").loc[list(between["key"])]
    assert (kept["finished_at"].to_numpy() == between["finished_at"].to_numpy()).all()  # nothing was computed twice
    states = sorted(json.loads(p.read_text())["state"] for p in Path("store/runs").glob("*.json"))
    assert states == ["crashed", "finished", "interrupted", "interrupted"]

    untouched = files()
    code, said = serially(path)
    assert code == 0 and "16 done already, 0 to do" in said
    assert files() == untouched  # 0 cells, 0 bytes


def test_deadly_and_unloadable_cells_end_alone_as_failures(work):
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(work / "photos/dark.png")
    path = write(
        work / "c.yaml",
        config(
            models=[
                {"name": "good", "factory": "tiny:net"},
                {"name": "deadly", "factory": "tiny:deadly"},
                {"name": "nowhere", "factory": "tiny:not_on_workers"},
            ],
            layers=["conv2"],
            seeds=[0],
            resources={"actors": 1},
        ),
    )
    code, said = submit(path)
    assert code == 1 and "--retry-failed" in said, said
    done, failed = pd.read_parquet("store/index"), pd.read_parquet("store/failures")
    assert sorted(zip(done["model"], done["image"], strict=True)) == [
        ("deadly", "one"),
        ("deadly", "two"),
        ("good", "dark"),
        ("good", "one"),
        ("good", "two"),
    ]
    failed = failed.set_index(["model", "image"])["error"]
    assert sorted(failed.index) == [("deadly", "dark"), ("nowhere", "dark"), ("nowhere", "one"), ("nowhere", "two")]
    assert "its worker was lost" in failed["deadly", "dark"]
    assert "cannot be loaded" in failed["nowhere", "one"] and "lacks the library" in failed["nowhere", "one"]
    assert (pd.read_parquet("store/failures")["attempt"] == 3).all()

    code, said = serially(path)
    assert code == 1 and "4 given up earlier" in said and "0 to do" in said


@pytest.mark.parametrize("name", ["raylet", pytest.param("gcs_server", marks=pytest.mark.long)])
def test_an_embedded_ray_that_loses_its_own_processes_ends_the_run_and_says_how_to_go_on(work, name):
    path = write(work / "c.yaml", slow_config())
    run = started(path)
    (work / "hold").touch()
    (own,) = [p for p in psutil.Process(run.pid).children(recursive=True) if name in p.name() or name in p.exe()]
    own.kill()
    said = run.stdout.read()
    assert run.wait() == 1 and name in said and "goes on where this one stopped" in said and "Traceback" not in said
    (work / "hold").unlink()
    before = {key: open_store().picture(key).tobytes() for key in pd.read_parquet("store/index")["key"]}
    code, said = serially(path)
    assert code == 0 and before and all(open_store().picture(key).tobytes() == was for key, was in before.items())
    assert pd.read_parquet("store/index")["key"].is_unique
