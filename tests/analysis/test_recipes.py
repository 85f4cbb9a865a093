"""Every snippet of docs/analysis.md runs as it stands, on a store like the demo's."""

import re

import pytest
from support.analysis_store import make
from support.shared import ROOT

from distcari.store.models import update_models

FAMILY = [f"{camera}_{epoch}" for camera in ("one", "all") for epoch in range(4)]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/analysis.md").read_text(), re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    make(
        folder / "store",
        models=("lite0", "lite1"),
        images=("chelsea", "astronaut", "coffee"),
        layers=("_blocks_4", "_blocks_10"),
        seeds=(0, 1),
        name="demo",
    )
    family = make(folder / "family", FAMILY, images=("cat",), layers=("l1",), seeds=(0, 1))
    tags = [{"camera": model.split("_")[0], "epoch": int(model[-1])} for model in FAMILY]
    update_models(family.files, [{"experiment": "e", "model": m, **t} for m, t in zip(FAMILY, tags, strict=True)])
    return folder


@pytest.mark.filterwarnings("ignore:One training each", "ignore:One seed each", "ignore:No difference can")
@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_run(folder, snippet, monkeypatch):
    monkeypatch.chdir(folder)
    exec(compile(snippet, "docs/analysis.md", "exec"), {})


def test_there_is_a_snippet_for_each_tool():
    assert all(any(f"import {tool}" in s for s in SNIPPETS) for tool in ("pandas", "duckdb", "xarray", "compare"))
