"""A real browser reads the site from the disk, and from a static server under a subfolder; nothing else is asked."""

import functools
import http.server
import json
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.analysis_store import make
from support.dashboard_store import finish, grid, prepare
from support.pages import OF_COLOURS, complaints, until

from distcari.dashboard.data import columns, state
from distcari.dashboard.data.notes import Notes
from distcari.site.publish import publish
from distcari.store import Store

pytestmark = pytest.mark.timeout(240)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def folder(mixed, tmp_path_factory):
    """The site, in a subfolder of what is served."""
    root = tmp_path_factory.mktemp("served")
    Notes(mixed).add("?view=compare&exp=e&at.image=dog", "<i>look</i>")
    publish(mixed, root / "papers/a b/site", about="Words **of the author**.", title="A & B", notes=True)
    return root


@pytest.fixture(scope="module")
def served(folder):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/papers/a%20b/site/"
        server.shutdown()


@pytest.fixture(scope="module", params=["disk", "server"])
def address(request, folder):
    if request.param == "disk":
        return (folder / "papers/a b/site/index.html").as_uri()
    return request.getfixturevalue("served")


@pytest.fixture(scope="module")
def tab(browser, address):
    """One for all tests at an address: a fresh one would compile the page's scripts again."""
    context, base = browser.new_context(), address.removesuffix("index.html")
    tab = context.new_page()
    tab.said, tab.beyond = [], []

    def only_here(route):
        if route.request.url.startswith((base, "data:")):
            return route.continue_()
        tab.beyond.append(route.request.url)
        return route.abort()

    context.route("**/*", only_here)
    tab.on("console", lambda line: tab.said.append(line.text) if line.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.to = lambda search="": tab.goto(address + search)
    yield tab
    context.close()


@pytest.fixture
def page(tab):
    """The tab as if fresh, in which any request beyond the site's folder, and any complaint, fails the test."""
    tab.set_viewport_size({"width": 1280, "height": 800})
    tab.emulate_media(color_scheme="light")
    yield tab
    tab.evaluate("localStorage.clear(), sessionStorage.clear()")
    found = tab.said[:], tab.beyond[:]
    tab.said.clear(), tab.beyond.clear()
    assert found == ([], [])


def axe_has_no_complaint(page):
    for scheme, rules in (("light", ()), ("dark", OF_COLOURS)):
        page.emulate_media(color_scheme=scheme)
        assert complaints(page, rules) == [], scheme


def tile(**at):
    return ".tile" + "".join(f'[data-at*=\'"{axis}":"{label}"\']' for axis, label in at.items())


def loaded(page, selector):
    until(
        page,
        f"(() => {{ const i = document.querySelector({json.dumps(selector)}); return i && i.naturalWidth > 0; }})()",
    )


def test_from_the_first_page_to_a_cell_and_back(page, mixed):
    page.to()
    page.wait_for_selector(".about strong")
    assert (
        page.title() == "A & B" and "1 cell failed" in page.inner_text("main") and "31 of 36" in page.inner_text("main")
    )
    assert page.locator(".map circle").count() == 3 and page.locator(".likeness tbody tr").count() == 3 + 3
    page.click(".map a[aria-label^='o,'] circle")
    page.wait_for_selector(".image-rows " + tile(model="o") + " img")
    page.go_back()
    page.click("text=Compare all of them")
    loaded(page, tile(model="o", layer="z") + " img")
    assert page.locator(".tile.done").count() == 3 * 3 - 3 and page.locator(".tile.failed").count() == 1
    assert "FloatingPointError" in page.inner_text(".tile.failed") and "has no layer z" in page.inner_text(
        ".not-planned"
    )
    assert page.inner_text(".tile.pending strong") == "not done"
    page.hover(tile(model="m", layer="x"))
    page.wait_for_selector("#card.open dl dt")
    assert "gain" in page.inner_text("#card")
    page.click(tile(model="o", layer="z") + " a")
    loaded(page, ".large img")
    row = mixed.table().set_index(["experiment", "model", "image", "layer", "seed"]).loc["e", "o", "cat", "z", 0]
    assert f"cell={row['key']}" in page.url and row["key"] in page.inner_text(".provenance")
    assert columns.number(row["gain"]) in page.inner_text(".figures >> nth=0")
    page.keyboard.press("ArrowDown")  # the other image
    page.wait_for_selector("h1 b:text-is('dog')")
    page.go_back()
    page.go_back()
    loaded(page, tile(model="o", layer="z") + " img")


def test_a_cell_has_its_natural_exemplars_and_not_those_of_other_weights(page, mixed):
    keys = mixed.table().set_index(["experiment", "model", "image", "layer", "seed"])["key"]
    page.to(f"?view=cell&cell={keys['e', 'm', 'cat', 'x', 1]}")
    until(page, "[...document.querySelectorAll('.exemplars img')].filter(i => i.naturalWidth == 160).length == 6")
    assert page.inner_text(".exemplar-row").split() == ["0.800", "0.700", "0.600", "0.500", "0.400", "0.300"]
    assert page.get_attribute(".exemplars img", "alt") == "Exemplar 1: a/1.jpg"
    said = page.inner_text(".exemplars p")
    assert "Of 1,234 pictures in photos & <more>, those that x answers to most as to cat" in said
    axe_has_no_complaint(page)
    page.keyboard.press("ArrowDown")  # the other image, whose exemplars are of other weights
    page.wait_for_selector("h1 b:text-is('dog')")
    assert page.locator(".exemplars").count() == 0
    page.set_viewport_size({"width": 375, "height": 700})
    page.go_back()
    page.wait_for_selector(".exemplars")
    until(page, "document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_the_tab_of_the_view_is_in_sight(page):
    page.set_viewport_size({"width": 375, "height": 700})
    page.to("?view=notes")
    page.wait_for_selector(".note-text")
    until(page, "document.querySelector('#tabs [aria-current]').getBoundingClientRect().right <= innerWidth")


def test_compare_sorts_groups_and_filters_as_the_link_says(page):
    page.to("?view=compare&exp=e&sort_rows=-gain&compare.label=gain")
    page.wait_for_selector(".tile .figure")
    assert page.eval_on_selector_all(".of-row .label", "e => e.map(x => x.textContent)") == ["o", "n", "m"]
    page.select_option("select[name='compare.by']", "noise")
    page.wait_for_selector(".of-row .group")
    assert page.eval_on_selector_all(".of-row .label", "e => e.map(x => x.textContent)") == ["n", "o", "m"]
    page.select_option("select[name='compare.only']", "noise=low")
    until(page, "document.querySelectorAll('.of-row').length === 2")
    page.select_option("select[name=rows]", "image")
    page.wait_for_selector(".image-rows .of-row img")
    page.to("?view=compare&exp=e&exp=f&rows=experiment")
    page.wait_for_selector(tile(experiment="f") + " img")


def test_picks_go_side_by_side_where_zoom_swipe_flicker_and_difference_work(page):
    page.to("?view=compare&exp=e")
    page.wait_for_selector(tile(model="m", layer="x") + " img")
    for key, model in (("1", "m"), ("2", "o")):
        page.hover(tile(model=model, layer="x"))
        page.wait_for_selector(f"#card.open b:text-is('{model}')")
        page.keyboard.press(key)
        page.wait_for_selector(tile(model=model) + f"[data-slot={'AB'[int(key) - 1]}]")
    page.click("#picks >> text=Compare side by side")
    loaded(page, ".side-pane[data-slot=b] img.picture")
    assert "gain" in page.inner_text(".side-pane[data-slot=a] figcaption")
    page.click("[data-zoom=in]")
    until(page, "location.search.includes('side.zoom')")
    zoom = page.evaluate("getComputedStyle(document.getElementById('side')).getPropertyValue('--k')")
    page.keyboard.press("w")
    page.wait_for_selector(".in-swipe .divider")
    assert page.evaluate("getComputedStyle(document.getElementById('side')).getPropertyValue('--k')") == zoom
    page.focus(".divider")
    page.keyboard.press("ArrowLeft")
    assert page.get_attribute(".divider", "aria-valuenow") == "48"
    page.keyboard.press("f")
    page.wait_for_selector(".in-flicker")
    page.keyboard.down("Space")
    until(page, "document.getElementById('side').hasAttribute('data-flip')")
    page.keyboard.up("Space")
    page.keyboard.press("d")
    page.wait_for_selector(".blend.absolute")
    page.select_option("select[name='side.kind']", "signed")
    page.wait_for_selector(".blend.signed")
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")  # of slot B alone
    until(page, "location.search.includes('b.layer=y') && location.search.includes('a.layer=x')")


@pytest.mark.parametrize("address", ["disk"], indirect=True)
def test_a_picture_has_no_difference_from_itself(page, tmp_path):
    """|A − A| is black and (A − A) / 2 + ½ grey, as it is painted."""
    for kind, grey in (("absolute", 0), ("signed", 128)):
        slot = ".experiment=e&{0}.model=m&{0}.layer=x"
        page.to(f"?view=side&side.mode=difference&side.kind={kind}&a{slot.format('a')}&b{slot.format('b')}")
        loaded(page, ".blend .over")
        page.locator(".blend").screenshot(path=tmp_path / "d.png")
        import numpy as np
        from PIL import Image

        seen = np.asarray(Image.open(tmp_path / "d.png").convert("RGB"), int)
        assert abs(np.median(seen) - grey) <= 3, kind


@pytest.mark.parametrize("address", ["disk"], indirect=True)
@pytest.mark.parametrize(
    "view", ["overview", "compare", "side", "cell", "side&side.mode=swipe", "explore", "notes", "table"]
)
def test_accessible_in_both_schemes_and_no_wider_than_a_phone(page, view):
    page.to(f"?view={view}&exp=e")
    page.wait_for_selector("#page > * > *")
    page.wait_for_load_state("networkidle")
    axe_has_no_complaint(page)
    page.set_viewport_size({"width": 375, "height": 760})
    until(page, "document.documentElement.scrollWidth <= innerWidth")


def test_explore_leads_from_a_violin_or_points_to_their_pictures(page):
    page.to("?view=explore&exp=e&explore.y=gain")
    page.wait_for_selector(".strip-tiles .tile img")
    assert (
        "30 finished cells; 1 failed" in page.inner_text(".said") and page.locator(".explore-plot canvas").count() == 1
    )
    means = page.eval_on_selector_all(".groups tbody tr", "e => e.map(x => [...x.children].map(c => c.textContent))")
    assert [line[:3] for line in means] == [["m", "11", "1"], ["n", "7", "—"], ["o", "12", "—"]]
    box = page.locator("canvas").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + box["height"] / 2)
    page.wait_for_selector(".strip-head b:text-is('n')")
    assert "explore.group=n" in page.url and page.locator(".strip-tiles .tile").count() == 7
    page.select_option("select[name='explore.x']", "noise")
    page.wait_for_selector(".groups a:text-is('high')")
    page.to("?view=explore&exp=e&explore.kind=scatter&explore.x=cosine&explore.y=gain&explore.by=model")
    page.wait_for_selector(".strip-tiles .tile img")
    box = page.locator("canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 15)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    page.wait_for_selector(".strip-head b:text-is('Selected')")
    picked = page.locator(".strip-tiles .tile").count()
    assert 0 < picked < 30
    page.reload()  # the selection stands in the address
    page.wait_for_selector(".strip-head b:text-is('Selected')")
    assert page.locator(".strip-tiles .tile").count() == picked


def test_findings_are_those_of_publishing_and_lead_to_what_they_are_made_of(browser, tmp_path):
    publish(make(tmp_path / "store", models=("a", "c"), images=("cat", "cup")), tmp_path / "site")
    page, address = browser.new_page(), (tmp_path / "site/index.html").as_uri()
    page.goto(address + "?view=findings")
    page.wait_for_selector(".squares td a")
    assert "A: a; B: c" in page.inner_text(".said") and "What may be concluded" in page.inner_text(".findings")
    assert page.locator(".squares thead th").all_inner_texts() == ["figure", "l1", "l2"]
    axe_has_no_complaint(page)
    page.click(".squares tr:has(th:text-is('mean r')) td a >> nth=1")
    page.wait_for_selector(".strip-tiles .tile img")
    assert "explore.y=mean_r" in page.url and "explore.in_layer=l2" in page.url
    page.goto(address + "?view=findings&findings.kind=pair&findings.a=c&findings.b=a")
    page.wait_for_selector("text=was not among those answered")
    page.close()


def test_notes_are_there_if_they_were_published(page):
    page.to("?view=notes")
    page.wait_for_selector(".notes article")
    assert "<i>look</i>" in page.inner_text(".note-text")
    page.click(".note-head a")
    page.wait_for_selector(".tile.done img")


def test_unknown_cells_and_half_a_copy_are_said(page, folder):
    page.to("?view=cell&cell=" + "0" * 32)
    page.wait_for_selector("text=No finished cell")


texts = st.text(st.sampled_from("ab=&%+.é\u2028_ ?-0123x") | st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.sampled_from(
    ["view", "exp", "rows", "cols", "at.image", "at.__proto__", "sort_rows", "cell", "a.model", "b.layer", "c.x",
     "compare.label", "side.zoom", "explore.x", "table.", "at.", "no"]
)  # fmt: skip
values = (
    st.sampled_from(["compare", "side", "-gain", "gain", "0" * 32, "é %2B", "%ff%fe", "%C3%A9", "a+b", "", "layer"])
    | texts
)
queries = st.lists(st.tuples(names, values).map("=".join) | texts, max_size=8).map("&".join)


def plain(found):
    sort = [list(by) if by else None for by in (found.sort_rows, found.sort_cols)]
    slots = [list(map(list, slot.items())) for slot in found.slots]
    pairs = [list(map(list, labels.items())) for labels in (found.at, found.extra)]
    return [
        found.view,
        list(found.experiments),
        found.rows,
        found.cols,
        *sort,
        found.cell,
        slots,
        *pairs,
        found.search(),
    ]


@pytest.fixture(scope="module")
def bare(browser, folder):
    page = browser.new_page()
    page.goto((folder / "papers/a b/site/index.html").as_uri())
    yield page
    page.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(queries, min_size=20, max_size=40))
def test_the_pages_address_means_what_the_dashboards_means(bare, searches):
    read = """(all) => all.map((text) => {
        const s = distcari.parse(text), slots = s.slots.map((x) => [...x]);
        return [s.view, s.experiments, s.rows, s.cols, s.sort_rows, s.sort_cols, s.cell, slots, [...s.at], [...s.extra],
                distcari.search(s)]; })"""
    for search, seen in zip(searches, bare.evaluate(read, searches), strict=True):
        assert seen == plain(state.parse(search)), search


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9, width=32) | st.just(float("nan")), min_size=30, max_size=60))
def test_numbers_are_written_as_the_dashboard_writes_them(bare, numbers):
    shown = bare.evaluate(
        "(all) => all.map((x) => distcari.number(Number(x)))", [repr(x).replace("inf", "Infinity") for x in numbers]
    )
    for seen, x in zip(shown, numbers, strict=True):  # of two that are equally near a script takes the upper one
        assert seen in (columns.number(x), columns.number(math.nextafter(x, math.copysign(math.inf, x)))), x


