"""The documentation holds to the code: its table is the generated one, its snippets run, its links lead on."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from support.shared import ROOT
from torch import nn

from distcari.grid import Axis, Grid
from distcari.store import Store, exemplars
from distcari.store.models import update_models
from distcari.store.schema import COLUMNS, column_reference

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def between(name, page):
    return re.search(rf"<!-- {name} -->\n(.*)\n<!-- /{name} -->", (ROOT / page).read_text(), re.S)[1]


def test_the_table_of_columns_is_the_generated_one():
    assert between("columns", "docs/store.md") == column_reference()


def test_the_columns_of_exemplars_are_those_that_there_are():
    named = re.findall(r"^\| `(\w+)` \| (.*) \|$", between("exemplars", "docs/store.md"), re.M)
    assert named == [(field.name, field.metadata[b"meaning"].decode()) for field in exemplars.SCHEMA]


def snippets(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.S)


@pytest.fixture
def demo_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grid = Grid(
        "demo",
        "s",
        tuple(
            Axis(n, {label: str(label)})
            for n, label in (("model", "lite0"), ("image", "chelsea"), ("layer", "_blocks_10"), ("seed", 0))
        ),
    )
    store = Store("store", writable=True)
    arrays = store.prepare(grid, {"settings": {}, "steps": {}}, size=16, input_size=8, steps=2, dtype="float32")
    cell = next(grid.cells())
    sha = arrays.write((0, 0, 0, 0), np.full((16, 16, 3), 0.5), np.zeros(2), np.zeros((56, 56)))
    row = dict.fromkeys(COLUMNS) | dict(zip(arrays.axes, cell.labels, strict=True))
    update_models(store.files, [{"experiment": "demo", "model": "lite0", "parameters": 4_652_008}])
    store.commit([row | {"key": cell.key, "experiment": "demo", "pixels_sha256": sha, "colour_uniformity": 0.5}])


ON_A_STORE = [(page, text) for page in ("README.md", "docs/store.md") for text in snippets(page) if "store" in text]


@pytest.mark.parametrize(("page", "snippet"), ON_A_STORE)
def test_store_snippets_run(demo_store, page, snippet):
    exec(compile(snippet, page, "exec"), {})


def test_there_is_a_snippet_for_each_tool():
    wanted = {"docs/store.md": "pandas xarray duckdb open_store", "README.md": "pandas xarray caricature"}
    for page, tools in wanted.items():
        assert all(any(tool in text for text in snippets(page)) for tool in tools.split())


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer3 = nn.Sequential(nn.Conv2d(3, 32, 8, 8), nn.ReLU(), nn.Conv2d(32, 32, 1), nn.ReLU())

    def forward(self, x):
        return self.layer3(x)


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_snippet_of_one_picture_runs(tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    (snippet,) = [s for s in snippets(page) if "difference(" in s]
    image = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    exec(compile(snippet, page, "exec"), {"model": Small(), "other": Small(), "image": image})
    assert (tmp_path / "picture.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("module", "without"),
    [("distcari", "torch ray"), ("distcari.store", "torch ray"), ("distcari.config", "torch ray zarr")],
)
def test_light_parts_stay_light(module, without):
    code = f"import sys, {module}; print([m for m in {without.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_page_is_in_the_menu():
    menu = re.findall(r": ([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(menu) == sorted(str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """Every relative link and picture of the documentation exists."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"", page.read_text()):
        assert (page.parent / "".join(target)).exists(), target


def test_every_picture_of_the_documentation_is_made_by_one_command(monkeypatch):
    """And `make pictures` makes none that no page shows."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    from make_pictures import KINDS

    shown = {
        (page.parent / name).resolve()
        for page in PAGES
        for name in re.findall(r"!\[[^]]*\]\(([^)#:]+)\)|<img[^>]* src=\"([^\":]+)\"", page.read_text())
        for name in name
        if name
    }
    made = {(ROOT / "docs" / name).resolve() for _, names in KINDS.values() for name in names}
    kept = {path.resolve() for end in ("jpg", "png", "webp", "svg") for path in (ROOT / "docs").rglob(f"*.{end}")}
    assert shown == kept == {path for path in made if path.suffix != ".ipynb"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page):
    """Files of the repository that a page names in code: moved ones would send a reader into the void."""
    folders = "distcari|dashboard|tests|benchmarks|configs|docs"
    named = re.findall(rf"\b((?:{folders})/[\w./-]+\.(?:py|yaml|md|css|js))\b", page.read_text())
    examples = {"configs/lab.yaml"}
    assert [name for name in named if name not in examples and not (ROOT / name).exists()] == []


def test_every_guarantee_names_a_test_that_there_is():
    table = (ROOT / "docs/operations.md").read_text().partition("## Guarantees")[2].partition("What is *not*")[0]
    named = re.findall(r"`(tests/[\w/]+\.py)`", table)
    assert len(set(named)) >= 9 and all((ROOT / name).exists() for name in named)
