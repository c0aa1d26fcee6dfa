"""A notice as a Slack message that fits a phone: Block Kit within Slack's documented limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.condition import Kind, Notice, Severity
from alerts.links import Links
from alerts.text import code, escaped, length, listed, plain

HEADER = 150
SENTENCE, DIAGRAM, FIELD, WIDE, IDS, COMMANDS, LINKS = 1000, 2400, 300, 600, 700, 700, 900
"""Lengths of the parts. All of them together stay below what Slack takes as the text of all blocks."""
FIELDS_A_SECTION, MOST_FACTS, MOST_WIDE, MOST_IDS, MOST_COMMANDS = 10, 12, 5, 4, 5
NARROW = 60
"""A longer value is hard to read in half a phone's width, and gets a line of its own."""

Block = Mapping[str, Any]
Fact = tuple[str, str]
PLAIN = frozenset({Kind.OPENED, Kind.SUMMARY})
"""Kinds whose title says it all."""
MARKS = {Severity.PAGE: "🔴", Severity.TICKET: "🟠", Severity.NOTE: "🔵"}


@dataclass(frozen=True, slots=True)
class Message:
    """What both ways into Slack take: a text for notifications and the blocks."""

    text: str
    blocks: tuple[Block, ...]


def render(notice: Notice, *, links: Links | None = None, edited: bool = False) -> Message:
    """The message; `edited` is for the first message of an incident, as it reads after an update."""
    sentence = _sentence(notice, edited=edited)
    blocks = [
        _header(sentence),
        *([_section(escaped(sentence, SENTENCE))] if length(sentence) > HEADER else []),
        _context(_about(notice, edited=edited)),
        *_body(notice),
        *_links(notice, links or Links()),
    ]
    return Message(escaped(sentence, SENTENCE), tuple(blocks))


def _sentence(notice: Notice, *, edited: bool) -> str:
    title = notice.content.title
    if notice.kind is Kind.AMENDED and not edited:
        return f"{MARKS[Severity.NOTE]} Amended, {notice.amended_words}: {title}"
    if notice.over:
        lasted = (notice.ended_at or notice.made_at) - notice.opened_at
        return f"🟢 Resolved after {span(lasted)}: {title}"
    mark = MARKS[notice.content.severity]
    if notice.kind is Kind.AMENDED:
        return f"{mark} {title}"
    if notice.kind is Kind.STILL:
        return f"{mark} Still so after {span(notice.made_at - notice.opened_at)}: {title}"
    lead = "" if notice.kind in PLAIN else f"{notice.kind.value.capitalize()}: "
    return f"{mark} {lead}{title}"


def _about(notice: Notice, *, edited: bool) -> str:
    parts = [notice.content.severity.value]
    if notice.kind is not Kind.SUMMARY:
        parts += [f"incident {notice.incident}", f"since {stamp(notice.opened_at)}"]
    if notice.ended_at is not None:
        parts.append(f"until {stamp(notice.ended_at)}")
    if notice.worst > 1 and notice.kind not in (Kind.OPENED, Kind.SUMMARY):
        parts.append(f"at worst {notice.worst}")
    if notice.amended:
        slowest = f", the slowest after {span(notice.took)}" if notice.took is not None else ""
        parts.append(f"{escaped(notice.amended_words, SENTENCE)}{slowest}")
    if edited:
        parts.append(f"as of {stamp(notice.made_at)}")
    if notice.repeat and not edited:
        parts.append("a repeat: you may have had this message before")
    return " · ".join(parts)


def _body(notice: Notice) -> list[Block]:
    content = notice.content
    diagram = code(content.diagram, DIAGRAM)
    blocks = [_section(diagram)] if diagram else []
    narrow = [fact for fact in content.facts if not _is_wide(fact)]
    wide = [fact for fact in content.facts if _is_wide(fact)]
    fields = [_field(name, value) for name, value in _fitting(narrow, MOST_FACTS)]
    starts = range(0, len(fields), FIELDS_A_SECTION)
    blocks += [{"type": "section", "fields": fields[start : start + FIELDS_A_SECTION]} for start in starts]
    blocks += [
        _section(f"*{escaped(name, 100) or ' '}* {escaped(value, WIDE - 120, lines=True)}")
        for name, value in _fitting(wide, MOST_WIDE)
    ]
    if content.ids:
        blocks.append(_section("*ids* " + listed(content.ids, IDS, most=MOST_IDS, total=content.count)))
    commands = code("\n".join(content.commands[:MOST_COMMANDS]), COMMANDS)
    return [*blocks, _section(commands)] if commands else blocks


def _is_wide(fact: Fact) -> bool:
    return length(fact[1]) > NARROW or "\n" in fact[1]


def _fitting(facts: Sequence[Fact], most: int) -> Sequence[Fact]:
    if len(facts) <= most:
        return facts
    left = len(facts) - most + 1
    return [*facts[: most - 1], ("more", f"{left} facts are left out here")]


def _links(notice: Notice, links: Links) -> list[Block]:
    # Addresses are made safe by `Links`; one that is too long is left out rather than broken.
    shown = ""
    for name, address in links.of(notice.content):
        link = f"{' · ' if shown else ''}<{escaped(address, LINKS)}|{name}>"
        if length(address) <= LINKS - 100 and length(shown + link) <= LINKS:
            shown += link
    return [_context(shown)] if shown else []


def _header(sentence: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": plain(sentence, HEADER), "emoji": True}}


def _section(text: str) -> Block:
    return {"type": "section", "text": _mrkdwn(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_mrkdwn(text)]}


def _field(name: str, value: str) -> Block:
    return _mrkdwn(f"*{escaped(name, 100) or ' '}*\n{escaped(value, FIELD - 120, lines=True)}")


def _mrkdwn(text: str) -> Block:
    # verbatim: what looks like a link, a channel or a name in a foreign text stays text.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def stamp(moment: datetime) -> str:
    """A time as a person reads it, to the second, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """A duration in its two largest units, as in "2 h 5 min"."""
    seconds = max(0, round(length.total_seconds()))
    parts = []
    for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"
