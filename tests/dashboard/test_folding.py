"""Groups of models in Compare: folded to the mean of their pictures and figures; models ordered by likeness."""

import io

import numpy as np
import pytest
from PIL import Image
from support.analysis_store import make

from distcari.dashboard.app import create_app
from distcari.dashboard.data import pictures
from distcari.dashboard.data.addresses import mean_url
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.data.window import resolve, window
from distcari.dashboard.pictures.sheet import draw as sheet
from distcari.dashboard.views import compare
from distcari.store.models import update_models

FOLDED = "?view=compare&exp=e&rows=model&cols=layer&compare.by=kind&compare.fold=all"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Models of two kinds in an order that mixes them; of one of them a cell is missing."""
    models, lost = ("c_0", "a_0", "c_1", "a_1", "c_2"), [("c_1", "cat", "l1", 0)]
    store = make(tmp_path_factory.mktemp("g") / "s", models=models, images=("cat", "cup"), seeds=(0, 1), without=lost)
    update_models(store.files, [{"experiment": "e", "model": m, "kind": m[0]} for m in models])
    return store


def grid(store, search):
    catalog, state = Catalog(store), parse(search)
    return window(catalog, state, resolve(catalog, state)).grid


def test_a_group_is_the_mean_of_its_cells(store):
    catalog, found = Catalog(store), grid(store, FOLDED)
    assert found.rows == ("a", "c") and found.cols == ("l1", "l2")
    open_ = grid(store, FOLDED.replace("&compare.fold=all", ""))
    for i, kind in enumerate(found.rows):
        for j in range(2):
            cells = [
                s.row for m, line in zip(open_.rows, open_.slots, strict=True) if m[0] == kind and (s := line[j]).row
            ]
            slot = found.slots[i][j]
            assert slot.count == len(cells) == (2 if kind == "a" or j == 0 else 3)
            assert slot.row["mean_r"] == pytest.approx(np.mean([row["mean_r"] for row in cells]))
            own = np.mean([store.picture(row["key"]) for row in cells], axis=0)
            assert pictures.mean(catalog, slot.members) == pytest.approx(own, abs=1e-6)
    assert grid(store, FOLDED + "&sort_rows=-mean_r").rows == grid(store, FOLDED).rows, "groups keep the tag's order"
    turned = grid(store, "?view=compare&exp=e&rows=layer&cols=model&compare.by=kind&compare.fold=all")
    assert turned.cols == ("a", "c") and turned.slots[1][0].row == found.slots[0][1].row


def test_its_address_gives_the_mean_and_nothing_else(store):
    slot, client = grid(store, FOLDED).slots[1][1], create_app(store).server.test_client()
    said = client.get(mean_url(slot.members, 96), headers={"Host": "localhost"})
    seen = np.asarray(Image.open(io.BytesIO(said.data)), float) / 255
    assert said.status_code == 200 and "immutable" in said.headers["Cache-Control"]
    assert np.abs(seen - pictures.mean(Catalog(store), slot.members)).mean() < 0.03
    key = slot.members[0]["key"]
    for bad, status in ((".".join([key] * 25), 400), (f"{key}.nope", 404), ("", 404)):
        assert client.get(f"/mean/{bad}.webp", headers={"Host": "localhost"}).status_code == status


def test_tiles_lead_to_the_groups_models_and_the_sheet_shows_means(store):
    catalog, state = Catalog(store), parse(FOLDED)
    _, body = compare.draw(catalog, state)
    said = str(body)
    assert "/mean/" in said and "3 models" in said and "compare.only=kind%3Dc" in said
    assert "compare.fold" not in said, "a group that is opened is open"
    plain, folded = (sheet(catalog, parse(s)).size[1] for s in (FOLDED.replace("&compare.fold=all", ""), FOLDED))
    assert folded < plain
    for nonsense in (
        "?compare.fold=all&rows=model",
        "?compare.fold=all&compare.by=nope",
        FOLDED.replace("rows=model", "rows=image"),
    ):
        compare.draw(catalog, parse(nonsense))


def test_likeness_puts_what_sees_alike_together_also_within_groups(store):
    rows = grid(store, "?view=compare&exp=e&rows=model&cols=image&at.layer=l2&sort_rows=likeness").rows
    kinds = "".join(m[0] for m in rows)
    assert kinds in ("aaccc", "cccaa")
    assert [m[0] for m in grid(store, FOLDED.replace("&compare.fold=all", "&sort_rows=likeness")).rows] == list("aaccc")
    across = State("compare", ("e",), rows="layer", cols="model", sort_cols=("likeness", False))
    assert "".join(m[0] for m in grid(store, across.search()).cols) in ("aaccc", "cccaa")
    assert grid(store, "?view=compare&exp=e&rows=layer&cols=image&sort_rows=likeness").rows == ("l1", "l2")
