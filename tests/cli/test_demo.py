"""The embedded demo, from a folder that knows nothing of the checkout."""

import pandas as pd
import pytest
from support.commands import run

from distcari.cli.main import main

SMALL = [
    "--set",
    "render.steps=1",
    "--set",
    "render.size=32",
    "--set",
    "layers=[_blocks_2]",
    "--set",
    "images=[{sample: chelsea}]",
    "--set",
    "seeds=[0]",
    "--set",
    "render.precision=float32",
    "--set",
    "resources.actors=1",
]


@pytest.mark.timeout(600)
def test_the_demo_needs_no_config_and_says_what_to_do_next(work):
    code, said = run("demo", "--out", "my store", *SMALL)
    assert code == 0, said
    assert "2 cells computed" in said and "next: distcari dashboard --store 'my store'" in said
    assert set(pd.read_parquet("my store/index")["model"]) == {"lite0", "lite1"}
    code, said = run("demo", "--out", "my store", *SMALL)
    assert code == 0 and "2 done already" in said


def test_a_wrong_setting_is_said(work, capsys):
    assert main(["demo", "--set", "render.stepz=1"]) == 2
    assert "unknown field" in capsys.readouterr().err
