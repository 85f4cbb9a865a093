"""The README holds to the code: its tables are the generated ones, and its snippets run on a real store."""

import re
import subprocess
import sys

import numpy as np
import pytest
from support.shared import ROOT

from distcari.config.load import reference
from distcari.grid import Axis, Grid
from distcari.store import Store
from distcari.store.schema import COLUMNS, column_reference

README = (ROOT / "README.md").read_text()


def between(name):
    return re.search(rf"<!-- {name} -->\n(.*)\n<!-- /{name} -->", README, re.S)[1]


def test_the_tables_are_the_generated_ones():
    assert between("schema") == reference()
    assert between("columns") == column_reference()


@pytest.fixture
def demo_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid = Grid("demo", "s", tuple(Axis(n, {label: str(label)}) for n, label in
                                   (("model", "lite0"), ("image", "chelsea"), ("layer", "_blocks_10"), ("seed", 0))))
    store = Store("store", writable=True)
    arrays = store.prepare(grid, {"settings": {}, "steps": {}}, size=16, input_size=8, steps=2, dtype="float32")
    cell = next(grid.cells())
    sha = arrays.write((0, 0, 0, 0), np.full((16, 16, 3), 0.5), np.zeros(2), np.zeros((56, 56)))
    row = dict.fromkeys(COLUMNS) | dict(zip(arrays.axes, cell.labels, strict=True))
    store.commit([row | {"key": cell.key, "experiment": "demo", "pixels_sha256": sha, "colour_uniformity": 0.5}])


SNIPPETS = [s for s in re.findall(r"```python\n(.*?)```", README, re.S) if "store" in s]


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_store_snippets_run(demo_store, snippet):
    exec(compile(snippet, "README.md", "exec"), {})


def test_there_is_a_snippet_for_each_tool():
    assert all(any(tool in s for s in SNIPPETS) for tool in ("pandas", "xarray", "duckdb", "open_store"))


@pytest.mark.parametrize(("module", "without"), [("distcari", "torch ray"), ("distcari.store", "torch ray"),
                                                 ("distcari.config", "torch ray zarr")])
def test_light_parts_stay_light(module, without):
    code = f"import sys, {module}; print([m for m in {without.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_imports_run_one_way():
    """submit → cluster → {render, store, sources} → {grid, experiment, settings}."""
    package = ROOT / "distcari"
    forbidden = {"render": "store|sources|cluster|grid|experiment|submit", "store": "render|sources|cluster|submit",
                 "sources": "render|store|cluster|submit", "cluster": "submit"}
    for part, others in forbidden.items():
        for path in (package / part).rglob("*.py"):
            assert not re.search(rf"^\s*(from|import) distcari\.({others})\b", path.read_text(), re.M), path


def test_links_lead_somewhere():
    """Every relative link and picture of the documentation exists."""
    root = ROOT
    for page in [root / "README.md", *root.glob("docs/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)|src=\"([^\":]+)\"", page.read_text()):
            assert (page.parent / "".join(target)).exists(), f"{page.name}: {target}"


def test_every_guarantee_names_a_test_that_there_is():
    root = ROOT
    table = (root / "docs/operations.md").read_text().partition("## Guarantees")[2].partition("What is *not*")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)`", table)
    assert len(set(named)) >= 9 and all((root / name).exists() for name in named)
