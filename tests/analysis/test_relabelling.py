"""p of a judge's score: as often small as it says where groups are alike, and small where they are not."""

import numpy as np
import pytest

from distcari.analysis import relabelling
from distcari.analysis.relabelling import Relabelling

MEMBER = {f"{group}{n}": group for group in "abc" for n in range(5)}


def p(draw, effect, shared=0.5):
    """Of 15 trainings that each draw four blocks, alike but for `effect` along a direction of their group's."""
    made, own = Relabelling(MEMBER), {group: draw.normal(size=12) for group in "abc"}
    training = {name: shared * draw.normal(size=12) for name in MEMBER}
    for _ in range(4):
        seen = np.array([effect * own[g] + training[n] + draw.normal(size=12) for n, g in MEMBER.items()])
        made.add("row", list(MEMBER), (seen @ seen.T)[None])
    return made.p("row")


def test_where_names_mean_nothing_p_is_as_often_small_as_it_says(monkeypatch):
    """Though all blocks share their trainings, which an interval over choices does not know."""
    monkeypatch.setattr(relabelling, "DEALS", 99)
    draw = np.random.default_rng(0)
    found = np.array([p(draw, 0) for _ in range(300)])
    for level in (0.05, 0.1, 0.5):
        assert np.mean(found <= level) == pytest.approx(level, abs=3 * (level * (1 - level) / 300) ** 0.5)


def test_what_groups_share_is_found():
    assert p(np.random.default_rng(1), 1.5) == 1 / (relabelling.DEALS + 1)
