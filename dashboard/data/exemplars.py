"""What is said of natural exemplars, on the dashboard as on a published site."""

from collections.abc import Mapping
from typing import Any

from distcari.dashboard.data.columns import number


def sentence(one: Mapping[str, Any]) -> str:
    """What the exemplars of a cell are, given one of their rows."""
    how = "place by place" if one["by"] == "places" else "wherever in the picture"
    return (
        f"Of {one['files']:,} pictures in {one['folder']}, those that {one['layer']} answers to most as to "
        f"{one['image']}, {how}: cosine (median of all {number(one['median'])})."
    )


def square(one: Mapping[str, Any]) -> str:
    """Which part of which file it is."""
    return f"{one['file']}, {one['side']} pixels from ({one['left']}, {one['top']})"
