"""Letters that nobody will read one by one any more become a single summary. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from alerts.condition import Condition, Kind, Notice
from alerts.delivery import Letter

STALE = timedelta(hours=24)
BURST = 20
LINES = 40
KEY = "alerts/merged"


def to_merge(letters: Sequence[Letter], now: datetime) -> bool:
    """Whether they are to be merged: they have waited for a day, or there are too many for a quick end.

    At a message a second, `BURST` of them are out in twenty seconds.
    """
    if len(letters) < 2:
        return False
    return len(letters) > BURST or now - min(_since(letter) for letter in letters) >= STALE


def merged(letters: Sequence[Letter], *, number: int, now: datetime) -> Letter:
    """One letter of a new incident `number`, which tells in a line each what the others would have told.

    It is uncertain where one of them was: its reader may have had that one.
    """
    notices = [letter.notice for letter in letters]
    lines = [line for notice in notices for line in _lines(notice)]
    if len(lines) > LINES:
        half = LINES // 2
        lines[half:-half] = [f"… {len(lines) - 2 * half} more: see `status` and the log …"]
    covers = tuple(cover for notice in notices for cover in _covers(notice))
    since = min(_since(letter) for letter in letters)
    counts = [(kind, sum(told is kind for _, told in covers)) for kind in Kind]
    content = Condition(
        key=KEY,
        severity=max((notice.content.severity for notice in notices), key=lambda s: s.weight),
        title=f"{len(covers)} messages in one: they could not be delivered, or came all at once",
        facts=(
            ("since", f"{since:%Y-%m-%d %H:%M:%S} UTC"),
            *((kind.value, str(count)) for kind, count in counts if count),
        ),
        diagram="\n".join(lines),
        count=len(covers),
    )
    notice = Notice(
        id=f"{number}.1",
        incident=number,
        sequence=1,
        kind=Kind.SUMMARY,
        content=content,
        made_at=now,
        opened_at=since,
        covers=covers,
    )
    return Letter(notice, uncertain=any(letter.uncertain for letter in letters))


def given_up(letter: Letter, into: Letter, now: datetime) -> Letter:
    """The letter as it stands after that."""
    return replace(letter, given_up_at=now, error=f"merged into {into.notice.id}")


def _since(letter: Letter) -> datetime:
    notice = letter.notice
    return notice.opened_at if notice.key == KEY else notice.made_at


def _lines(notice: Notice) -> list[str]:
    if notice.key == KEY:
        return notice.content.diagram.splitlines()
    return [f"{notice.made_at:%m-%d %H:%M} {notice.kind.value:<8} {notice.content.title}"]


def _covers(notice: Notice) -> tuple[tuple[int, Kind], ...]:
    return notice.covers or ((notice.incident, notice.kind),)
