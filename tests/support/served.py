"""A store's dashboard behind the production server, in this process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from waitress.server import create_server

from distcari.dashboard.app import create_app
from distcari.store import Store


@contextmanager
def served(store: Store, threads: int = 4) -> Iterator[str]:
    """The address, on a free port, until the block ends and all that was asked is answered.

    An answer that came later would be written to a file number that belongs to something else by then.
    """
    server = create_server(create_app(store).server, host="127.0.0.1", port=0, threads=threads)
    threading.Thread(target=server.run, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}/"
    finally:
        server.task_dispatcher.shutdown()
        server.close()
