"""The page of messages is what the program makes today, and fits a phone."""

import pytest

from tests.alerts.renderings import FILE, document, notices, shown


def test_the_page_is_up_to_date() -> None:
    """Word for word; else run `python -m tests.alerts.renderings`."""
    assert FILE.read_text() == document()


@pytest.mark.parametrize("title", list(notices()))
def test_a_message_fits_on_a_phone(title: str) -> None:
    """What is wrong stands in the first two lines, and the whole message is one screen or little more."""
    notice = notices()[title]
    lines = shown(notice).splitlines()
    first = " ".join(lines[:2]).replace("→", "->")
    assert notice.content.title[:40] in first
    assert len(lines) <= 24
