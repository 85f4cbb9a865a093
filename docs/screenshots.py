"""The pictures of docs/dashboard.md: every view of the demo's store, taken in Chromium.

    make demo && python docs/screenshots.py          # into docs/dashboard/
    python docs/screenshots.py --store DAMAGE        # Findings, of the store that examples/damage makes

Works on a copy of the store, for it also writes a note.
"""

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pandas as pd
import skimage.data
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PAIR = "exp=demo&" + "&".join(
    f"{slot}.{at}"
    for slot, model in (("a", "lite0"), ("b", "lite1"))
    for at in ("experiment=demo", f"model={model}", "image=chelsea", "layer=_blocks_10", "seed=0")
)
# name: (query string, width, height, scheme)
VIEWS = {
    "overview": ("?view=overview&exp=demo", 1280, 900, "light"),
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
    "distances": ("?view=explore&exp=demo&explore.kind=matrix", 1280, 760, "light"),
    "table": ("?view=table&exp=demo&table.sort=-robust_gain", 1280, 640, "light"),
    "cell": ("?view=cell&cell={cell}", 1280, 1000, "light"),
    "exemplars": ("?view=cell&cell={cell}", 1280, 1000, "dark"),  # once there are some
    "run": ("?view=run", 1280, 700, "light"),
    "notes": ("?view=notes", 1280, 420, "light"),
    "phone": ("?exp=demo&rows=layer&cols=model&at.image=chelsea", 390, 780, "light"),
}
DAMAGE = {"findings": ("?view=findings&findings.kind=trend&findings.over=noise", 1440, 1080, "light")}
SITE = "?view=compare&rows=model&cols=layer&at.image=chelsea"  # of a published site


def main() -> int:
    """Serve a copy of the store and photograph it."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--store", default=str(ROOT / "store"), help="the demo's store (default: store)")
    p.add_argument("--out", default=str(ROOT / "docs" / "dashboard"), help="default: docs/dashboard")
    p.add_argument("--only", nargs="*", choices=[*VIEWS, *DAMAGE, "site"], help="these views alone")
    args = p.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("no chromium here (Debian: apt-get install chromium)", file=sys.stderr)
        return 2
    index = pd.read_parquet(f"{args.store}/index")
    views = DAMAGE if "damage" in set(index["experiment"]) else VIEWS
    cell = index.query("image == 'coffee' and layer == '_blocks_10'")["key"].iloc[-1]
    Path(args.out).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free, sync_playwright() as playwright:
        shutil.copytree(args.store, f"{folder}/store")
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        serve = [sys.executable, ROOT / "dashboard" / "app.py", "--store", "store", "--port", str(port)]
        server = subprocess.Popen(serve, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}/"
            wait(address)
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            if views is VIEWS:
                note(browser, address + VIEWS["side-difference"][0])
                if "site" in (args.only or ["site"]):
                    publish(folder)
                    shown = Path(f"{folder}/site/index.html").as_uri() + SITE
                    photograph(browser, shown, f"{args.out}/site.jpg", 1280, 660, "light")
            for name in [name for name in args.only or views if name != "site"]:
                if name == "exemplars":
                    look_for_exemplars(folder)
                search, width, height, scheme = views[name]
                out = f"{args.out}/{name}.jpg"
                photograph(browser, address + search.format(cell=cell), out, width, height, scheme)
                print(out, flush=True)
        finally:
            server.terminate()
            server.wait()
    return 0


def publish(folder: str) -> None:
    """The site of the copied store."""
    told = ["--out", f"{folder}/site", "--title", "What two EfficientNets see"]
    subprocess.run([sys.executable, "-m", "distcari", "publish", f"{folder}/store", *told], check=True, cwd=ROOT)


def look_for_exemplars(folder: str) -> None:
    """Rank the photographs that scikit-image's wheel holds, parts of them too."""
    shutil.copytree(Path(skimage.data.__file__).parent, f"{folder}/photographs")
    command = "exemplars store --from photographs --crops --only model=lite1 --only image=coffee"
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


def photograph(browser: Browser, address: str, out: str, width: int, height: int, scheme: str) -> None:
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
    page.wait_for_timeout(1500)  # plots are drawn after their figures came
    page.screenshot(path=out, type="jpeg", quality=80)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
