"""Side by side in a notebook: the widget of the real anywidget, its client in a real browser without any server."""

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from support import analysis_store
from support.pages import complaints, until
from support.shared import ROOT

import distcari
from distcari.errors import InputError

CLIENT = ROOT / "distcari" / "notebook"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return analysis_store.make(tmp_path_factory.mktemp("side") / "s", models=("a", "b", "c", "d", "e5"))


def test_the_widget_has_the_stored_pictures_and_a_notebook_without_widgets_the_same_in_a_row(store):
    shown = distcari.side_by_side(store, model=["c", "a"], image="cup", layer="l2")
    assert [one["label"] for one in shown.pictures] == ["c", "a"]
    assert shown.pictures[0]["caption"] == "model c, image cup, layer l2, seed 0; robust_cosine 0.5"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.pictures[0]["src"].partition(",")[2]))))
    assert np.abs(pixels / 255 - analysis_store.picture("c", "cup", "l2", 0)).max() <= 0.5 / 255 + 1e-6
    data, _ = shown._repr_mimebundle_()
    assert data["text/html"].count("<img") == 2 and data["text/html"].count("<tr") == 2, "one row below its head"
    assert "application/vnd.jupyter.widget-view+json" in data
    assert len(distcari.side_by_side(store, image="cup").pictures) == 4, "the first four"
    assert len(distcari.side_by_side(store, along="layer", model="b", mode="swipe").pictures) == 2


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"model": ["a"]}, "gives 1 finished pictures"),
        ({"model": ["a", "b", "c", "d", "e5"]}, "gives 5 finished pictures"),
        ({"model": ["a", "f"]}, "Nearest: a"),
        ({"layer": ["l1", "l2"]}, "Name one; several only of model"),
        ({"along": "colour"}, "has no such axis"),
        ({"experiment": "f"}, "no experiment 'f'"),
        ({"mode": "flicker"}, "is no mode"),
    ],
)
def test_what_cannot_be_laid_side_by_side_is_said(store, asked, problem):
    with pytest.raises(InputError, match=re.escape(problem)):
        distcari.side_by_side(store, **asked)


@pytest.fixture
def page(browser, store):
    """The widget's own client and style with its own data, on a page of nothing else; no request may leave it."""
    shown = distcari.side_by_side(store, model=["a", "b", "c"], image="cup", layer="l2")
    state = {"pictures": shown.pictures, "mode": "side"}
    client = (CLIENT / "side_by_side.js").read_text().replace("export default { render };", "")
    page = browser.new_page(viewport={"width": 900, "height": 700})
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url) if not request.url.startswith("data:") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_content(
        f"""<!doctype html><html lang=en><title>t</title><style>{(CLIENT / "side_by_side.css").read_text()}</style>
        <main id=here></main><script type=module>{client}
        const state = {json.dumps(state)}, heard = {{}};
        window.outer = []; document.addEventListener("keydown", (event) => window.outer.push(event.key));
        const model = {{ get: (n) => state[n], set: (n, v) => {{ state[n] = v; heard[`change:${{n}}`]?.(); }},
          on: (n, f) => {{ heard[n] = f; }}, off: () => 0, save_changes: () => {{ window.saved = state.mode; }} }};
        render({{ model, el: document.getElementById("here") }});</script>"""
    )
    until(page, "document.querySelectorAll('.glass img').length == 3")
    until(page, "[...document.images].every((i) => i.naturalWidth)")
    yield page
    page.close()
    assert asked == [] and said == []


def places(page):
    """Where each picture is drawn within its pane, in shares of it."""
    return page.evaluate("""[...document.querySelectorAll('.glass img')].map((i) => {
        const a = i.getBoundingClientRect(), b = i.closest('.glass').getBoundingClientRect();
        return [(a.left - b.left) / b.width, (a.top - b.top) / b.height, a.width / b.width]; })""")


def test_all_pictures_share_one_zoom_and_never_leave_their_panes(page):
    assert np.allclose(places(page), [[0, 0, 1]] * 3) and not page.is_visible("input[type=range]")
    box = page.locator(".glass").nth(1).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.75)
    page.mouse.wheel(0, -100)
    assert np.allclose(places(page), [[0, 0, 1]] * 3), "the page's own scrolling, until a picture was clicked"
    page.mouse.down()
    page.mouse.up()
    page.mouse.wheel(0, -100)
    until(page, "document.querySelector('output').textContent === '140 %'")
    assert np.allclose(places(page), [[-0.3, -0.3, 1.4]] * 3, atol=0.01)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3, box["y"] + box["height"] * 0.75, steps=3)
    page.mouse.up()
    assert np.allclose(places(page), [[0, -0.3, 1.4]] * 3, atol=0.01)
    page.keyboard.press("0")
    assert np.allclose(places(page), [[0, 0, 1]] * 3) and page.evaluate("window.outer") == []


def test_swipe_shows_one_picture_over_another_and_keys_stay_inside(page):
    page.locator(".glass").first.focus()
    page.keyboard.press("w")
    assert page.evaluate("window.saved") == "swipe" and page.locator(".glass").count() == 1
    assert page.evaluate("document.activeElement.className") == "glass"
    page.select_option("select >> nth=1", "2")
    assert page.locator(".over img").get_attribute("alt") == "Caricature: model c, image cup, layer l2, seed 0"
    page.fill("input[type=range]", "25")
    assert "25%" in page.evaluate("getComputedStyle(document.querySelector('.over')).clipPath")
    page.locator(".glass").focus()
    for key in ("x", "s"):
        page.keyboard.press(key)
    assert page.locator(".glass").count() == 3 and page.evaluate("window.outer") == []


@pytest.mark.parametrize("mode", ["side", "swipe"])
def test_the_widget_is_accessible_and_fits_a_phone(page, mode):
    page.click(f"button:text('{'swipe' if mode == 'swipe' else 'side by side'}')")
    assert [one for one in complaints(page) if one[0] not in ("page-has-heading-one", "region")] == []
    page.set_viewport_size({"width": 375, "height": 700})
    until(page, "document.documentElement.scrollWidth <= innerWidth")
