"""Text from outside made harmless for Slack: escaped, made visible where it would hide, cut to a length."""

import unicodedata
from collections.abc import Iterable

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that hide, reorder or break text: controls, formats, lone surrogates, separators."""
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"}
LOOKALIKES = {"<": "‹", ">": "›", "`": "'"}


def escaped(text: str, limit: int, *, lines: bool = False) -> str:
    """For mrkdwn, at most `limit` long: no link, no mention, no end of a code block can be in it."""
    return _cut(text, limit, entities=ENTITIES, lines=lines)


def plain(text: str, limit: int) -> str:
    """For a plain_text object, where Slack documents no entities: angle brackets become look-alikes."""
    return _cut(text.replace("->", "→"), limit, entities=LOOKALIKES, lines=False)


def code(text: str, limit: int) -> str:
    """A code block of at most `limit`, fences included; empty for an empty text."""
    body = escaped(text, limit - 8, lines=True)
    return f"```\n{body}\n```" if body.strip() else ""


def listed(items: Iterable[str], limit: int, *, most: int, total: int = 0) -> str:
    """At most `most` items as inline code, with a pointer to how many more there are, of `total` at least."""
    parts = tuple(items)
    shown = [f"`{escaped(part, 200) or ' '}`" for part in parts[:most]]
    while shown and length(text := _with_rest(shown, max(len(parts), total))) > limit:
        shown.pop()
    return text if shown else ""


def length(text: str) -> int:
    """As a counter of UTF-16 units sees it, which is never less than one of characters."""
    return len(text) + sum(ord(char) > 0xFFFF for char in text)


def _with_rest(shown: list[str], total: int) -> str:
    rest = total - len(shown)
    return " ".join(shown) + (f" and {rest} more" if rest else "")


def _cut(text: str, limit: int, *, entities: dict[str, str], lines: bool) -> str:
    # Nothing gets shorter on the way, so what lies past the limit need not be looked at.
    parts = [_safe(char, entities, lines=lines) for char in text[: limit + 1]]
    if len(text) <= limit and sum(map(length, parts)) <= limit:
        return "".join(parts)
    pointer = f"… (cut, {len(text)} characters)"
    room, kept = limit - length(pointer), 0
    if room < 0:
        return ""
    for part in parts:
        if length(part) > room:
            break
        room, kept = room - length(part), kept + 1
    return "".join(parts[:kept]) + pointer


def _safe(char: str, entities: dict[str, str], *, lines: bool) -> str:
    if char in "\n\t" and lines:
        return char
    if char in entities:
        return entities[char]
    if unicodedata.category(char) not in HIDDEN:
        return char
    if char in "\n\t":
        return " "
    number = ord(char)
    return (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )
