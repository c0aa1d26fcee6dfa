"""The commonest messages as a reader of Slack sees them, in text: `python -m tests.alerts.renderings`."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from textwrap import wrap

from alerts.blocks import Block, render
from alerts.condition import Kind, Notice
from alerts.links import Links
from canary.hinting import hinted
from tests.alerts import examples
from tests.alerts.examples import T0
from tests.alerts.picture import COLOURS, Card, picture
from tests.alerts.picture import FILE as PICTURE

FILE = Path(__file__).parents[2] / "docs" / "messages.md"
HEAD = """\
# What Slack shows

Made by `python -m tests.alerts.renderings`; a test holds it up to date. The figures are examples, the
shape is the program's. The last line of each is links.
"""
LINK = re.compile(r"<[^|>]+\|([^>]+)>")
NAME = re.compile(r"^\*([^*]+)\* ")
PHONE = 54
"""Characters in a line of Slack on a phone, about."""
LINKS = Links(
    dashboard="https://grafana.example.com/d/canary",
    runbook="https://wiki.example.com/ingestion#{kind}",
    status="https://canary.example.com/",
)


def notices() -> dict[str, Notice]:
    """The five, by what they are."""
    lost = Notice("12.1", 12, 1, Kind.OPENED, examples.lost(), T0, T0, worst=3)
    end = T0 + timedelta(minutes=11, seconds=20)
    return {
        "A loss": lost,
        "Its end, in the thread (the first message is edited to say so too)": replace(
            lost, id="12.2", sequence=2, kind=Kind.RESOLVED, made_at=end, ended_at=end
        ),
        "A backlog, which is no loss": replace(
            lost, id="13.1", incident=13, content=examples.behind(), worst=118
        ),
        "A stage that cannot be read": replace(
            lost, id="14.1", incident=14, content=examples.blind(), worst=1
        ),
        "Ingestion down, told again": replace(
            lost,
            id="15.2",
            incident=15,
            kind=Kind.STILL,
            content=examples.down(),
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
    return "\n".join(f"{'  ' if style == 'code' else ''}{line}" for style, line in styled(notice))


def styled(notice: Notice) -> list[tuple[str, str]]:
    """The same, each line with the style that its block gives it."""
    notice = replace(notice, content=hinted(notice.content))
    return [line for block in render(notice, links=LINKS).blocks for line in _lines(block)]


def drawn() -> str:
    """The picture for the README."""
    return picture(
        [
            Card(
                caption=title.partition(" (")[0],
                colour=COLOURS["over" if notice.kind is Kind.RESOLVED else notice.content.severity.value],
                lines=styled(notice),
            )
            for title, notice in notices().items()
        ]
    )


def _lines(block: Block) -> list[tuple[str, str]]:
    if "fields" in block:
        texts = [unescape(field["text"]).replace("*", "").replace("\n", ": ") for field in block["fields"]]
        return [("section", line) for text in texts for line in wrap(text, PHONE)]
    texts = [block["text"]["text"]] if "text" in block else [part["text"] for part in block["elements"]]
    found: list[tuple[str, str]] = []
    for text in texts:
        plain = unescape(LINK.sub(r"\1", text))
        if plain.startswith("```"):
            found += [("code", line.rstrip()) for line in plain.strip("`\n").splitlines()]
        else:
            text = NAME.sub(r"\1: ", plain).replace("*", "").replace("`", "")
            found += [(block["type"], line) for line in wrap(text, PHONE, break_on_hyphens=False)]
    return found


if __name__ == "__main__":
    FILE.write_text(document())
    PICTURE.write_text(drawn())
