"""The dashboard's floors: data knows neither HTTP nor HTML, the page knows data, views know the page and data."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support.shared import ROOT

HOUSE = ROOT / "dashboard"
BELOW = {
    "data": {"data"},
    "page": {"data", "page"},
    "pictures": {"data", "pictures"},
    "views": {"data", "page", "views"},
}
FILES = sorted(path.relative_to(HOUSE).as_posix() for room in BELOW for path in (HOUSE / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("file", FILES)
def test_a_room_knows_only_what_lies_below(file):
    room = file.partition("/")[0]
    names = imported(HOUSE / file)
    mine = {name.split(".")[2] for name in names if name.startswith("distcari.dashboard.")}
    assert mine <= BELOW[room], f"{file} imports {mine - BELOW[room]}"
    others = {name.partition(".")[0] for name in names}
    foreign = {"ray", "torch"} | ({"flask", "dash", "plotly", "dash_mantine_components"} if room == "data" else set())
    assert not others & foreign and not any(name.startswith("distcari.cli") for name in names)


def test_data_alone_brings_no_http_and_no_page():
    modules = ", ".join(f"distcari.dashboard.data.{path.stem}" for path in (HOUSE / "data").glob("[a-z]*.py"))
    code = f"import sys, {modules}; print([m for m in ('flask', 'dash', 'ray', 'torch') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
