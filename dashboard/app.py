"""Start here: `python dashboard/app.py --store store`, then open the address that it prints."""

import runpy
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # python dashboard/app.py: import from the repository's root, not from here
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from dash import Dash

from distcari.dashboard import security, serving
from distcari.dashboard.data.catalog import Catalog, one_moment
from distcari.dashboard.page import note_drawer, scripts, shell
from distcari.dashboard.pictures import differences, downloads, routes, sheet
from distcari.dashboard.views import cell, compare, notes, table
from distcari.dashboard.views.explore import view as explore
from distcari.dashboard.views.findings import view as findings
from distcari.dashboard.views.overview import view as overview
from distcari.dashboard.views.run import view as run
from distcari.dashboard.views.side import view as side
from distcari.errors import InputError
from distcari.store import Store

VIEWS = {view.NAME: view for view in (overview, findings, compare, side, explore, table, cell, run, notes)}


def create_app(store: Store, read_only: bool = False, host: str = "127.0.0.1", allow_hosts: Sequence[str] = ()) -> Dash:
    """The dashboard of a store, which may be missing still. `app.server` is the WSGI application.

    It answers under loopback names, under `host` and under `allow_hosts`: see security.py.
    """
    return _app(Catalog(store), read_only, host, allow_hosts)


def _app(catalog: Catalog, read_only: bool, host: str, allow_hosts: Sequence[str]) -> Dash:
    catalog.notes.read_only = read_only
    app = Dash(
        "dashboard",
        title="distcari",
        update_title="",
        serve_locally=True,
        index_string=shell.INDEX,
        assets_folder=str(Path(__file__).parent / "assets"),
        suppress_callback_exceptions=True,  # views come and go; tests/dashboard/test_app.py holds ids against them
    )
    app.layout = shell.frame(VIEWS)
    app.interpolate_index = scripts.index(app.interpolate_index)
    for served in (routes, differences, sheet, downloads):
        served.register(app.server, catalog)
    shell.register(app, catalog, VIEWS)
    note_drawer.register(app, catalog)
    for view in VIEWS.values():
        view.register(app, catalog)
    security.register(app, host, allow_hosts)
    app.server.wsgi_app = _of_one_moment(app.server.wsgi_app)
    return app


def _of_one_moment(answer: Callable[..., Any]) -> Callable[..., Any]:
    """A WSGI application of which each answer shows one snapshot of the store, not two."""

    def wrapped(environ: Any, start_response: Any) -> Any:
        with one_moment():
            return answer(environ, start_response)

    return wrapped


def serve(
    store: Store,
    host: str = "127.0.0.1",
    port: int = 8050,
    *,
    allow_hosts: Sequence[str] = (),
    read_only: bool = False,
    debug: bool = False,
    open_browser: bool = False,
) -> None:
    """Serve a store until interrupted. Raises InputError if the address cannot be used."""
    if error := unusable(host, port):
        raise InputError(f"{host}:{port}", f"cannot be used: {error}", f"Try --port {port + 1}.")
    catalog = Catalog(store)
    threading.Thread(target=_first_look, args=[catalog], daemon=True).start()
    app = _app(catalog, read_only, host, allow_hosts)
    address = f"http://{host}:{port}/"
    print(f"distcari dashboard of {store.url}: {address}  (Ctrl-C ends it)", flush=True)
    if open_browser:
        webbrowser.open(address)
    if debug:
        app.run(host=host, port=port, debug=True)
    else:
        serving.create(app, host, port).run()


def _first_look(catalog: Catalog) -> None:
    """Reads the index while the browser starts: of 100,000 rows that is half a second."""
    with suppress(Exception):  # what is wrong is told to the page that asks
        catalog.now()


def unusable(host: str, port: int) -> str:
    """Why a server cannot listen there; empty if it can."""
    try:
        with socket.create_server((host, port)):
            return ""
    except (OSError, OverflowError) as error:
        return str(error)


if __name__ == "__main__":  # the same as `distcari dashboard`
    sys.argv.insert(1, "dashboard")
    runpy.run_module("distcari", run_name="__main__", alter_sys=True)
