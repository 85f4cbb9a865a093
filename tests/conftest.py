"""Shared pieces: a tiny convolutional network made by a factory, a config for it, small pictures."""

import sys
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
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    (tmp_path / "photos").mkdir()
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(tmp_path / f"photos/{name}.png")
    return tmp_path


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
