"""Which scripts a page loads: a third of all is ag-grid, which only the Table shows.

Without it the browser is ready a good deal sooner. A page that comes to the Table from another view is loaded anew
(assets/shell.js), for Dash cannot add a library to a page that is open.
"""

import re
from collections.abc import Callable

from flask import has_request_context, request

from distcari.dashboard.data.state import parse

TABLE = "table"
_GRID = re.compile(r"<script[^>]*dash_ag_grid[^>]*></script>\s*")


def index(write: Callable[..., str]) -> Callable[..., str]:
    """What writes the page, without the scripts that the view asked for does not use."""

    def interpolate_index(**parts: str) -> str:
        query = request.query_string.decode("ascii", "replace") if has_request_context() else ""
        if parse(query).view != TABLE:
            parts["scripts"] = _GRID.sub("", parts["scripts"])
        return write(**parts)

    return interpolate_index
