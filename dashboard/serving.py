"""The production server: waitress, with limits that one careless or hostile client does not use up.

Half-open connections and idle ones are closed after a while, and there is room for many: waitress stops accepting at
`connection_limit`, and select() at 1,024 open files, so it polls.
"""

import resource
from typing import Any

from dash import Dash

from distcari.dashboard.security import MOST_BODY

MOST_CONNECTIONS, IDLE = 1000, 30  # connections; seconds without a byte
THREADS = 8  # answers at a time


def create(app: Dash, host: str, port: int) -> Any:
    """A waitress server that listens already; `run()` serves until interrupted, `close()` ends it."""
    from waitress.server import create_server

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = MOST_CONNECTIONS if files == resource.RLIM_INFINITY else max(100, min(MOST_CONNECTIONS, files - 200))
    return create_server(
        app.server,
        host=host,
        port=port,
        threads=THREADS,
        connection_limit=most,
        channel_timeout=IDLE,
        cleanup_interval=5,
        asyncore_use_poll=True,
        max_request_body_size=MOST_BODY,
        max_request_header_size=64 << 10,
        backlog=256,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
