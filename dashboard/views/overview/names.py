"""Names beside points: above, below, right or left of its own, where a name covers no other and no point."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

WIDE, HIGH, POINT = 6.2, 13.0, 7.0  # pixels of a letter, of a line, and from a point to its name


def positions(at: NDArray[np.float64], names: Sequence[str], pixels: float) -> list[str]:
    """Plotly's `textposition` of each name; "" where there is no room. `at` (points, 2), `pixels` those of a unit."""
    spots = at * pixels
    taken = [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in spots]
    found = []
    for (x, y), name in zip(spots, names, strict=True):
        width = WIDE * len(name)
        boxes = {
            "top center": (x - width / 2, y + POINT, x + width / 2, y + POINT + HIGH),
            "bottom center": (x - width / 2, y - POINT - HIGH, x + width / 2, y - POINT),
            "middle right": (x + POINT, y - HIGH / 2, x + POINT + width, y + HIGH / 2),
            "middle left": (x - POINT - width, y - HIGH / 2, x - POINT, y + HIGH / 2),
        }
        free = [place for place, box in boxes.items() if not any(_meet(box, other) for other in taken)]
        found.append(free[0] if free else "")
        if free:
            taken.append(boxes[free[0]])
    return found


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
