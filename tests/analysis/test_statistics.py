"""The statistics of the analysis keep their word: exact p, safe where seeds are paired, intervals that cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from distcari.analysis.correction import corrected
from distcari.analysis.intervals import difference_interval, spread
from distcari.analysis.permutation import DRAWS, blockwise, deals, excess_distance, mean_difference, units_needed
from distcari.errors import InputError


def p_of(blocks, shuffle="block"):
    same = [len(a) == len(b) for a, b in blocks]
    return blockwise([mean_difference(a, b, shuffle) for a, b in blocks], same, two_sided=True)


def p_of_distance(values, n, seeds, shuffle="block"):
    """Test one block of points (units, dims), the first n of them A's."""
    distance = np.linalg.norm(values[:, None] - values[None], axis=-1)
    comparable = seeds[:, None] != seeds[None]
    return blockwise([excess_distance(distance, n, comparable, shuffle)], [2 * n == len(values)], two_sided=False)


@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_one_block_is_scipys_exact_permutation_test(seed, n_a, n_b):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n_a), rng.normal(0.5, size=n_b)
    scipys = stats.permutation_test((a, b), lambda x, y: abs(x.mean() - y.mean()), alternative="greater")
    ours = p_of([(a[:, None], b[:, None])])
    assert ours.p[0] == pytest.approx(scipys.pvalue) and ours.statistic[0] == pytest.approx(a.mean() - b.mean())


def test_many_blocks_are_exchanged_as_scipy_exchanges_pairs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.4, size=(4, 3, 1)), rng.normal(size=(4, 3, 1))
    scipys = stats.permutation_test(
        (a.ravel(), b.ravel()),
        lambda x, y: abs(x.mean() - y.mean()),
        permutation_type="samples",
        alternative="greater",
        n_resamples=10**6,
    )
    assert p_of(list(zip(a, b, strict=True)), "seed").p[0] == pytest.approx(scipys.pvalue)


@pytest.mark.parametrize(
    ("sizes", "shuffle"),
    [
        ([(3, 3)], "block"),
        ([(3, 3)] * 3, "block"),
        ([(2, 4)], "block"),
        ([(3, 3)] * 2, "seed"),
        ([(1, 1)] * 4, "block"),
        ([(2, 3)] * 2, "block"),
    ],
)
def test_the_smallest_p_is_what_a_clear_difference_gives(sizes, shuffle):
    rng = np.random.default_rng(0)
    blocks = [(100 + rng.random((a, 1)), rng.random((b, 1))) for a, b in sizes]
    tested = p_of(blocks, shuffle)
    assert tested.p[0] == pytest.approx(tested.smallest)


def test_too_few_seeds_can_prove_nothing_and_it_is_said_how_many_can():
    rng = np.random.default_rng(0)
    assert p_of([(100 + rng.random((3, 1)), rng.random((3, 1)))]).p[0] == pytest.approx(0.1)
    assert units_needed(0.05, 1, two_sided=True) == 4 and units_needed(0.05, 1, two_sided=True, shuffle="seed") == 6
    assert units_needed(0.05, 3, two_sided=True) == 2
    assert p_of([(100 + rng.random((n, 1)), rng.random((n, 1))) for n in [4]]).p[0] <= 0.05


def test_many_deals_are_drawn_and_p_is_never_zero():
    rng = np.random.default_rng(0)
    tested = p_of([(100 + rng.random((4, 2)), rng.random((4, 2))) for _ in range(6)])
    assert (tested.p == 1 / (DRAWS + 1)).all() and tested.smallest == 1 / (DRAWS + 1)
    assert len(deals(12, 12)) == DRAWS + 1


def test_no_difference_at_all_is_not_significant():
    same = np.full((3, 2), 0.5)
    assert (p_of([(same, same)] * 4).p == 1).all()


@pytest.mark.parametrize("alike", [0.0, 0.5, 0.95])
def test_false_alarms_stay_below_their_share(alike):
    """No difference, 4 images × 3 seeds, pictures of one seed alike: at most 5 % of figures may be called different."""
    rng = np.random.default_rng(3)
    alarms = {"block": 0.0, "seed": 0.0}
    for shuffle in alarms:
        blocks = []
        for _ in range(4):
            start, a, b = rng.normal(size=(3, 3, 1500))
            blocks.append(tuple(np.sqrt(alike) * start + np.sqrt(1 - alike) * own for own in (a, b)))
        alarms[shuffle] = (p_of(blocks, shuffle).p <= 0.05).mean()
    assert alarms["block"] <= 0.065 and 0.035 <= alarms["seed"] <= 0.065
    assert alike < 0.5 or alarms["block"] < 0.03


@pytest.mark.parametrize("shuffle", ["block", "seed"])
@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_distances_find_what_differs_and_nothing_where_nothing_does(shuffle, alike):
    rng = np.random.default_rng(4)
    seeds = np.tile(np.arange(5), 2)
    found = {0.0: 0, 3.0: 0}
    for shift in found:
        for _ in range(120):
            start, a, b = rng.normal(size=(3, 5, 6))
            a, b = (np.sqrt(alike) * start + np.sqrt(1 - alike) * own for own in (a, b))
            points = np.concatenate([a + shift / np.sqrt(6), b])
            found[shift] += p_of_distance(points, 5, seeds, shuffle).p[0] <= 2 / 32
    assert found[0.0] <= 0.12 * 120 and found[3.0] >= 0.7 * 120


def test_two_seeds_are_exchanged_pairwise_since_other_deals_leave_nothing_within():
    values = np.array([[0.0], [0.1], [5.0], [5.1]])
    tested = p_of_distance(values, 2, np.array([0, 1, 0, 1]))
    assert tested.p[0] == 0.5 and tested.statistic[0] == pytest.approx(5 - 0.1)


@pytest.mark.parametrize(("blocks", "units", "least"), [(1, 3, 0.88), (3, 3, 0.91), (6, 3, 0.92), (1, 6, 0.9)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(blocks, units, least):
    """1500 experiments at once, as figures of one."""
    rng = np.random.default_rng(5)
    made = [(rng.normal(1, 1, (units, 1500)), rng.normal(0, 1, (units, 1500))) for _ in range(blocks)]
    low, high = difference_interval(made)
    covered = ((low <= 1) & (high >= 1)).mean()
    print(f"{blocks} images × {units} seeds: covers {covered:.3f}")
    assert least <= covered <= 0.985
    assert spread(made).mean() == pytest.approx(1, abs=0.1)


def test_no_interval_from_too_little_and_none_wider_than_nothing():
    two = (np.array([[0.0], [1.0]]), np.array([[3.0], [4.0]]))
    assert np.isnan(difference_interval([two])).all()
    flat = (np.ones((3, 1)), np.zeros((3, 1)))
    assert [float(v[0]) for v in difference_interval([flat, flat])] == [1, 1]


def test_correction_counts_the_comparisons_and_leaves_the_unknown_out():
    p = [0.01, 0.02, float("nan"), 0.5]
    assert corrected(p)[[0, 1, 3]] == pytest.approx([0.03, 0.03, 0.5]) and np.isnan(corrected(p)[2])
    assert (corrected(p, "by")[:2] > corrected(p)[:2]).all() and corrected(p, "none")[0] == 0.01
    with pytest.raises(InputError, match="One of bh, by, none"):
        corrected(p, "bonferoni")
