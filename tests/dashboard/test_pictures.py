import io

import numpy as np
import pytest
from PIL import Image
from support.dashboard_store import SIDE

from distcari.dashboard.app import create_app
from distcari.dashboard.data.addresses import input_url, match_url, npy_url, picture_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.encoding import encode, match_colours
from distcari.dashboard.pictures.answers import Memory
from distcari.exchange.adopt import adopt
from distcari.store import Store


@pytest.fixture
def client(mixed):
    return create_app(mixed).server.test_client()


@pytest.fixture
def row(mixed):
    catalog = Catalog(mixed)
    return catalog.row(catalog.slot("e", {"image": "cat", "layer": "y"}).key)


def pixels(answer):
    return np.asarray(Image.open(io.BytesIO(answer.data)).convert("RGB"))


def test_the_png_is_the_stored_picture_rounded_to_8_bit(client, mixed, row):
    answer = client.get(picture_url(row, kind="png"))
    assert answer.status_code == 200 and answer.mimetype == "image/png"
    assert np.array_equal(pixels(answer), np.round(mixed.picture(row["key"]) * 255).astype(np.uint8))


def test_webp_npy_input_and_match(client, mixed, row):
    assert pixels(client.get(picture_url(row, 224))).shape == (SIDE, SIDE, 3), "never enlarged"
    assert np.array_equal(np.load(io.BytesIO(client.get(npy_url(row)).data)), mixed.picture(row["key"]))
    cat = client.get(input_url(Catalog(mixed), "e", "dog"))
    assert cat.status_code == 200 and abs(pixels(cat).mean() - 40) < 3
    match = pixels(client.get(match_url(row)))
    assert match.shape == (224, 224, 3)
    assert np.abs(match[0, 0].astype(int) - [244, 165, 130]).max() < 12, "0.5 is light red"


def test_an_address_with_the_hash_is_immutable_and_asked_for_once(client, row):
    answer = client.get(picture_url(row, 224))
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = client.get(picture_url(row, 224), headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and again.data == b""
    other = client.get(picture_url(row, 96), headers={"If-None-Match": answer.headers["ETag"]})
    assert other.status_code == 200, "another size is another file"
    plain = client.get(f"/picture/{row['key']}.webp?v=0000000000")
    assert plain.headers["Cache-Control"] == "no-cache", "a wrong hash promises nothing"


@pytest.mark.parametrize(
    "path",
    [
        f"/picture/{'0' * 32}.png",
        "/picture/../../etc/passwd.png",
        "/picture/%2e%2e%2fdistcari.json.png",
        "/match/x.webp",
        f"/npy/{'a' * 31}.npy",
        f"/npy/{'A' * 32}.npy",
        "/input/e/..%2f..%2fdistcari.webp",
        "/input/../e/cat.webp",
        "/input/e/owl.webp",
        "/input/nowhere/cat.webp",
        "/picture/KEY.gif",
        "/picture/KEY.tar.png",
        "/input/e/cat.bmp",
    ],
)
def test_what_is_not_there_is_404_in_plain_text(client, row, path):
    answer = client.get(path.replace("KEY", row["key"]))
    assert answer.status_code == 404 and b"Traceback" not in answer.data and len(answer.data) < 300


@pytest.mark.parametrize("size", ["0", "-1", "225", "1e9", "224.0", "", "９６", "x" * 999])
def test_a_size_that_is_not_offered_is_400(client, row, size):
    for address in (f"/picture/{row['key']}.webp", f"/match/{row['key']}.webp", "/input/e/cat.webp"):
        answer = client.get(address, query_string={"size": size})
        assert answer.status_code == 400 and answer.mimetype == "text/plain"


def test_pixels_that_are_not_the_indexs_are_not_shown(client, mixed, row):
    arrays = mixed.arrays("e")
    place = arrays.place([row[axis] for axis in arrays.axes])
    arrays.write(place, np.zeros((SIDE, SIDE, 3)), np.zeros(2), np.zeros((56, 56)))
    answer = client.get(picture_url(row))
    assert answer.status_code == 503 and answer.headers["Cache-Control"] == "no-store"


def test_memory_is_bounded_and_forgets_the_oldest():
    memory, made = Memory(limit=10), []
    for name in "abcab":
        memory.get((name,), lambda name=name: made.append(name) or b"1234")
    assert made == list("abcab") and memory.size == 8
    memory.get(("b",), lambda: pytest.fail("it is known"))


def test_the_match_scale_is_fixed_and_says_what_is_unknown():
    ends = match_colours(np.array([[-1.0, 1.0], [np.nan, 0.0]], np.float32), 2)
    assert ends[0, 0].tolist() == [33, 102, 172] and ends[0, 1].tolist() == [178, 24, 43]
    assert ends[1, 0].tolist() == [128, 128, 128]
    assert Image.open(io.BytesIO(encode(np.zeros((300, 150, 3), np.uint8), "png", 96))).size == (48, 96)


def test_old_results_without_their_inputs_say_so(tmp_path):
    rng = np.random.default_rng(0)
    for model in "ab":
        np.save(tmp_path / f"{model}_layer3_3_cat.npy", rng.random((16, 16, 3), np.float32))
    store = Store(str(tmp_path / "s"), writable=True)
    assert adopt(store, tmp_path, "old") == 2
    client = create_app(store).server.test_client()
    shown = np.asarray(Image.open(io.BytesIO(client.get("/input/old/cat.png").data)))
    assert (shown == 128).mean() > 0.5 and (shown == 255).any()
    about = Catalog(store).experiment("old")
    assert about.input("cat") is None
    Image.new("RGB", (20, 20), "red").save(tmp_path / "inputs.png")
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs.png").rename(tmp_path / "inputs" / "cat.png")
    assert adopt(store, tmp_path, "old", inputs=tmp_path / "inputs") == 0
    assert Catalog(store).experiment("old").input("cat").tolist()[0][0] == [255, 0, 0]
