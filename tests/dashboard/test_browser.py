"""A real browser walks through every view, on the demo's store made here with real networks and few steps."""

import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from support.commands import serially
from support.dashboard_store import fail, finish, grid, prepare
from support.pages import OF_COLOURS, complaints, until
from support.served import served
from support.shared import ROOT, write

from distcari.dashboard.app import VIEWS
from distcari.store import Store
from distcari.store.arrays import to_8_bit

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The demo with two steps, and a small experiment with cells of every status."""
    folder = tmp_path_factory.mktemp("demo")
    url, demo = str(folder / "store"), yaml.safe_load((ROOT / "configs/demo.yaml").read_text())
    for model in demo["models"]:
        model["input_size"] = 64  # a tenth of the time
    changes = {"store": url, "render": {"steps": 2, "size": 64, "precision": "float32"}}
    code, said = serially(write(folder / "demo.yaml", demo | changes))
    assert code == 0, said
    store = Store(url, writable=True)
    g = grid("small", layers_of={"n": ["x", "y"]})
    arrays = prepare(store, g)
    cells = {cell.labels: cell for cell in g.cells()}
    finish(store, arrays, g, [cells["m", "cat", "x", 0], cells["n", "cat", "x", 0]])
    fail(store, g, cells["m", "cat", "y", 0], "FloatingPointError: not finite")
    return store


@pytest.fixture(scope="module")
def address(store):
    """The production server on a free port."""
    with served(store, threads=8) as address:
        yield address


@pytest.fixture(scope="module")
def profile(browser, address):
    """One profile with one tab for all tests: a fresh one would compile the page's scripts again, for seconds."""
    profile = browser.new_context(accept_downloads=True)
    profile.said, profile.asked = [], []

    def watch(page):
        page.on("console", lambda line: profile.said.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: profile.said.append(str(error)))
        page.on("request", lambda request: profile.asked.append(request.url))

    profile.on("page", watch)
    profile.new_page()
    yield profile
    profile.close()


@pytest.fixture
def context(profile, address):
    """The profile as if fresh; whatever the console says or whoever else is asked fails the test."""
    tab = profile.pages[0]
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.emulate_media(color_scheme="light")
    yield profile
    for other in profile.pages[1:]:
        other.close()
    tab.evaluate("localStorage.clear(), sessionStorage.clear()")
    said, asked = profile.said[:], profile.asked[:]
    profile.said.clear(), profile.asked.clear()
    assert said == []
    assert {urlsplit(url).netloc for url in asked if url.startswith("http")} <= {urlsplit(address).netloc}


@pytest.fixture
def page(context, address):
    page = context.pages[0]
    page.to = lambda search="": (page.goto(address + search), settled(page))
    return page


def settled(page):
    page.wait_for_selector("#page > *")
    page.wait_for_load_state("networkidle")


def tile(model, layer, image="chelsea"):
    return f'.tile[data-at*=\'"model": "{model}"\'][data-at*=\'"layer": "{layer}"\'][data-at*=\'"image": "{image}"\']'


def pixels(page, selector):
    """An <img> as the browser has decoded it, uint8 (y, x, 3)."""
    width, values = page.evaluate(
        """async (selector) => {
        const image = document.querySelector(selector);
        await image.decode();
        const canvas = Object.assign(document.createElement("canvas"),
                                     {width: image.naturalWidth, height: image.naturalHeight});
        canvas.getContext("2d").drawImage(image, 0, 0);
        return [canvas.width, [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]];
    }""",
        selector,
    )
    return np.array(values, np.uint8).reshape(-1, width, 4)[..., :3]


