"""JSON that others wrote: anything ill-formed, or nested deeper than sense has it, is None instead of an error."""

import json
from typing import Any

DEEPEST = 40  # lists and objects within each other; notes and filters have at most five


def parsed(content: str | bytes) -> Any:
    """What the JSON says; None if it is none, or nested so deeply that whoever walks it would run out of stack."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    level, depth = [found], 0
    while level:
        level = [
            child
            for part in level
            for child in (part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())
        ]
        depth += 1
        if depth > DEEPEST:
            return None
    return found
