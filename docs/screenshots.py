"""The pictures of docs/dashboard.md and docs/site.md, taken in Chromium, for make_pictures.py.

The store is copied first, for a note is written into it.
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import skimage.data
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
# Photographs that come with scikit-image, for the exemplars.
PNG = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "moon", "motorcycle_left")
PHOTOGRAPHS = [*(f"{name}.png" for name in PNG), "hubble_deep_field.jpg", "rocket.jpg"]
PAIR = "exp=demo&" + "&".join(
    f"{slot}.{at}"
    for slot, model in (("a", "lite0"), ("b", "lite1"))
    for at in ("experiment=demo", f"model={model}", "image=chelsea", "layer=_blocks_10", "seed=0")
)
# name: (query string, width, height, scheme)
DEMO = {
    "compare": ("?exp=demo&rows=model&cols=layer&at.image=chelsea", 1280, 700, "light"),
    "compare-images": ("?exp=demo&rows=image&cols=layer&at.model=lite1&sort_rows=-gain", 1280, 940, "dark"),
    "side": (f"?view=side&{PAIR}", 1280, 900, "light"),
    "side-difference": (f"?view=side&{PAIR}&side.mode=difference&side.scale=fit", 1280, 900, "dark"),
    "explore": (
        "?view=explore&exp=demo&explore.kind=violin&explore.x=model&explore.y=colour_uniformity",
        1280,
        760,
        "light",
    ),
    "table": ("?view=table&exp=demo&table.sort=-robust_gain", 1280, 640, "light"),
    "cell": ("?view=cell&cell={cell}", 1280, 1000, "light"),
    "exemplars": ("?view=cell&cell={cell}", 1280, 1000, "dark"),  # once there are some
    "run": ("?view=run", 1280, 700, "light"),
    "notes": ("?view=notes", 1280, 420, "light"),
    "phone": ("?exp=demo&rows=layer&cols=model&at.image=chelsea", 390, 780, "light"),
}
DEMO["site"] = ("?view=compare&rows=model&cols=layer&at.image=chelsea", 1280, 660, "light")
DAMAGE = {
    "overview": ("?view=overview&overview.by=noise", 1280, 900, "light"),
    "distances": ("?view=explore&explore.kind=matrix", 1280, 760, "light"),
    "findings": ("?view=findings&findings.kind=trend&findings.over=noise", 1440, 1080, "light"),
}
PLOTTED = ("overview", "findings", "side", "side-difference", "explore", "distances", "cell", "exemplars")
DRAWN = "() => [...document.querySelectorAll('.dash-graph')].every((plot) => plot.querySelector('.main-svg'))"
Views = Mapping[str, tuple[str, int, int, str]]


def take(store: Path, views: Views, out: Path) -> None:
    """Photograph these views of a store into a folder, as `<name>.jpg`."""
    out.mkdir(parents=True, exist_ok=True)
    index = pd.read_parquet(store / "index")
    cell = index.query("model != 'lite0' and image == 'coffee' and layer == '_blocks_10'")["key"].iloc[0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        shutil.copytree(store, f"{folder}/store")
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        with served(folder) as address:
            for name, (search, width, height, scheme) in views.items():
                if name == "notes":
                    note(browser, address + DEMO["side-difference"][0])
                if name == "exemplars":
                    look_for_exemplars(folder)
                start = publish(folder) if name == "site" else address
                shown = start + search.format(cell=cell)
                photograph(browser, shown, f"{out}/{name}.jpg", width, height, scheme, plotted=name in PLOTTED)


def chromium() -> str:
    """The browser of this machine."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        sys.exit("no chromium here (Debian: apt-get install chromium)")
    return found


@contextmanager
def served(folder: str) -> Iterator[str]:
    """The address of the dashboard of `store` in this folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [sys.executable, ROOT / "dashboard" / "app.py", "--store", "store", "--port", str(port)]
    server = subprocess.Popen(serve, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}/"
        wait(address)
        yield address
    finally:
        server.terminate()
        server.wait()


def publish(folder: str) -> str:
    """The address of the store's site."""
    told = ["--out", "site", "--title", "What two EfficientNets see"]
    subprocess.run([sys.executable, "-m", "distcari", "publish", "store", *told], check=True, cwd=folder)
    return Path(f"{folder}/site/index.html").as_uri()


def look_for_exemplars(folder: str) -> None:
    """Rank photographs, and parts of them."""
    photographs = Path(folder, "photographs")
    photographs.mkdir()
    for name in PHOTOGRAPHS:
        shutil.copy(Path(skimage.data.__file__).parent / name, photographs)
    command = (
        "exemplars store --from photographs --crops --only model=lite1 --only image=coffee --only layer=_blocks_10"
    )
    subprocess.run([sys.executable, "-m", "distcari", *command.split()], cwd=folder, check=True)


def wait(address: str) -> None:
    """Until the server answers."""
    for _ in range(600):
        try:
            urllib.request.urlopen(address)
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")


def note(browser: Browser, address: str) -> None:
    """Keep a note on a view, as a user would."""
    page = browser.new_page()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.keyboard.press("n")
    page.fill("textarea:visible", "lite1 turns the shaded cheek blue, lite0 does not. At other layers too?")
    page.click("#note-save")
    page.wait_for_selector("#note-list :text('cheek')")
    page.close()


def photograph(
    browser: Browser, address: str, out: str, width: int, height: int, scheme: str, *, plotted: bool
) -> None:
    """One view, once all its pictures and plots are drawn."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=1.25,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    page.goto(address)
    if "view=findings" in address:  # computed beside the page
        page.wait_for_selector("#findings-square .tile img", timeout=120_000)
    page.wait_for_load_state("networkidle")
    page.evaluate("() => Promise.all([...document.images].filter((i) => i.loading !== 'lazy').map((i) => i.decode()))")
    if plotted:
        page.wait_for_selector(".main-svg", timeout=120_000)
    page.wait_for_function(DRAWN, timeout=120_000)
    page.wait_for_timeout(1500)  # what is drawn settles
    page.screenshot(path=out, type="jpeg", quality=80)
    context.close()
