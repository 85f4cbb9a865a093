from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import grid

from distcari.grid import select

names = st.lists(st.text("abcxyz_0123", min_size=1, max_size=6), min_size=1, max_size=4, unique=True)


grids = st.tuples(names, names, names, st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True))


@given(grids)
def test_cells_are_the_product_with_distinct_keys(axes):
    cells = list(grid(*axes).cells())
    expected = 1
    for labels in axes:
        expected *= len(labels)
    assert len({c.key for c in cells}) == len({c.labels for c in cells}) == len(cells) == expected


@given(grids, st.integers(1, 5))
def test_units_hold_every_cell_once_and_one_model_and_layer_each(axes, batch):
    g = grid(*axes)
    units = g.units(g.cells(), batch)
    assert sorted(c.key for u in units for c in u.cells) == sorted(c.key for c in g.cells())
    for unit in units:
        assert 1 <= len(unit.cells) <= batch
        assert {(c.labels[0], c.labels[2]) for c in unit.cells} == {(unit.model, unit.layer)}


@given(grids, st.randoms())
@settings(max_examples=30)
def test_keys_do_not_depend_on_order_or_on_other_labels(axes, random):
    before = {c.labels: c.key for c in grid(*axes).cells()}
    shuffled = [random.sample(labels, len(labels)) for labels in axes]
    shuffled[0] = [*shuffled[0], "one_more"]
    after = {c.labels: c.key for c in grid(*shuffled).cells()}
    assert all(after[labels] == key for labels, key in before.items())


def test_a_key_changes_with_what_decides_the_pixels_and_only_then():
    one, other = (next(grid(["m"], ["i"], ["l"], [0], content=c).cells()).key for c in ("v1", "v2"))
    assert one != other


def test_a_layer_that_a_model_lacks_is_not_planned():
    g = grid(["m", "n"], ["i"], ["x", "y"], [0], layers_of={"n": ["x"]})
    assert {c.labels[:3] for c in g.cells()} == {("m", "i", "x"), ("m", "i", "y"), ("n", "i", "x")}


def test_select_takes_labels_of_any_axis():
    g = grid(["m", "n"], ["i", "j"], ["x"], [0, 1])
    assert {c.labels for c in select(g.cells(), g.axes, {"model": ["n"], "seed": ["1"]})} == {
        ("n", "i", "x", 1),
        ("n", "j", "x", 1),
    }
