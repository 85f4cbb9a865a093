"""`distcari dashboard`: look at a store in a browser."""

from typing import Annotated

import typer

from distcari.cli.options import StoreOptions, needs_store, options_of
from distcari.errors import needs


def dashboard(
    store: Annotated[str, typer.Option(metavar="URL", help="A folder, or s3://bucket/prefix.")] = "store",
    options: StoreOptions = None,
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: every network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.")] = 8050,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="A further name under which browsers reach it, e.g. behind a proxy (repeatable).",
        ),
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Write nothing to the store: no notes.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in a browser.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Dash's own server with its developer tools, reloading.")
    ] = False,
) -> None:
    """Compare caricatures in a browser.

    Also while they are computed. Ctrl-C ends it.

    The store may be missing still: the page begins to work by itself when an experiment begins.

    \b
    Examples:
      distcari dashboard
      distcari dashboard --store s3://lab/caricatures --option endpoint=http://minio:9000 --read-only
      distcari dashboard --host 0.0.0.0 --port 8060
    """
    needs_store()
    needs("dashboard", "dash", "dash_mantine_components", "dash_ag_grid", "plotly", "waitress")
    from distcari.dashboard.app import serve
    from distcari.store import Store

    serve(
        Store(store, options_of(options)),
        host,
        port,
        allow_hosts=allow_host or (),
        read_only=read_only,
        debug=debug,
        open_browser=open_browser,
    )
