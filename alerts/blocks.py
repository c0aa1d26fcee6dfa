"""A notice as a Slack message that fits a phone: Block Kit within Slack's documented limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.condition import Kind, Notice, Severity
from alerts.text import code, escaped, listed, plain

HEADER, SECTION, FIELD = 150, 3000, 400
FIELDS_A_SECTION, MOST_FACTS, MOST_IDS, MOST_COMMANDS = 10, 20, 10, 5

Block = Mapping[str, Any]
MARKS = {Severity.PAGE: "🔴", Severity.TICKET: "🟠", Severity.NOTE: "🔵"}


@dataclass(frozen=True, slots=True)
class Message:
    """What both ways into Slack take: a text for notifications and the blocks."""

    text: str
    blocks: tuple[Block, ...]


def render(notice: Notice, *, edited: bool = False) -> Message:
    """The message; `edited` is for the first message of an incident, as it reads after an update."""
    sentence = _sentence(notice)
    blocks = [
        _header(sentence),
        *([_section(escaped(sentence, SECTION))] if len(sentence) > HEADER else []),
        _context(_about(notice, edited=edited)),
        *_body(notice),
    ]
    return Message(escaped(sentence, SECTION), tuple(blocks))


def _sentence(notice: Notice) -> str:
    title = notice.content.title
    if notice.kind is Kind.RESOLVED:
        lasted = (notice.ended_at or notice.made_at) - notice.opened_at
        return f"🟢 Resolved after {span(lasted)}: {title}"
    mark = MARKS[notice.content.severity]
    if notice.kind is Kind.STILL:
        return f"{mark} Still so after {span(notice.made_at - notice.opened_at)}: {title}"
    return f"{mark} {title}"


def _about(notice: Notice, *, edited: bool) -> str:
    parts = [notice.content.severity.value]
    if notice.kind is not Kind.SUMMARY:
        parts += [f"incident {notice.incident}", f"since {stamp(notice.opened_at)}"]
    if notice.ended_at is not None:
        parts.append(f"until {stamp(notice.ended_at)}")
    if notice.worst > 1 and notice.kind in (Kind.STILL, Kind.RESOLVED):
        parts.append(f"at worst {notice.worst}")
    if edited:
        parts.append(f"as of {stamp(notice.made_at)}")
    if notice.repeat and not edited:
        parts.append("a repeat: you may have had this message before")
    return " · ".join(parts)


def _body(notice: Notice) -> list[Block]:
    content = notice.content
    texts = [code(content.diagram, SECTION)]
    blocks = [_section(text) for text in texts if text]
    facts = [_field(name, value) for name, value in content.facts[:MOST_FACTS]]
    if len(content.facts) > MOST_FACTS:
        facts[-1:] = [_field("more", f"{len(content.facts) - MOST_FACTS + 1} facts are left out here")]
    starts = range(0, len(facts), FIELDS_A_SECTION)
    blocks += [{"type": "section", "fields": facts[start : start + FIELDS_A_SECTION]} for start in starts]
    if content.ids:
        blocks.append(_section("*ids* " + listed(content.ids, SECTION - 10, most=MOST_IDS)))
    commands = code("\n".join(content.commands[:MOST_COMMANDS]), SECTION)
    return [*blocks, _section(commands)] if commands else blocks


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
