"""A notice becomes a message that says all that is needed and stays within Slack's limits."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.blocks import render, span
from alerts.condition import Condition, Kind, Notice, Severity
from alerts.links import Links
from alerts.text import length

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LOST = Condition(
    "lost",
    Severity.PAGE,
    "lost 3 of 60 between raw and events",
    facts=(("sent", "60"), ("lost", "3")),
    diagram="in -> raw -x-> events",
    commands=("explain 1",),
    count=3,
    ids=("1", "2", "3"),
)


def notice(content: Condition = LOST, *, kind: Kind = Kind.OPENED, repeat: bool = False) -> Notice:
    """One that was made twelve minutes after its incident opened."""
    made = T0 + timedelta(minutes=12)
    return Notice("7.1", 7, 1, kind, content, made, T0, worst=9, repeat=repeat)


def texts(value: Any) -> list[str]:
    """Every text in the blocks."""
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts(item)]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    return [value] if isinstance(value, str) else []


def test_an_opening_says_what_where_and_since_when() -> None:
    """Sentence, incident, time, diagram, numbers, ids and command are all there."""
    message = render(notice())
    shown = "\n".join(texts(message.blocks))
    assert message.text == "🔴 lost 3 of 60 between raw and events"
    for part in (
        message.text,
        "page · incident 7 · since 2026-01-02 03:04:05 UTC",
        "```\nin -&gt; raw -x-&gt; events\n```",
        "*sent*\n60",
        "*ids* `1` `2` `3`",
        "```\nexplain 1\n```",
    ):
        assert part in shown


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Kind.STILL, "🔴 Still so after 12 min: lost 3 of 60 between raw and events"),
        (Kind.RESOLVED, "🟢 Resolved after 12 min: lost 3 of 60 between raw and events"),
    ],
)
def test_later_messages_say_how_long_and_how_bad(kind: Kind, sentence: str) -> None:
    """A repeat and an end give the time since the opening and the worst count."""
    message = render(notice(kind=kind))
    assert message.text == sentence
    assert "at worst 9" in "\n".join(texts(message.blocks))


def test_a_repeat_is_marked() -> None:
    """A reader who may have had the message is told so."""
    assert "a repeat" in "\n".join(texts(render(notice(repeat=True)).blocks))
    assert "a repeat" not in "\n".join(texts(render(notice()).blocks))


def test_what_is_left_out_is_pointed_to() -> None:
    """Too many facts and ids end in how many more there are."""
    many = Condition(
        "k",
        Severity.NOTE,
        "t" * 400,
        facts=tuple((str(n), "v") for n in range(50)),
        ids=tuple(map(str, range(50))),
    )
    shown = "\n".join(texts(render(notice(many)).blocks))
    assert "39 facts are left out" in shown
    assert "and 46 more" in shown
    assert "(cut, 402 characters)" in shown
    assert "t" * 400 in shown


WILD = st.text(max_size=60) | st.text(alphabet="<>&`😀\x00", max_size=4000) | st.just("&" * 10_000)


@given(
    st.builds(
        Condition,
        key=st.just("k"),
        severity=st.sampled_from(Severity),
        title=WILD,
        facts=st.lists(st.tuples(WILD, WILD), max_size=30).map(tuple),
        diagram=WILD,
        commands=st.lists(WILD, max_size=8).map(tuple),
        ids=st.lists(WILD, max_size=30).map(tuple),
    ),
    st.sampled_from(Kind),
    st.builds(Links, dashboard=WILD, runbook=WILD, status=WILD),
)
@settings(max_examples=60, deadline=None)
def test_no_content_breaks_a_limit_of_slack(content: Condition, kind: Kind, links: Links) -> None:
    """Whatever comes from outside: the documented lengths and counts hold, no text is empty."""
    message = render(notice(content, kind=kind), links=links)
    json.dumps(message.blocks).encode()
    assert 0 < length(message.text) <= 4000
    assert len(message.blocks) <= 50
    assert sum(map(length, texts(message.blocks))) <= 13_000
    for block in message.blocks:
        limit = {"header": 150, "section": 3000, "context": 3000}[block["type"]]
        assert len(block.get("fields", ())) <= 10
        shown = (
            [block["text"], *block.get("elements", ())] if "text" in block else [*block.get("elements", ())]
        )
        assert all(0 < length(part["text"]) <= limit for part in shown)
        assert all(0 < length(part["text"]) <= 2000 for part in block.get("fields", ()))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.6, "1 min"), (3725, "1 h 2 min"), (90_000, "1 d 1 h"), (-5, "0 s"), (86_405, "1 d 5 s")],
)
def test_a_span_is_read_at_a_glance(seconds: float, shown: str) -> None:
    """Two units are enough."""
    assert span(timedelta(seconds=seconds)) == shown


def test_long_facts_get_the_whole_width() -> None:
    """A sentence is not squeezed into half a phone; figures stand side by side."""
    long = "look at the consumer's lag: it is behind, or it stands still, and nobody commits"
    content = Condition(
        "lost", Severity.PAGE, "lost", facts=(("sent", "60"), ("look at", long), ("lost", "3"))
    )
    fields, wide = (block for block in render(notice(content)).blocks if block["type"] == "section")
    assert [part["text"] for part in fields["fields"]] == ["*sent*\n60", "*lost*\n3"]
    assert wide["text"]["text"] == f"*look at* {long}"


def test_links_come_last_and_carry_the_kind() -> None:
    """Runbook, dashboard and status page are a tap away; an odd kind cannot break out of its link."""
    content = Condition("lo|st>:raw", Severity.PAGE, "lost")
    links = Links(dashboard="https://d/?a=1&b=2", runbook="https://r/#{kind}", status="")
    last = render(notice(content), links=links).blocks[-1]
    assert last["elements"][0]["text"] == (
        "<https://r/#lo%7Cst%3E|runbook> · <https://d/?a=1&amp;b=2|dashboard>"
    )