def test_compare_shows_the_grid_and_leads_to_the_cell_whose_pixels_are_the_stores(page, store):
    page.to("?view=compare&exp=demo")
    page.wait_for_selector(tile("lite1", "_blocks_14") + " img")
    assert page.locator(".tile.done").count() == 8
    alts = page.eval_on_selector_all("img", "images => images.map(image => image.alt)")
    assert all(alts) and any("lite1 at _blocks_14 seeing chelsea" in alt for alt in alts)
    page.hover(tile("lite0", "_blocks_4"))
    page.wait_for_selector("#card.open")
    assert "lite0" in page.inner_text("#card") and "gain" in page.inner_text("#card")
    page.click(tile("lite0", "_blocks_4"))
    page.wait_for_selector(".large img")
    key = re.search(r"cell=([0-9a-f]{32})", page.url)[1]
    row = store.row(key)
    assert (row["model"], row["layer"], row["image"]) == ("lite0", "_blocks_4", "chelsea")
    assert np.array_equal(pixels(page, ".large img"), to_8_bit(store.picture(key)))
    page.go_back()
    page.wait_for_selector(tile("lite0", "_blocks_4") + " img")


def test_cell_downloads_are_the_stores_and_its_lines_fetch_it(page, store):
    key = store.table()["key"][0]
    page.to(f"?view=cell&cell={key}")
    for kind in ("PNG", "NPY"):
        with page.expect_download() as download:
            page.click(f".downloads >> text={kind}")
        content = Path(download.value.path()).read_bytes()
        got = np.load(io.BytesIO(content)) if kind == "NPY" else np.asarray(Image.open(io.BytesIO(content)))
        wanted = store.picture(key)
        assert np.array_equal(got, wanted if kind == "NPY" else to_8_bit(wanted))
    lines = page.inner_text(".fetch code")
    scope = {}
    exec(lines, scope)
    assert np.array_equal(np.asarray(scope["picture"]), store.picture(key)) and scope["row"]["pixels_sha256"]


def test_every_slot_says_what_it_is(page):
    page.to("?view=compare&exp=small")
    page.wait_for_selector(".tile.failed")
    assert "FloatingPointError: not finite" in page.inner_text(".tile.failed")
    assert page.locator(".tile.pending").count() >= 1 and page.locator(".tile.not-planned").count() == 1
    assert page.locator(".tile").count() == 6


def test_keys_walk_and_are_silent_while_somebody_types(page):
    page.to("?view=compare&exp=demo")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector(tile("lite0", "_blocks_4", "astronaut"))
    assert "astronaut" in page.url
    page.keyboard.press("?")
    page.wait_for_selector("text=this list")
    page.keyboard.press("Escape")
    page.wait_for_selector("text=this list", state="hidden")
    before = page.url
    page.click("#experiments")
    page.keyboard.type("m?1")
    assert page.url == before and page.locator("text=this list").count() == 0


def test_picks_lead_to_side_by_side_and_the_url_is_the_view(page, context):
    page.to("?view=compare&exp=demo")
    for n, model in enumerate(("lite0", "lite1"), 1):
        page.hover(tile(model, "_blocks_10"))
        page.keyboard.press(str(n))
    page.wait_for_selector("#picks:not([hidden])")
    page.click("#picks >> text=/side by side/i")
    page.wait_for_selector("#side [data-active]")
    settled(page)
    shown = page.eval_on_selector_all("#side img", "images => images.map(image => image.getAttribute('src'))")
    other = context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#side [data-active]")
    settled(other)
    assert other.eval_on_selector_all("#side img", "images => images.map(i => i.getAttribute('src'))") == shown


def test_sorting_by_a_figure_is_in_the_url_and_in_the_order(page, store):
    page.to("?view=compare&exp=demo&sort_rows=-gain")
    frame = store.table()
    frame = frame[(frame["experiment"] == "demo") & (frame["image"] == "chelsea")]
    best = frame.groupby("model")["gain"].mean().idxmax()
    first = page.locator(".tile").first.get_attribute("data-at")
    assert f'"model": "{best}"' in first


def test_the_scheme_is_remembered(page, context, address):
    page.to()
    scheme = "document.documentElement.getAttribute('data-mantine-color-scheme')"
    before = page.evaluate(scheme)
    page.click("#theme")
    until(page, f"{scheme} !== '{before}'")
    again = context.new_page()
    again.goto(address, wait_until="commit")
    again.wait_for_selector("#page > *", state="attached")
    assert again.evaluate(scheme) != before
    settled(again)


