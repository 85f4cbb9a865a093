"""The queue's laws: nothing is lost or given twice, models stay where they are loaded, the end is shared out evenly."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from distcari.cluster.queue import Queue, joined
from distcari.grid import Cell, WorkUnit


def units(sizes, shards=False):
    """A unit of so many cells for each (model, size)."""
    return [
        WorkUnit(
            model, "layer", tuple(Cell(f"{i}-{j}", (model, i, j)) for j in range(size)), (model, i) if shards else None
        )
        for i, (model, size) in enumerate(sizes)
    ]


work = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 9)), max_size=30)


@given(work, st.integers(1, 9))
def test_every_cell_is_given_once_and_the_end_in_small_pieces(sizes, workers):
    queue = Queue(units(sizes))
    given_out = []
    while queue:
        left = queue.cells
        unit = queue.take(None, Counter(), workers)
        assert len(unit.cells) <= -(-left // (2 * workers))
        given_out += unit.cells
    assert sorted(given_out) == sorted(cell for unit in units(sizes) for cell in unit.cells)
    assert queue.cells == 0 and len(queue) == 0


@given(work, st.integers(2, 6))
def test_no_worker_is_left_with_two_units_while_another_is_idle(sizes, workers):
    """Workers take whenever they are free; equal cells. Once the queue is dry no hand holds more than a unit's half."""
    queue = Queue(units(sizes))
    free_at = [0] * workers
    while queue:
        i = min(range(workers), key=free_at.__getitem__)
        free_at[i] += len(queue.take(None, Counter(), workers).cells)
    if sum(size for _, size in sizes) >= 4 * workers:
        assert max(free_at) - min(free_at) <= 5  # half of the largest unit, rounded up


@given(work)
def test_a_worker_stays_with_its_model_while_there_is_work_for_it(sizes):
    queue = Queue(units(sizes))
    resident, loads = None, 0
    while queue:
        unit = queue.take(resident, Counter(), 1)
        loads += unit.model != resident
        resident = unit.model
    assert loads == len({model for model, _ in sizes})


def test_an_idle_worker_goes_where_most_work_per_worker_is():
    queue = Queue(units([("a", 8)] * 3 + [("b", 8)] * 2))
    assert queue.take(None, Counter({"a": 2}), 3).model == "b"
    assert queue.take(None, Counter(), 3).model == "a"


@given(work)
def test_a_shard_is_in_one_hand_at_a_time(sizes):
    queue = Queue(units(sizes, shards=True))
    for unit in units(sizes, shards=True)[:3]:  # cells of the same shards, back from a failed try
        queue.put(unit._replace(cells=unit.cells[:1]))
    hands, given_out = [], 0
    while queue:
        unit = queue.take(None, Counter(), 2)
        if unit is None:
            queue.done(hands.pop(0))
            continue
        assert unit.shard not in [other.shard for other in hands]
        hands.append(unit)
        given_out += len(unit.cells)
    assert given_out == sum(size for _, size in sizes) + min(3, len(sizes))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 200)), max_size=9), st.integers(1, 9), st.integers(2, 16)
)
def test_for_a_gpu_no_unit_is_cut_to_less_than_it_takes_to_keep_it_busy(sizes, workers, least):
    queue = Queue(units(sizes), least)
    smallest = min((min(size, least) for _, size in sizes), default=0)
    given_out = []
    while queue:
        unit = queue.take(None, Counter(), workers)
        assert len(unit.cells) >= smallest
        given_out += unit.cells
    assert sorted(given_out) == sorted(cell for unit in units(sizes) for cell in unit.cells)


@given(work, st.integers(1, 40), st.integers(1, 3))
def test_joined_units_hold_each_cell_once_of_one_model_and_kind(sizes, most, kinds):
    def alike(unit):
        kind = int(unit.cells[0].key.partition("-")[0]) % kinds
        return None if kind == 2 else kind

    before, after = units(sizes), joined(units(sizes), most, alike)
    assert sorted(c for u in after for c in u.cells) == sorted(c for u in before for c in u.cells)
    for unit in after:
        whose = {(cell.labels[0], int(cell.key.partition("-")[0]) % kinds) for cell in unit.cells}
        assert len(whose) == 1 and whose.pop()[0] == unit.model
        assert not unit.joined or len(unit.cells) <= most
    for unit, other in pairwise(u for u in after if alike(u) is not None):  # sizes are of 9 at most: all are small
        assert (unit.model, alike(unit)) != (other.model, alike(other)) or len(unit.cells + other.cells) > most


@given(work)
def test_units_that_share_an_object_are_not_joined(sizes):
    assert joined(units(sizes, shards=True), 64, lambda unit: "same") == units(sizes, shards=True)
