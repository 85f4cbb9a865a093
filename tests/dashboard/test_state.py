from hypothesis import given
from hypothesis import strategies as st

from distcari.dashboard.data.state import SLOTS, VIEWS, State, parse

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
labels = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
selectors = st.dictionaries(names, labels, max_size=4)
sorts = st.none() | st.tuples(names, st.booleans())
states = st.builds(
    State,
    view=st.sampled_from(VIEWS),
    experiments=st.lists(labels, max_size=3, unique=True).map(tuple),
    rows=names | st.just(""),
    cols=names | st.just(""),
    at=selectors,
    sort_rows=sorts,
    sort_cols=sorts,
    cell=st.just("") | st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    slots=st.lists(selectors.filter(bool), max_size=len(SLOTS)).map(tuple),
    extra=st.dictionaries(st.tuples(st.sampled_from(VIEWS), names).map(".".join), labels, max_size=3),
)


@given(states)
def test_every_state_survives_the_url(state):
    assert parse(state.search()) == state


parameters = st.sampled_from(["view", "exp", "rows", "at.x", "at.", "cell", "a.model", "sort_rows", "c.x", "side.x.y"])
queries = st.lists(st.tuples(parameters, st.text(max_size=5))).map(lambda pairs: "?" + "&".join(map("=".join, pairs)))


@given(st.text() | queries)
def test_any_text_is_some_state_and_a_fixed_point(text):
    state = parse(text)
    assert parse(state.search()) == state


def test_unknown_and_ill_formed_parameters_fall_back():
    assert parse("?view=../etc&cell=zz&rows=1;drop&sort_rows=--&utm=1&at.=x&b.model=m") == State()
    assert parse(None) == parse("") == parse("?") == State()
    assert parse("?rows=model&rows=image").rows == "image"


def test_the_first_page_is_the_overview_and_links_of_older_versions_mean_the_grid():
    assert parse("?exp=demo").view == "overview" == parse("").view
    assert parse("?exp=demo&rows=image").view == parse("?at.image=cat").view == "compare"
    assert parse("?view=side&rows=image").view == "side"


def test_a_views_own_parameters_carry_its_prefix():
    state = State(view="explore").with_extra(x="gain", y=None)
    assert state.search() == "?view=explore&explore.x=gain" and state.own("x") == "gain" and state.own("y", "c") == "c"
    assert state.with_extra(x=None) == State(view="explore")