def test_of_many_cells_only_what_is_seen_is_drawn(browser, tmp_path):
    store = Store(str(tmp_path / "store"), writable=True)
    g = grid(
        models=tuple(f"m{i}" for i in range(60)), images=("cat",), layers=tuple(f"l{i}" for i in range(30)), seeds=(0,)
    )
    arrays = prepare(store, g)
    cells = list(g.cells())
    finish(store, arrays, g, [cells[0], cells[-1]])
    publish(store, tmp_path / "site")
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.goto((tmp_path / "site/index.html").as_uri() + "?view=compare")
    page.wait_for_selector(".tile.done img")
    assert page.get_attribute(".sheet", "aria-rowcount") == "61" and page.locator(".tile").count() < 300
    page.evaluate("document.querySelector('.stage').scrollTo(1e6, 1e6)")
    page.wait_for_selector(tile(model="m59", layer="l29") + " img")
    assert page.locator(".tile").count() < 300
    at = page.evaluate("document.querySelector('.stage').scrollTop")
    page.click(tile(model="m59", layer="l29") + " a")
    page.wait_for_selector(".large img")
    page.go_back()
    page.wait_for_selector(tile(model="m59", layer="l29") + " img")
    assert abs(page.evaluate("document.querySelector('.stage').scrollTop") - at) < 2
    page.close()
