import json
import time

import pytest
from dash.exceptions import PreventUpdate
from support.dashboard_store import finish, grid, prepare
from support.pages import follow, walk

from distcari.dashboard.app import create_app
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import State, parse
from distcari.dashboard.views import compare


def tiles(components):
    found = [c for part in components for c in walk(part) if "tile" in (getattr(c, "className", "") or "").split()]
    return [(json.loads(c.to_plotly_json()["props"]["data-at"]), c.className) for c in found]


def test_the_first_view_is_models_by_layers_of_the_first_image(catalog):
    shown = compare.resolve(catalog, State(experiments=("e",)))
    assert (shown.rows, shown.cols, dict(shown.at)) == ("model", "layer", {"image": "cat", "seed": "0"})


def test_any_axes_and_nonsense_falls_back(catalog):
    shown = compare.resolve(catalog, parse("?exp=e&rows=seed&cols=image&at.layer=nope&at.model=n"))
    assert (shown.rows, shown.cols, dict(shown.at)) == ("seed", "image", {"model": "n", "layer": "x"})
    for search in ("rows=layer", "cols=model", "rows=model&cols=model", "rows=q&cols=layer"):
        shown = compare.resolve(catalog, parse(f"?exp=e&{search}"))
        assert shown.rows != shown.cols and set(shown.at) == set(catalog.axes(["e"])) - {shown.rows, shown.cols}


def test_mixed_experiments_are_chosen_by_a_selector_or_lie_on_an_axis(catalog):
    assert compare.resolve(catalog, parse("?exp=e&exp=f&at.experiment=f")).scope == ("f",)
    assert compare.resolve(catalog, parse("?exp=e&exp=f&rows=experiment")).scope == ("e", "f")


def test_the_callback_gives_every_slot_and_its_reason(mixed):
    app = create_app(mixed)
    tools, body, drawn = follow(app, "compare-body", "?view=compare&exp=e", 1, None)
    names = [name.removeprefix("tile ").removeprefix("empty ").removesuffix(" pickable") for _, name in tiles(body)]
    assert names == ["done", "done", "failed", "done", "running", "not-planned"]
    said = " ".join(str(c) for c in tools)
    assert "3 done" in said and "1 failed" in said
    assert "ValueError: NaN" in str(body[0]) and "n has no layer z." in str(body[0])
    for search in ("?view=cell", "?exp=e&a.model=m"):  # another view; nothing but a pick
        with pytest.raises(PreventUpdate):
            follow(app, "compare-body", search, 1, drawn)


def test_rows_sort_by_a_figure_of_the_url(catalog):
    _, body = compare.draw(catalog, parse("?exp=e&sort_rows=-gain&compare.label=gain"))
    assert tiles(body)[0][0]["model"] == "n" and "gain 2" in str(body[0])
    _, body = compare.draw(catalog, parse("?exp=e&sort_rows=nonsense&sort_cols=-nonsense&compare.row0=99"))
    assert tiles(body)[0][0]["model"] == "n", "an offset beyond the end shows the last row"


def test_headings_say_where_a_layer_hardly_responds(store):
    """Model n at layer y: grey reaches the picture's cosine. m is older there: it has no yardsticks."""
    g = grid(seeds=(0,))

    def yardsticks(cell):
        at = dict(zip(("model", "image", "layer", "seed"), cell.labels, strict=True))
        if at["layer"] == "y" and at["model"] == "m":
            return {}
        grey = 0.95 if at["layer"] == "y" else 0.1
        return {"robust_cosine": 0.97, "grey_cosine": grey, "other_cosine": 0.2}

    finish(store, prepare(store, g), g, g.cells(), more=yardsticks)
    catalog = Catalog(store)

    def said(search):
        _, body = compare.draw(catalog, parse(search))
        heads = [c for part in body for c in walk(part) if (getattr(c, "role", "") or "").endswith("header")]
        marked = [h for h in heads if "hardly responds" in str(h) and "100%" in str(h)]
        return [c.title for h in marked for c in walk(h) if getattr(c, "className", "") == "label"]

    assert said("?rows=model&cols=layer") == ["y"], "models' lines are of several layers"
    assert said("?rows=model&cols=image&at.layer=y") == ["cat", "dog", "n"] and not said("?cols=image&at.layer=x")
    assert said("?rows=seed&cols=layer&at.model=n&compare.tiles=small") == ["y"]
    assert not said("?rows=seed&cols=layer&at.model=m"), "nothing is said where nothing is known"


def test_240_cells_sort_in_time_and_more_come_in_pages(store):
    g = grid(models=[f"m{i}" for i in range(12)], layers=[f"l{i}" for i in range(20)], images=("cat",), seeds=(0,))
    finish(store, prepare(store, g), g, g.cells())
    app = create_app(store)
    start = time.perf_counter()
    _, body, _ = follow(app, "compare-body", "?sort_rows=-gain", 1, None)
    assert time.perf_counter() - start < 0.5 and len(tiles(body)) == 240 and tiles(body)[0][0]["model"] == "m11"
    catalog = Catalog(store)
    wide = grid(models=("m0",), layers=[f"l{i}" for i in range(100)], images=("cat",), seeds=(0,))
    prepare(store, wide)
    tools, body = compare.draw(catalog, parse("?compare.col0=40"))
    assert tiles(body)[0][0]["layer"] == "l40" and "layer 41–80 of 100" in str(tools)
