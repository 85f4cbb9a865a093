import io

import numpy as np
import pytest
from PIL import Image
from support.dashboard_store import finish, grid, picture, prepare

from distcari.dashboard.app import create_app
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import parse
from distcari.dashboard.data.window import resolve
from distcari.dashboard.pictures import sheet
from distcari.store import Store
from distcari.store.arrays import to_8_bit


def of(store, search):
    answer = create_app(store).server.test_client().get(f"/sheet.png{search}")
    assert answer.status_code == 200 and answer.mimetype == "image/png"
    return Image.open(io.BytesIO(answer.data)), answer


def holds(page, pixels, side):
    """Whether a picture, enlarged to a tile, lies somewhere on the page: by its corner's row of pixels."""
    wanted = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS))
    found = np.asarray(page)
    starts = np.argwhere((found == wanted[0, 0]).all(-1))
    return any(np.array_equal(found[y : y + side, x : x + side], wanted) for y, x in starts)


def test_the_sheet_holds_the_pictures_that_compare_shows(mixed):
    page, answer = of(mixed, "?exp=e")
    assert all(holds(page, to_8_bit(picture(i)), sheet.LARGEST) for i in range(3))
    assert 'filename="e_model_layer_cat_0.png"' in answer.headers["Content-Disposition"]
    other, _ = of(mixed, "?exp=e&at.seed=1")
    assert not holds(other, to_8_bit(picture(0)), sheet.LARGEST)


@pytest.mark.parametrize(
    "search",
    [
        "?exp=e&rows=image&cols=layer",
        "?exp=e&cols=image",
        "?exp=e&exp=f&rows=experiment",
        "?exp=e&sort_rows=-gain&compare.label=gain",
        "?rows=%00&at.image=../../etc",
    ],
)
def test_any_axes_and_nonsense_make_a_sheet(mixed, search):
    page, answer = of(mixed, search)
    assert min(page.size) > 100 and ".." not in answer.headers["Content-Disposition"].replace(".png", "")


def test_settings_are_printed(mixed):
    catalog = Catalog(mixed)
    state = parse("?exp=e&sort_rows=-gain")
    said = " ".join(sheet.settings(catalog, state, resolve(catalog, state)))
    for part in ("e · model by layer", "image cat", "seed 0", "sorted by gain descending", "cossim_pow 1", "?view="):
        assert part in said, part


def test_a_sheet_is_bounded(store):
    assert sheet.side(24, 40, True) < sheet.LARGEST and sheet.side(2, 2, True) == sheet.LARGEST
    g = grid(models=[f"m{i}" for i in range(30)], layers=[f"l{i}" for i in range(32)], images=("cat",), seeds=(0,))
    finish(store, prepare(store, g), g, list(g.cells())[:5])
    page, _ = of(store, "?exp=e")
    assert page.width * page.height <= sheet.MOST_PIXELS * 1.1


def test_no_store_no_sheet(tmp_path):
    answer = create_app(Store(str(tmp_path / "none"))).server.test_client().get("/sheet.png")
    assert answer.status_code == 404 and b"Traceback" not in answer.data
