"""Names beside the points of a map cover neither each other nor a point."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from distcari.dashboard.views.overview.names import HIGH, POINT, WIDE, positions


def box(x, y, name, place):
    """The rectangle that a name takes, from Plotly's word for its place."""
    wide = WIDE * len(name)
    left = {"center": x - wide / 2, "right": x + POINT, "left": x - POINT - wide}[place.split()[1]]
    low = {"top": y + POINT, "bottom": y - POINT - HIGH, "middle": y - HIGH / 2}[place.split()[0]]
    return left, low, left + wide, low + HIGH


points = st.tuples(st.floats(-20, 20), st.floats(-20, 20))


@given(st.lists(points, min_size=1, max_size=12))
def test_a_name_covers_no_other_and_no_point(at):
    names = [f"model {i}" for i in range(len(at))]
    placed = positions(np.array(at), names, 10)
    boxes = [box(10 * x, 10 * y, n, p) for (x, y), n, p in zip(at, names, placed, strict=True) if p]
    for i, (left, low, right, high) in enumerate(boxes):
        assert not any(left < 10 * x < right and low < 10 * y < high for x, y in at)
        for other in boxes[i + 1 :]:
            assert right <= other[0] or other[2] <= left or high <= other[1] or other[3] <= low


def test_where_there_is_room_the_name_stands_above_and_where_there_is_none_it_is_left_out():
    assert positions(np.array([[0.0, 0.0], [30.0, 0.0]]), ["a", "b"], 10) == ["top center"] * 2
    crowd = positions(np.zeros((6, 2)), list("abcdef"), 10)
    assert crowd == ["top center", "bottom center", "middle right", "middle left", "", ""]
