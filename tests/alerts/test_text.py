"""No text from outside can do anything in Slack but be read, and none is longer than allowed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.text import code, escaped, length, listed, plain

ANY = st.text(max_size=300) | st.text(
    alphabet="<>&`!@#|*_~-\n\r\t\x00\x1b\u202e\u200b\ud800😀a", max_size=300
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel> & <https://evil|good>", "&lt;!channel&gt; &amp; &lt;https://evil|good&gt;"),
        ("a\x1b[31mb\x00", "a\\x1b[31mb\\x00"),
        ("abc\u202edef", "abc\\u202edef"),
        ("two\nlines", "two lines"),
        ("```", "'''"),
        ("\ud800", "\\ud800"),
        ("naïve 😀 e\u0301", "naïve 😀 e\u0301"),
    ],
)
def test_shows_what_would_act_or_hide(text: str, shown: str) -> None:
    """Markup becomes entities, what hides becomes visible, and honest text stays as it is."""
    assert escaped(text, 1000) == shown


def test_a_cut_says_how_much_there_was() -> None:
    """The pointer counts the whole text, and the cut never splits an entity."""
    assert escaped("&" * 100, 40) == "&amp;" * 3 + "… (cut, 100 characters)"


@given(ANY, st.integers(0, 120))
def test_is_never_too_long_and_never_active(text: str, limit: int) -> None:
    """No bare bracket, no backtick, no control, only whole entities, and it fits."""
    shown = escaped(text, limit)
    assert length(shown) <= limit
    assert not re.search(r"[<>`\x00-\x1f\u202e\ud800]", shown)
    assert not re.search(r"&(?!amp;|lt;|gt;)", shown)


@given(ANY, st.integers(30, 200))
def test_a_header_holds_no_markup(text: str, limit: int) -> None:
    """A plain text has no angle bracket at all, so nothing in it can be taken for a mention."""
    shown = plain(text, limit)
    assert length(shown) <= limit
    assert not re.search(r"[<>`\n]", shown)


@given(ANY, st.integers(40, 400))
def test_a_code_block_cannot_be_left(text: str, limit: int) -> None:
    """Between its fences there is no backtick, and the fences count towards the limit."""
    block = code(text, limit)
    assert length(block) <= limit
    if block:
        assert block.startswith("```\n")
        assert block.endswith("\n```")
        assert "`" not in block[3:-3]


def test_an_empty_text_makes_no_block() -> None:
    """Slack refuses empty blocks."""
    assert code("", 100) == code(" \n", 100) == ""


def test_a_list_points_to_the_rest() -> None:
    """Only so many items are shown, and the reader is told how many are not."""
    assert listed("abc", 100, most=5) == "`a` `b` `c`"
    assert listed("abcdef", 100, most=2) == "`a` `b` and 4 more"
    assert listed(["x" * 60] * 5, 150, most=5).endswith(" and 3 more")
