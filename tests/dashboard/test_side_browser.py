"""Side by side in a real browser: what no server sees."""

import threading

import numpy as np
import pytest
from support.pages import until
from support.side_store import side_catalog
from werkzeug.serving import make_server

from distcari.dashboard.app import create_app
from distcari.dashboard.data.state import parse


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return side_catalog(tmp_path_factory.mktemp("s"))


@pytest.fixture(scope="module")
def address(catalog):
    server = make_server("127.0.0.1", 0, create_app(catalog.store).server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def tab(browser, address):
    """One for all tests: a fresh one would compile the page's scripts again, for seconds."""
    tab = browser.new_page()
    tab.said = []
    tab.on("console", lambda line: tab.said.append(line.text) if line.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    yield tab
    tab.close()


@pytest.fixture
def page(tab, address, request):
    phone = "phone" in request.node.name
    tab.set_viewport_size({"width": 390, "height": 844} if phone else {"width": 1280, "height": 800})
    tab.open = lambda search: (
        tab.goto(address + search),
        tab.wait_for_selector("#side [data-active]"),
        tab.wait_for_load_state("networkidle"),
    )
    yield tab
    tab.evaluate("localStorage.clear()")
    assert tab.said == []


def variable(page, name):
    return float(page.evaluate(f"getComputedStyle(document.getElementById('side')).getPropertyValue('--{name}')"))


def has(page, name):
    return page.evaluate(f"document.getElementById('side').hasAttribute('data-{name}')")


def state_when(page, holds):
    """The URL's state as soon as it is as wanted, and the cards' links have followed."""
    for _ in range(100):
        state = parse(page.url.partition("?")[2])
        swap = parse(page.locator("a[data-key=x]").get_attribute("href"))
        if holds(state) and (not state.slots or swap.slots[:2] == state.slots[1::-1]):
            return state
        page.wait_for_timeout(100)
    raise AssertionError(page.url)


def shown(page, slot):
    """The pixels that a slot's pane holds, (y, x, 3)."""
    data = page.evaluate(
        """(query) => {
      const image = document.querySelector(query), canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    }""",
        f".side-pane[data-slot={slot}] img.picture",
    )
    return np.array(data).reshape(32, 32, 4)[..., :3]


def test_the_panes_hold_the_stored_pixels(page, catalog):
    page.open("?view=side")
    for slot, model in (("a", "m"), ("b", "n")):
        stored = catalog.store.picture(catalog.slot("e", {"model": model}).key)
        assert np.abs(shown(page, slot) - stored * 255).max() <= 0.51


def test_one_zoom_and_cross_hair_for_all_panes_without_a_question(page):
    page.open("?view=side")
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "side-stage" in (request.post_data or "") else None)
    box = page.locator(".side-pane[data-slot=b] .glass").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -500)
    zoom = variable(page, "k")
    assert zoom > 2 and variable(page, "u") == pytest.approx(0.25, abs=0.01)
    assert variable(page, "x") == pytest.approx(0.25 * (1 - zoom), abs=0.02)
    drawn = page.evaluate("[...document.querySelectorAll('.side-pane .world')].map(w => getComputedStyle(w).transform)")
    assert len(set(drawn)) == 1 and len(drawn) >= 3
    lines = page.locator(".side-pane .cross-x")
    lines = [lines.nth(i).bounding_box()["x"] for i in range(lines.count())]
    panes = page.locator(".side-pane .glass")
    panes = [panes.nth(i).bounding_box()["x"] for i in range(panes.count())]
    assert np.ptp(np.subtract(lines, panes)) < 1
    style = "getComputedStyle(document.querySelector('.side-pane img.picture')).imageRendering"
    assert page.evaluate(style) == "pixelated"
    until(page, "location.search.includes('side.zoom')")
    assert asked == []
    page.mouse.dblclick(box["x"] + 9, box["y"] + 9)
    assert variable(page, "k") == 1 and page.locator("#side-percent").inner_text().endswith("%")


def test_keys_act_on_the_active_slot(page):
    page.open("?view=side")
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    state_when(page, lambda s: [slot["layer"] for slot in s.slots] == ["x", "y"])
    page.keyboard.press("x")
    state_when(page, lambda s: [(slot["model"], slot["layer"]) for slot in s.slots] == [("n", "y"), ("m", "x")])
    page.get_by_text("+ Slot C").click()
    state_when(page, lambda s: len(s.slots) == 3)
    page.get_by_label("Remove slot A").click()
    state_when(page, lambda s: [slot["model"] for slot in s.slots] == ["m", "o"])


def test_space_flickers_while_it_is_held_and_the_divider_moves(page):
    page.open("?view=side&side.mode=flicker")
    page.keyboard.down(" ")
    assert has(page, "flip") and page.evaluate("scrollY") == 0
    until(page, "!document.getElementById('side').hasAttribute('data-flip')")
    page.keyboard.up(" ")
    assert not has(page, "flip")
    page.keyboard.press("w")
    page.wait_for_selector(".divider")
    assert parse(page.url.partition("?")[2]).own("mode") == "swipe"
    box = page.locator(".divider").bounding_box()
    page.mouse.move(box["x"] + 14, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] - 100, box["y"] + 50, steps=3)
    page.mouse.up()
    assert variable(page, "split") < 0.4
    page.keyboard.press("ArrowRight")
    assert page.locator(".divider").get_attribute("aria-valuenow") == str(round(variable(page, "split") * 100))


def test_a_choice_in_a_selector_is_in_the_url_and_a_reload_shows_the_same(page):
    page.open("?view=side&side.zoom=2,-0.5,-0.5&side.match=50")
    page.locator("input[aria-label='image of slot B']").click()
    page.get_by_role("option", name="cup").click()
    state_when(page, lambda s: s.slots and s.slots[1]["image"] == "cup")
    assert variable(page, "k") == 2
    until(page, "location.search.includes('side.zoom')")
    page.reload()
    page.wait_for_selector("#side [data-active]")
    page.wait_for_load_state("networkidle")
    assert (variable(page, "k"), variable(page, "match")) == (2, 0.5)
    assert page.locator(".side-pane[data-slot=b] img.picture").get_attribute("alt").count("cup") == 1


@pytest.mark.parametrize("mode", ["side", "swipe", "flicker", "difference"])
def test_every_mode_fits_a_phone(page, mode):
    page.open(f"?view=side&side.mode={mode}&c.model=o&c.layer=x&a.model=m&b.model=n")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".side-pane").count() == {"side": 4, "swipe": 2, "flicker": 2, "difference": 6}[mode]
