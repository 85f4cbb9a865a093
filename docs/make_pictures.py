"""Makes every picture of README and docs again, by real runs in a temporary folder, without a network.

    make pictures
    python docs/make_pictures.py --without planted rivals   # all but the two that take longest
    python docs/make_pictures.py --only dashboard --keep /tmp/pictures

With --keep the stores stay in that folder: what is computed there already is not computed again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import run_notebook
import screenshots
from PIL import Image

from distcari import open_store
from distcari.exchange.contact_sheet import contact_sheets

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TITLE = 30  # pixels: a contact sheet's first line


def main() -> int:
    """Make the kinds that are asked for, one after the other."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", nargs="+", metavar="KIND", choices=KINDS, default=list(KINDS), help=", ".join(KINDS))
    p.add_argument("--without", nargs="+", metavar="KIND", choices=KINDS, default=[])
    p.add_argument("--keep", type=Path, metavar="DIR", help="work here, and leave it there (default: a temporary one)")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for kind in (kind for kind in KINDS if kind in args.only and kind not in args.without):
            make, names = KINDS[kind]
            work = ((args.keep or Path(temporary)) / STORES.get(kind, kind)).resolve()
            work.mkdir(parents=True, exist_ok=True)
            make(work)
            print("\n".join(f"made: docs/{name}" for name in names), flush=True)
    return 0


def sheet(work: Path) -> None:
    """The contact sheets of the demo's three images, one below the other."""
    distcari(work, "demo")
    drawn = [np.asarray(image) for _, image in contact_sheets(open_store(str(work / "store")), "demo")]
    save([drawn[0], *(image[TITLE:] for image in drawn[1:])], DOCS / "demo.jpg")


def dashboard(work: Path) -> None:
    """The views of the demo's store, and its site."""
    distcari(work, "demo")
    screenshots.take(work / "store", screenshots.DEMO, DOCS / "dashboard")


def damage(work: Path) -> None:
    """The views that need more models than the demo has: those of the ladder of damage."""
    python(work, ROOT / "examples/damage/damage.py", "checkpoints")
    distcari(work, "submit", ROOT / "examples/damage/damage.yaml")
    screenshots.take(work / "store", screenshots.DAMAGE, DOCS / "dashboard")


def differences(work: Path) -> None:
    """The first contact sheet of difference caricatures; prints the table that stands below it in the docs."""
    distcari(work, "submit", ROOT / "configs/differences.yaml")
    distcari(work, "cross", "store", "differences")
    _, first = next(contact_sheets(open_store(str(work / "store")), "differences"))
    save([np.asarray(first)], DOCS / "differences.jpg")


def notebook(_: Path) -> None:
    """The tour with its outputs."""
    run_notebook.main()


def planted(work: Path) -> None:
    """36 networks trained on planted differences; prints every figure of docs/evidence.md as well."""
    shutil.copytree(ROOT / "examples/planted", work, dirs_exist_ok=True)
    python(work, "train.py")
    distcari(work, "submit", "planted.yaml")
    python(work, "analyse.py", "--pictures", DOCS)


def rivals(work: Path) -> None:
    """What each tool draws in the same time, for two kinds of network; prints tables too. It needs extra `bench`."""
    compared = ROOT / "benchmarks/rivals.py"
    python(work, compared, "--layers", "_blocks_10", "--images", "chelsea", "coffee", "--sheet", DOCS / "rivals.jpg")
    resnet = ["--network", "half-resnet", "--layers", "layer2_3", "layer3_5", "--images", "chelsea", "rocket"]
    python(work, compared, *resnet, "--sheet", DOCS / "rivals_resnet.jpg")


# What each makes, by its path in docs/; the slowest last.
KINDS: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "sheet": (sheet, ["demo.jpg"]),
    "dashboard": (dashboard, [f"dashboard/{name}.jpg" for name in screenshots.DEMO]),
    "differences": (differences, ["differences.jpg"]),
    "notebook": (notebook, ["notebook.ipynb"]),
    "damage": (damage, [f"dashboard/{name}.jpg" for name in screenshots.DAMAGE]),
    "rivals": (rivals, ["rivals.jpg", "rivals_resnet.jpg"]),
    "planted": (planted, ["planted_scenes.png", "planted.jpg"]),
}
STORES = {"sheet": "demo", "dashboard": "demo"}  # folders of those that share one


def distcari(folder: Path, *words: str | Path) -> None:
    """A command, as a user in that folder types it."""
    python(folder, "-m", "distcari", *words)


def python(folder: Path, *words: str | Path) -> None:
    """A script, run in that folder."""
    subprocess.run([sys.executable, *map(str, words)], cwd=folder, check=True)


def save(rows: list[np.ndarray], path: Path) -> None:
    """Pictures of one width, one below the other."""
    Image.fromarray(np.concatenate(rows)).save(path, quality=90, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
