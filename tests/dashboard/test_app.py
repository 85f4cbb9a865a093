import socket
import subprocess
import sys
import time

import pytest
from support.dashboard_store import finish, grid, prepare
from support.pages import follow
from support.shared import ROOT

from distcari.cli.main import main
from distcari.dashboard.app import VIEWS, create_app, unusable
from distcari.dashboard.data.catalog import Catalog
from distcari.dashboard.data.state import State
from distcari.dashboard.views import cell
from distcari.store import Store


def test_a_taken_port_is_said_with_a_remedy(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["dashboard", "--port", str(port)]) == 2
    assert f"--port {port + 1}" in capsys.readouterr().err
    assert unusable("127.0.0.1", 99_999)


def test_a_missing_store_says_what_to_do_and_works_when_it_appears(tmp_path):
    app = create_app(Store(str(tmp_path / "s")))
    page, token, *_ = follow(app, "page.children", "?view=compare", 0, None, [], [])
    assert "distcari demo" in str(page) and "distcari submit CONFIG" in str(page)
    store = Store(str(tmp_path / "s"), writable=True)
    g = grid()
    finish(store, prepare(store, g), g, list(g.cells())[:2])
    time.sleep(2.1)
    page, token, tabs, names, chosen = follow(app, "page.children", "?view=compare", 1, token, [], [])
    assert "facets" in str(page) and (names, chosen) == (["e"], ["e"]) and len(tabs) == len(VIEWS)
    assert follow(app, "version.data", 1, 1) >= 2


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_whatever_the_url_says(mixed, view):
    app = create_app(mixed)
    for search in ("", "&exp=gone", f"&cell={'0' * 32}", "&a.model=nope&rows=nope", "&exp=e&exp=f&at.image=nope"):
        page, *_ = follow(app, "page.children", f"?view={view}{search}", 0, None, [], [])
        assert page is not None


def test_nothing_is_asked_of_another_host(mixed):
    page = create_app(mixed).server.test_client().get("/").get_data(as_text=True)
    assert "http://" not in page and "https://" not in page and "//cdn" not in page


def test_the_cell_page_walks_over_done_neighbours_only_and_says_how_to_fetch(mixed):
    catalog = Catalog(mixed)
    key = catalog.slot("e", {"image": "cat", "layer": "x"}).key
    said = str(cell.draw(catalog, State("cell", cell=key)))
    assert f'.loc["{key}"]' in said or key in said
    assert "model='m', image='cat', layer='x', seed=0" in said.replace("\\", "")
    assert said.count("data-key='ArrowRight'") == 1 and "data-key='ArrowDown'" not in said, "dog is not done"
    assert "No finished cell" in str(cell.draw(catalog, State("cell", cell="0" * 32)))


def test_it_starts_from_the_repositorys_root():
    run = subprocess.run([sys.executable, "dashboard/app.py", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0 and "--store URL" in run.stdout


def test_every_id_that_callbacks_name_is_in_the_frame_or_in_a_view(mixed):
    app, catalog = create_app(mixed), Catalog(mixed)
    whole = [app.layout, *(view.layout(catalog, State(name)) for name, view in VIEWS.items())]
    known = {part.id for page in whole for part in page._traverse() if isinstance(getattr(part, "id", None), str)}
    named = {
        one["id"]
        for callback in app.callback_map.values()
        for one in (*callback["inputs"], *callback["state"])
        if not str(one["id"]).startswith("{")
    }
    assert not named - known - {"picks", "side-match"}, "ids of parts that come and go within a view are listed here"


def test_only_the_table_loads_the_tables_library(mixed):
    client = create_app(mixed).server.test_client()
    pages = {view: client.get(f"/?view={view}").get_data(as_text=True) for view in (*VIEWS, "nope")}
    assert {view for view, page in pages.items() if "component-suites/dash_ag_grid" in page} == {"table"}
    assert all("dash_renderer" in page and len(page) < 60_000 for page in pages.values())
