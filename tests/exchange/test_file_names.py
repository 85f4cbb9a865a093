"""File names out of any labels: safe, unique on every file system, and plain labels as they are."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from distcari.exchange.file_names import LONGEST, file_names

LABEL = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "..",
            ".",
            "../up",
            "/etc/passwd",
            "a/b",
            "a\\b",
            "C:x",
            "\x00",
            "a\nb",
            "<i>",
            "a_b",
            "A_B",
            "_",
            "",
            " ",
            "é",
            "e\u0301",
            "ﬁ",
            "fi",
            "ß",
            "SS",
            "\u2028",
            "x" * 10_000,
            "é" * 200,
            "con",
            "NUL",
        ]
    ),
    st.text(st.characters(categories=["Cs", "Cc", "Mn", "Zs"]), max_size=10),
)
GROUPS = st.lists(st.tuples(LABEL, LABEL, LABEL), max_size=12, unique=True)


@settings(max_examples=150, deadline=None)
@given(GROUPS)
@example([("a_b", "c", "d"), ("a", "b_c", "d"), ("a", "b", "c_d")])
@example([("..", "", ""), ("../up", "l", "i"), ("/", "l", "i")])
@example([("x" * 10_000, "l", "i"), ("x" * 10_001, "l", "i")])
def test_names_are_safe_unique_and_the_same_again(groups):
    names = file_names(groups)
    assert names == file_names(groups)
    folded = {unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold()) for name in names}
    assert len(folded) == len(groups)
    for name in names:
        assert 0 < len(name.encode()) <= LONGEST + 17
        assert not set(name) & set('/\\:*?"<>|\x00\n\r\t') and not name.startswith(".") and name.isprintable()


@pytest.mark.parametrize("group", [("single_camera", "layer3_3", "dog_cat"), ("a − b", "_blocks_2", "Grün é")])
def test_good_names_stay(group):
    assert file_names([group]) == ["_".join(group)]


def test_the_order_does_not_matter():
    groups = [("a_b", "c", "d"), ("a", "b_c", "d"), ("A", "b_c", "d"), ("x", "y", "z")]
    assert dict(zip(groups, file_names(groups), strict=True)) == dict(
        zip(groups[::-1], file_names(groups[::-1]), strict=True)
    )
