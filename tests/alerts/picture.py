"""The commonest messages as a picture for the README: the same blocks, as Slack shows them on a phone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "messages.svg"
LINE, PAD, WIDTH, GAP, COLUMNS = 15, 14, 420, 16, 3
COLOURS: Mapping[str, str] = {"page": "#d72b3f", "ticket": "#e8912d", "note": "#1d7fb5", "over": "#2eb67d"}
STYLES: Mapping[str, str] = {
    "caption": 'class="caption"',
    "header": 'class="header"',
    "context": 'class="context"',
    "section": 'class="section"',
    "code": 'class="code" xml:space="preserve"',
}
SHEET = (
    "text{font:12px -apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;fill:#1d1c1d}"
    ".caption{font-weight:600;fill:#616061}.header{font-weight:700}.context{fill:#616061;font-size:11px}"
    ".code{font:10.5px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#c01343}"
)


@dataclass(frozen=True, slots=True)
class Card:
    """One message: what it is, the colour of its bar, and its lines with the style of each."""

    caption: str
    colour: str
    lines: Sequence[tuple[str, str]]

    @property
    def height(self) -> int:
        return LINE * (len(self.lines) + 1) + 2 * PAD


def picture(cards: Sequence[Card]) -> str:
    """All of them, each put where there is most room."""
    ends = [GAP] * COLUMNS
    parts = []
    for card in cards:
        column = ends.index(min(ends))
        parts.append(_card(card, x=GAP + column * (WIDTH + GAP), y=ends[column]))
        ends[column] += card.height + GAP
    width, height = COLUMNS * (WIDTH + GAP) + GAP, max(ends)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}">\n<style>{SHEET}</style>\n'
        f'<rect width="100%" height="100%" fill="#f4f4f4"/>\n{"".join(parts)}</svg>\n'
    )


def _card(card: Card, *, x: int, y: int) -> str:
    texts = [("caption", card.caption), *card.lines]
    left, top = x + PAD + 6, y + PAD - 4
    shown = "".join(
        f'<text x="{left}" y="{top + LINE * number}" {STYLES[style]}>{escape(text)}</text>\n'
        for number, (style, text) in enumerate(texts, start=1)
    )
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{card.height}" rx="8" fill="#fff" stroke="#ddd"/>\n'
        f'<rect x="{x}" y="{y + 8}" width="4" height="{card.height - 16}" fill="{card.colour}"/>\n{shown}'
    )
