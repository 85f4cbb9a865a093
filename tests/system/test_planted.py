"""The whole way in small: networks trained on planted differences, their caricatures by `submit`, and the analysis.

`pytest -m planted` runs this alone, with the engine's defaults. The example at its full size: examples/planted,
docs/evidence.md; there also that three batches of such small networks gave the same.
"""

import subprocess
import sys

import numpy as np
import pytest
import yaml
from support.shared import ROOT, write

from distcari.analysis import between_within, compare

EXAMPLE = ROOT / "examples/planted"
pytestmark = [pytest.mark.long, pytest.mark.planted, pytest.mark.timeout(900)]
# Two comparisons, planned: the clearest of one_texture at full size (docs/evidence.md), and its first sentence, there.
FIGURES, LAYER, VARIANT, FIRST = ["calibrated_cosine", "colour_uniformity"], "block3", "one_texture", 30
WIDTHS = [8, 16, 24, 32, 32]
VARIED = [f"all_vary_{FIRST + i}" for i in range(8)]
FIXED = [f"{VARIANT}_{FIRST + i}" for i in range(4)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Eight small networks of all_vary and four of the variant, each from its own seed and scenes; 3 seeds."""
    work = tmp_path_factory.mktemp("planted")
    code = f"""
import sys, torch
from pathlib import Path
sys.path.insert(0, {str(EXAMPLE)!r})
from train import save_probes, train
torch.set_num_threads(1)
Path("checkpoints").mkdir()
for name in {VARIED + FIXED}:
    variant, _, training = name.rpartition("_")
    model = train(variant, int(training), scenes=1024, epochs=6, batch=32, widths={WIDTHS})
    torch.save(model.state_dict(), f"checkpoints/{{name}}.pt")
save_probes(Path("images"), number=2)
"""
    subprocess.run([sys.executable, "-c", code], cwd=work, check=True)
    (work / "network.py").write_text((EXAMPLE / "network.py").read_text())
    config = yaml.safe_load((EXAMPLE / "planted.yaml").read_text())
    config["models"][0]["options"] = {"widths": WIDTHS}
    path = write(work / "c.yaml", config | {"layers": [LAYER], "images": ["images/"]})
    done = subprocess.run(
        [sys.executable, "-m", "distcari.submit", path, "--set", "render.steps=48"],
        cwd=work,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "72 cells computed" in done.stdout, done.stdout + done.stderr
    return str(work / "store")


def test_a_planted_difference_is_found(store):
    """Networks that know one texture answer to little else: pictures farther from the input, of fewer colours."""
    found = compare(store, FIXED, VARIED, figures=FIGURES)
    print(found)
    cosine, uniformity = found.figures.set_index("figure").loc[FIGURES].to_dict("records")
    assert cosine["significant"] and cosine["difference"] < cosine["high"] < 0
    assert uniformity["significant"] and uniformity["difference"] > uniformity["low"] > 0


def test_none_is_found_between_trainings_of_one_variant(store):
    """In no way of parting eight trainings in two that was asked for, though each could have been significant."""
    names = np.array(VARIED)
    for a in ([0, 1, 2, 3], [0, 2, 4, 6]):
        b = [i for i in range(8) if i not in a]
        found = compare(store, list(names[a]), list(names[b]), figures=FIGURES)
        print(found)
        assert found.figures["smallest_p"].max() < 0.05 and not found.figures["significant"].any()


def test_two_trainings_of_one_variant_are_two_networks_all_the_same(store):
    """By their seeds they do differ, and the note says why that is no claim about what they were trained on."""
    found = between_within(store, groups={name: [name] for name in VARIED[:2]})
    assert found["significant"].all() and found.attrs["unit"] == "seed"
    assert "compare groups of trainings" in compare(store, VARIED[0], VARIED[1], figures=FIGURES).notes[0]