@pytest.mark.parametrize("view", [*VIEWS, "compare&compare.tiles=small&sort_rows=-gain"])
def test_every_view_is_accessible_and_fits_the_phone(page, store, view):
    def still():
        """Until colours have faded over, which axe would take for poor contrast on the way."""
        page.evaluate("Promise.all(document.getAnimations().map(a => a.finished.catch(() => 0)))")

    cell = f"&cell={store.table()['key'][0]}" if view == "cell" else ""
    page.to(f"?view={view}&exp=demo{cell}")
    for scheme, rules in (("light", ()), ("dark", OF_COLOURS)):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_selector(f"html[data-mantine-color-scheme={scheme}]", state="attached")
        still()
        assert complaints(page, rules) == [], scheme
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 375, "height": 760})
    until(page, "document.documentElement.scrollWidth <= innerWidth")  # plots follow a moment later


def test_nothing_jumps_while_pictures_come(context, address):
    page = context.new_page()
    page.add_init_script("""window.jumps = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => {
        if (!e.hadRecentInput) window.jumps += e.value; })).observe({type: "layout-shift", buffered: true});""")
    page.goto(f"{address}?view=compare&exp=demo")
    page.wait_for_selector(".tile.done img")
    settled(page)
    assert page.evaluate("window.jumps") < 0.05


def test_a_store_that_is_being_written_and_an_empty_one(context, tmp_path):
    store = Store(str(tmp_path / "s"), writable=True)
    with served(store) as address:
        profile = context.browser.new_context()  # its own: the other store's server is another port
        page = profile.new_page()
        page.goto(f"{address}?view=compare")
        page.wait_for_selector("text=distcari submit CONFIG")
        g = grid(images=("cat",), seeds=(0,))
        arrays = prepare(store, g)
        cells = list(g.cells())
        finish(store, arrays, g, cells[:1])
        page.wait_for_selector(".tile.done img")
        finish(store, arrays, g, cells[1:], first=1)
        until(page, "document.querySelectorAll('.tile.done').length === 6")
        profile.close()  # or its page would go on asking


def test_table_explore_run_notes_and_the_sheet(page, store, address):
    page.to("?view=table&exp=demo")
    page.wait_for_selector(".ag-row img")
    with page.expect_download() as download:
        page.click("text=CSV")
    assert len(pd.read_csv(download.value.path())) == 24
    page.to("?view=explore&exp=demo")
    page.wait_for_selector(".js-plotly-plot .violinlayer path, .js-plotly-plot .violins path", state="attached")
    assert "24 finished cells" in page.inner_text("#page")
    page.to("?view=run")
    assert "24" in page.inner_text("#page") and "lite0" in page.inner_text("#page")
    page.to("?view=compare&exp=demo")
    with page.expect_download() as download:
        page.click("text=Sheet")
    assert Image.open(download.value.path()).width > 600
    page.keyboard.press("n")
    page.wait_for_selector("textarea:visible")
    page.fill("textarea:visible", "lite0 is <b>bluer</b>")
    page.click("button:visible:has-text('Keep'), button:visible:has-text('Save')")
    page.to("?view=notes")
    page.wait_for_selector("text=lite0 is <b>bluer</b>")
    assert "bluer" in store.files.read("notes/notes.jsonl").decode()


def test_the_way_to_the_table_and_back_is_a_page_that_has_its_library(page):
    page.to("?view=compare&exp=demo")
    assert page.evaluate("!window.dash_ag_grid")
    page.click("#tabs >> text=Table")
    page.wait_for_selector(".ag-row >> text=lite0")
    assert "exp=demo" in page.url
    page.click("#tabs >> text=Explore")
    page.wait_for_selector(".explore")
    page.go_back()
    page.wait_for_selector(".ag-row >> text=lite0")
    page.go_back()
    page.wait_for_selector(".tile.done img")
    page.go_forward()
    page.wait_for_selector(".ag-row >> text=lite0")
