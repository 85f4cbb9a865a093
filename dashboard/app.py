"""Start here: `python dashboard/app.py --store store`, then open the address that it prints."""

import argparse
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # python dashboard/app.py: import from the repository's root, not from here
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from dash import Dash, html

from distcari.dashboard import security, serving
from distcari.dashboard.data.catalog import Catalog, one_moment
from distcari.dashboard.data.state import State
from distcari.dashboard.page import note_drawer, shell
from distcari.dashboard.pictures import differences, downloads, routes, sheet
from distcari.dashboard.views import cell, compare, notes, table
from distcari.dashboard.views.explore import view as explore
from distcari.dashboard.views.run import view as run
from distcari.dashboard.views.side import view as side
from distcari.errors import InputError
from distcari.store import Store
from distcari.store.options import options_of

VIEWS = {view.NAME: view for view in (compare, side, explore, table, cell, run, notes)}


def create_app(store: Store, read_only: bool = False, host: str = "127.0.0.1", allow_hosts: Sequence[str] = ()) -> Dash:
    """The dashboard of a store, which may be missing still. `app.server` is the WSGI application.

    It answers under loopback names, under `host` and under `allow_hosts`: see security.py.
    """
    catalog = Catalog(store)
    catalog.notes.read_only = read_only
    app = Dash(
        "dashboard", title="distcari", update_title="", serve_locally=True, index_string=shell.INDEX,
        assets_folder=str(Path(__file__).parent / "assets"),
    )
    app.layout = shell.frame(VIEWS)
    everything = [view.layout(catalog, State(view=name)) for name, view in VIEWS.items()]
    app.validation_layout = html.Div([app.layout, *everything])
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a store until interrupted. 2: the address cannot be used."""
    p = argparse.ArgumentParser(prog="python dashboard/app.py", description="Compare caricatures in a browser.")
    p.add_argument("--store", default="store", metavar="URL", help="a folder, or s3://bucket/prefix (default: store)")
    p.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                   help="of an object store, e.g. endpoint=http://localhost:9000 (repeatable)")
    p.add_argument("--host", default="127.0.0.1", help="where to listen; 0.0.0.0: every network (default: %(default)s)")
    p.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                   help="a further name under which browsers reach it, e.g. behind a proxy (repeatable)")
    p.add_argument("--port", type=int, default=8050, help="default: %(default)s")
    p.add_argument("--read-only", action="store_true", help="write nothing to the store: no notes")
    p.add_argument("--debug", action="store_true", help="Dash's own server with its developer tools, reloading")
    args = p.parse_args(arguments)
    if error := unusable(args.host, args.port):
        print(f"{args.host}:{args.port} cannot be used: {error}\nTry --port {args.port + 1}.", file=sys.stderr)
        return 2
    try:
        app = create_app(Store(args.store, options_of(args.option)), args.read_only, args.host, args.allow_host)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"distcari dashboard of {args.store}: http://{args.host}:{args.port}/  (Ctrl-C ends it)", flush=True)
    if args.debug:
        app.run(host=args.host, port=args.port, debug=True)
    else:
        serving.create(app, args.host, args.port).run()
    return 0


def unusable(host: str, port: int) -> str:
    """Why a server cannot listen there; empty if it can."""
    try:
        with socket.create_server((host, port)):
            return ""
    except (OSError, OverflowError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
