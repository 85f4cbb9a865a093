"""Contact sheets: one an image, small files, and no more of a large experiment than somebody looks at."""

import io

import numpy as np
from PIL import Image
from support.dashboard_store import finish, grid, prepare

from distcari.exchange import contact_sheet
from distcari.exchange.contact_sheet import MOST_BYTES, contact_sheets, encoded, save_contact_sheets
from distcari.store import Store


def test_a_sheet_an_image_and_the_old_png_goes(tmp_path):
    store = Store(str(tmp_path / "s"), writable=True)
    g = grid(images=("cat", "a/b"))
    finish(store, prepare(store, g), g, list(g.cells())[:-1])
    store.files.write("contact_sheets/e.png", b"old")
    assert save_contact_sheets(store, "e").endswith("contact_sheets/e")
    names = store.files.list("contact_sheets/e")
    assert len(names) == 2 and "cat.webp" in names and not store.files.list("contact_sheets")
    assert all(Image.open(io.BytesIO(store.files.read(f"contact_sheets/e/{name}"))).width > 700 for name in names)


def test_many_images_and_models_are_cut_before_their_pictures_are_read(tmp_path, monkeypatch):
    store = Store(str(tmp_path / "s"), writable=True)
    g = grid(models=("a", "b", "c"), images=("i", "j", "k"), layers=("x",), seeds=(0,))
    arrays = prepare(store, g)
    finish(store, arrays, g, g.cells())
    for name in ("MOST_MODELS", "MOST_IMAGES"):
        monkeypatch.setattr(contact_sheet, name, 2)
    read = []
    monkeypatch.setattr(type(arrays), "picture", lambda self, place: read.append(place) or np.zeros((16, 16, 3), "f4"))
    assert [image for image, _ in contact_sheets(store, "e")] == ["i", "j"] and len(read) == 4


def test_even_noise_stays_below_the_limit(monkeypatch):
    most = MOST_BYTES // 9  # and nine times less noise
    monkeypatch.setattr(contact_sheet, "MOST_BYTES", most)
    noise = np.random.default_rng(0).integers(0, 256, (800, 1000, 3), np.uint8)
    content = encoded(Image.fromarray(noise))
    assert most / 3 < len(content) <= most and MOST_BYTES == 2_000_000
