"""A published site at 100,800 cells, from the disk in Chromium: 240 cells painted, sorted, scrolled; Explore.

    python benchmarks/published.py            # about five minutes, half a GiB of disk in the temporary folder

The store is that of benchmarks/dashboard.py: the 240 cells of the first view have pixels of their own; the others show
those again, so encoding is not measured. Painted: every picture in
the window is decoded. Exit code 1 if a target is missed.
"""

import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)  # not this folder: its dashboard.py would stand for the package

from benchmarks.dashboard import CHROMIUM, build  # noqa: E402
from distcari.site import pictures  # noqa: E402
from distcari.site.publish import publish  # noqa: E402
from distcari.store import Store  # noqa: E402

PAINT = 1.0  # seconds: the target
PAINTED = """(first) => {
  const tiles = [...document.querySelectorAll('.sheet .tile')], head = document.querySelector('.of-row .label');
  const images = tiles.map((t) => t.querySelector('img'));
  return images.length === 240 && images.every((i) => i && i.complete && i.naturalWidth)
    && (!first || head.title !== first) && performance.now() / 1000;
}"""
SEEN = """() => {
  const tiles = [...document.querySelectorAll('.sheet .tile')];
  return document.querySelector('.stage').scrollTop > 1000 && tiles.length
    && tiles.every((t) => t.querySelector('img')?.naturalWidth) && performance.now() / 1000;
}"""


def main() -> int:
    """Build, publish, measure, print; whether the target was met."""
    with tempfile.TemporaryDirectory(prefix="site-bench") as folder:
        print("building a store of 100,800 rows …", flush=True)
        store = build(f"{folder}/store", 20)
        only_first(store)
        began = time.perf_counter()
        done = publish(store, Path(folder) / "site")
        lines = [("publish, without encoding", time.perf_counter() - began, None)]
        began = time.perf_counter()
        publish(store, Path(folder) / "site")
        lines.append(("publish again, nothing changed", time.perf_counter() - began, None))
        scripts = [path.stat().st_size for path in (Path(folder) / "site/data").iterdir()]
        print(f"{done.cells:,} cells; data: {len(scripts)} files, {sum(scripts) / 1e6:.1f} MB", flush=True)
        lines += browser((Path(folder) / "site/index.html").as_uri())
    missed = 0
    for name, seconds, target in lines:
        bad = target is not None and seconds > target
        missed += bad
        print(f"{name:52}{seconds:>8.3f} s{f'{target:g} s' if target else '—':>10}{'   missed' if bad else ''}")
    return 1 if missed else 0


def only_first(store: Store) -> None:
    """Let all cells show the 240 pictures that there are."""
    arrays = store.arrays("bench")
    table = store.table([*arrays.axes, "pixels_sha256"])
    real = table[(table["image"] == "image_00") & (table["seed"] == 0)].set_index("pixels_sha256")[list(arrays.axes)]
    real = real[~real.index.duplicated()]
    own = {sha: sha if sha in real.index else real.index[i % len(real)] for i, sha in enumerate(table["pixels_sha256"])}
    name = pictures.Pictures.name

    def stored(catalog: object, row: Mapping[str, str]) -> NDArray[np.float32]:
        labels = real.loc[own[row["pixels_sha256"]]]
        return arrays.picture(arrays.place([labels[axis] for axis in arrays.axes]))

    pictures.Pictures.name = lambda self, content: name(self, own.get(content, content))  # type: ignore[method-assign]
    pictures.stored = stored  # type: ignore[assignment]


def browser(address: str) -> list[tuple[str, float, float | None]]:
    """What a reader waits for."""
    from playwright.sync_api import Page, sync_playwright

    def wait(page: Page, expression: str, argument: object = None) -> float:
        until = time.monotonic() + 60
        while not (found := page.evaluate(expression, argument)):  # Playwright's own way needs eval
            assert time.monotonic() < until, f"never true: {expression}"
            page.wait_for_timeout(10)
        return float(found)

    lines: list[tuple[str, float, float | None]] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for turn in ("first", "again"):
            page = chromium.new_page(viewport={"width": 1600, "height": 900})
            page.goto(address + "?view=compare&compare.tiles=small")
            lines.append((f"240 cells painted, {turn}", wait(page, PAINTED), PAINT))
            if turn == "first":
                page.close()
        began = page.evaluate("performance.now() / 1000")
        page.select_option("select[name=sort_rows]", "-gain")
        lines.append(("sorted by gain, painted", wait(page, PAINTED, "resnet_50_train_00") - began, None))
        page.goto(address + "?view=compare&rows=seed&cols=image")
        page.wait_for_selector(".tile img")
        began = page.evaluate("performance.now() / 1000")
        page.evaluate("document.querySelector('.stage').scrollTo(0, 1e6)")
        lines.append(("scrolled to the end of 420 cells, painted", wait(page, SEEN) - began, None))
        for kind in ("violin", "scatter"):
            page.goto(address + f"?view=explore&explore.kind={kind}")
            took = wait(
                page, "() => document.querySelector('.strip-tiles img')?.naturalWidth && performance.now() / 1000"
            )
            lines.append((f"Explore: {kind} of 100,800 cells", took, None))
        chromium.close()
    return lines


if __name__ == "__main__":
    sys.exit(main())
