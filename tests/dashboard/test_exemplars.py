"""Natural exemplars beside the caricature on the cell's page, in a real browser."""

import io
from contextlib import closing

import pytest
from PIL import Image
from support.dashboard_store import finish, grid, prepare
from support.natural import exemplars
from support.pages import OF_COLOURS, complaints, until
from support.served import served

from distcari.dashboard.app import create_app
from distcari.dashboard.data.catalog import Catalog
from distcari.store import Store

FOLDER = "photos & <b>more</b>"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Four cells; exemplars for those of image cat, found with the weights that they were made with."""
    store = Store(str(tmp_path_factory.mktemp("exemplars") / "s"), writable=True)
    g = grid(models=("m",), layers=("x",), images=("cat", "dog"))
    finish(store, prepare(store, g), g, g.cells(), more=lambda cell: {"model_sha256": "now"})
    exemplars(store, FOLDER, cat="now", dog="before")
    return store


def key_of(store, image):
    rows = store.table()
    return rows[rows["image"] == image]["key"].iloc[0]


def test_exemplars_of_other_weights_are_not_shown(store):
    catalog = Catalog(store)
    assert len(catalog.exemplars(catalog.row(key_of(store, "cat")))) == 6
    assert len(catalog.exemplars(catalog.row(key_of(store, "dog")))) == 0
    assert len(store.exemplars("e", image="dog")) == 6


def test_thumbnails_are_kept_by_the_browser_and_no_other_file_is_reached(store):
    client = create_app(store).server.test_client()
    name = store.exemplars()["thumbnail"][0]
    answer = client.get(f"/exemplar/{name}.webp?v={name[:12]}")
    assert answer.mimetype == "image/webp" and "immutable" in answer.headers["Cache-Control"]
    assert Image.open(io.BytesIO(answer.data)).size == (160, 160)
    for odd in (f"/exemplar/{'0' * 32}.webp", "/exemplar/..%2f..%2fdistcari.json", "/exemplar/x.webp"):
        assert client.get(odd).status_code == 404


def test_the_cell_page_shows_them_in_order_accessibly_and_on_a_phone(store, browser):
    with served(store) as address, closing(browser.new_page(viewport={"width": 1280, "height": 900})) as page:
        page.goto(f"{address}?view=cell&cell=" + key_of(store, "cat"))
        until(page, "[...document.querySelectorAll('.exemplars img')].filter(i => i.naturalWidth == 160).length == 6")
        assert page.inner_text(".exemplar-row").split() == ["0.800", "0.700", "0.600", "0.500", "0.400", "0.300"]
        assert f"Of 1,234 pictures in {FOLDER}" in page.inner_text(".exemplars")
        assert page.get_attribute(".exemplars img", "alt") == "Exemplar 1: a/1.jpg"
        for scheme, rules in (("light", ()), ("dark", OF_COLOURS)):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_selector(f"html[data-mantine-color-scheme={scheme}]", state="attached")
            page.evaluate("Promise.all(document.getAnimations().map(a => a.finished.catch(() => 0)))")
            assert complaints(page, rules) == [], scheme
        page.set_viewport_size({"width": 375, "height": 760})
        until(page, "document.documentElement.scrollWidth <= innerWidth")
        page.goto(f"{address}?view=cell&cell=" + key_of(store, "dog"))
        page.wait_for_selector(".cell-pictures .fetch")
        assert page.query_selector(".exemplars") is None
