"""The page of messages is what the program makes today, and fits a phone."""

from xml.etree import ElementTree

import pytest

from tests.alerts.picture import FILE as PICTURE
from tests.alerts.renderings import FILE, document, drawn, notices, shown, styled


def test_the_page_is_up_to_date() -> None:
    """Word for word; else run `python -m tests.alerts.renderings`."""
    assert FILE.read_text() == document()


def test_the_picture_is_up_to_date_and_in_the_readme() -> None:
    """Made by the same command, and every line of every message stands in it."""
    assert PICTURE.read_text() == drawn()
    assert "(docs/messages.svg)" in (FILE.parents[1] / "README.md").read_text()
    words = [text.text for text in ElementTree.fromstring(drawn()).iter("{http://www.w3.org/2000/svg}text")]
    for notice in notices().values():
        assert not [line for _, line in styled(notice) if line not in words]


@pytest.mark.parametrize("title", list(notices()))
def test_a_message_fits_on_a_phone(title: str) -> None:
    """What is wrong stands in the first two lines, and the whole message is one screen or little more."""
    notice = notices()[title]
    lines = shown(notice).splitlines()
    first = " ".join(lines[:2]).replace("→", "->")
    assert notice.content.title[:40] in first
    assert len(lines) <= 25
