"""The reference pages are what the commands say of themselves."""

import typer
from support.shared import ROOT

from distcari.cli.main import app, main
from distcari.cli.reference import pages

PAGES = pages(typer.main.get_command(app))


def test_the_pages_are_as_the_code_says():
    for name, text in PAGES.items():
        assert (ROOT / "docs/reference" / name).read_text(encoding="utf-8") == text, (
            f"docs/reference/{name} is old; renew it: distcari reference docs/reference"
        )


def test_the_command_writes_them_where_it_is_told(tmp_path):
    assert main(["reference", str(tmp_path / "new")]) == 0
    assert {p.name: p.read_text(encoding="utf-8") for p in (tmp_path / "new").iterdir()} == PAGES
    assert "## distcari config init" in PAGES["cli.md"] and "| render | `steps`" in PAGES["config.md"]
