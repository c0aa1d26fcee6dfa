"""The commonest messages as a reader of Slack sees them, in text: `python -m tests.alerts.renderings`."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from textwrap import wrap

from alerts.blocks import Block, render
from alerts.condition import Condition, Kind, Notice, Severity
from alerts.links import Links
from canary.hinting import hinted

FILE = Path(__file__).parents[2] / "docs" / "messages.md"
HEAD = """\
# What Slack shows

Made by `python -m tests.alerts.renderings`; a test holds it up to date. The figures are examples, the
shape is the program's. The last line of each is links.
"""
LINK = re.compile(r"<[^|>]+\|([^>]+)>")
PHONE = 54
"""Characters in a line of Slack on a phone, about."""
T0 = datetime(2026, 3, 14, 2, 16, 5, tzinfo=UTC)
IDS = tuple(f"019ceac5-2a{number:02x}-7cc9-8c92-6d6a3d7a1f0{number}" for number in range(3))
LINKS = Links(
    dashboard="https://grafana.example.com/d/canary",
    runbook="https://wiki.example.com/ingestion#{kind}",
    status="https://canary.example.com/",
)
LOST = Condition(
    "lost:processed->events",
    Severity.PAGE,
    "3 canaries lost between processed and events",
    facts=(
        ("sent in the last window", "60"),
        ("lost", "3"),
        ("since", "2026-03-14 02:15:07Z"),
        ("proof", "its consumer has passed it, and events does not show it"),
        ("lanes", "4-6"),
    ),
    diagram="ingress -> raw -> processed --X--> events",
    commands=(f"canary explain {IDS[0]}",),
    count=3,
    ids=IDS,
)
BEHIND = Condition(
    "behind:processed->events",
    Severity.PAGE,
    "Ingestion is behind between processed and events: 118 canaries overdue",
    facts=(
        ("overdue", "118"),
        ("oldest sent", "2026-03-14 02:12:02Z (243 s ago)"),
        ("consumer lag", "48211 messages"),
        ("worked off", "in about 9 min at this rate"),
        ("why", "the consumer has not come to it"),
    ),
    diagram="ingress -> raw -> processed --~--> events",
    commands=(f"canary explain {IDS[1]}",),
    count=118,
    ids=IDS[1:],
)
BLIND = Condition(
    "blind:events",
    Severity.PAGE,
    "Cannot read events: what it would show cannot be judged (no loss is claimed)",
    facts=(("reason", "no answer within 2 s"), ("last read", "2026-03-14 02:14:44Z")),
    diagram="ingress -> raw -> processed -> ?events?",
    commands=("canary status",),
    count=1,
)
DOWN = Condition(
    "down:main",
    Severity.PAGE,
    "Ingestion is down for main: 4 of the last 15 minutes",
    facts=(("since", "2026-03-14 02:08:00Z"), ("last", "2026-03-14 02:11:00Z")),
    commands=("canary status",),
    count=4,
)


def notices() -> dict[str, Notice]:
    """The five, by what they are."""
    lost = Notice("12.1", 12, 1, Kind.OPENED, LOST, T0, T0, worst=3)
    end = T0 + timedelta(minutes=11, seconds=20)
    return {
        "A loss": lost,
        "Its end, in the thread (the first message is edited to say so too)": replace(
            lost, id="12.2", sequence=2, kind=Kind.RESOLVED, made_at=end, ended_at=end
        ),
        "A backlog, which is no loss": replace(lost, id="13.1", incident=13, content=BEHIND, worst=118),
        "A stage that cannot be read": replace(lost, id="14.1", incident=14, content=BLIND, worst=1),
        "Ingestion down, told again": replace(
            lost,
            id="15.2",
            incident=15,
            kind=Kind.STILL,
            content=DOWN,
            made_at=T0 + timedelta(hours=4),
            worst=9,
        ),
    }


def document() -> str:
    """The page."""
    parts = [HEAD]
    for title, notice in notices().items():
        parts.append(f"## {title}\n\n```text\n{shown(notice)}\n```\n")
    return "\n".join(parts)


def shown(notice: Notice) -> str:
    """One message, with its hint, as lines of the width of a phone."""
    lines: list[str] = []
    notice = replace(notice, content=hinted(notice.content))
    for block in render(notice, links=LINKS).blocks:
        lines += _lines(block)
    return "\n".join(line.rstrip() for line in lines)


def _lines(block: Block) -> list[str]:
    if "fields" in block:
        texts = [unescape(field["text"]).replace("*", "").replace("\n", ": ") for field in block["fields"]]
        return [line for text in texts for line in wrap(text, PHONE)]
    texts = [block["text"]["text"]] if "text" in block else [part["text"] for part in block["elements"]]
    found: list[str] = []
    for text in texts:
        plain = unescape(LINK.sub(r"\1", text))
        if plain.startswith("```"):
            found += [f"  {line}" for line in plain.strip("`\n").splitlines()]
        else:
            found += wrap(plain.replace("*", "").replace("`", ""), PHONE, break_on_hyphens=False)
    return found


if __name__ == "__main__":
    FILE.write_text(document())
