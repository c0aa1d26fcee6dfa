"""One try of one letter by one way out, and what else the pager says of incidents."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime

from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Finder, Letter, Receipt
from alerts.fallback import LONGEST_WAIT, Choice
from alerts.state import Incident, State

STORE_KEY = "alerts/store"


def due(letter: Letter, now: datetime) -> bool:
    """Whether this letter may go now, as far as it goes by itself."""
    # A time further off than any wait we set means that the clock has stepped back.
    return letter.next_try_at is None or not now < letter.next_try_at <= now + LONGEST_WAIT


def sent(letter: Letter, choice: Choice, thread: Receipt | None) -> Receipt:
    """Deliver it, or find that an earlier try had done so."""
    notice = replace(letter.notice, repeat=letter.uncertain)
    sender = choice.way.sender
    if letter.uncertain and isinstance(sender, Finder):
        try:
            if (found := sender.find(notice, thread)) is not None:
                return found
        except DeliveryError as error:
            if not error.broken:
                # Nothing was sent: the doubt is as old as it was.
                raise DeliveryError(error.reason, retry_after=error.retry_after) from None
    if choice.because:
        why = ("why this way", "; ".join(choice.because))
        notice = replace(notice, content=replace(notice.content, facts=(*notice.content.facts, why)))
    return sender.send(notice, thread)


def _still(incident: Incident, now: datetime) -> Notice:
    return Notice(
        id=f"{incident.number}.{incident.told}",
        incident=incident.number,
        sequence=incident.told,
        kind=Kind.STILL,
        content=incident.content,
        made_at=now,
        opened_at=incident.opened_at or now,
        worst=incident.worst,
        amended=incident.amended,
        took=incident.amended_took,
    )


def in_turn(letters: Iterable[Letter], now: datetime) -> Iterator[Letter]:
    """The first letter of each incident: those that may go, then those that wait, the shortest wait first."""
    heads: dict[int, Letter] = {}
    for letter in letters:
        heads.setdefault(letter.notice.incident, letter)
    waiting = []
    for letter in heads.values():
        if due(letter, now):
            yield letter
        else:
            waiting.append(letter)
    yield from sorted(waiting, key=lambda letter: letter.next_try_at or now)


def at_once(letters: Mapping[str, Letter]) -> dict[str, Letter]:
    """None of them waits any longer: what kept them back is over."""
    return {number: replace(letter, next_try_at=None) for number, letter in letters.items()}


def live(
    state: State, threads: Mapping[tuple[int, str], Receipt], *, way: str, now: datetime
) -> list[tuple[Notice, Receipt]]:
    """What this way was told and is still open: to be said again to those who would forget it."""
    found = []
    for incident in state.incidents.values():
        receipt = threads.get((incident.number, way))
        if incident.open and receipt is not None:
            found.append((_still(incident, now), receipt))
    return found


def store_gone(key: str, reason: str) -> Condition:
    """That the pager cannot write down what it owes."""
    return Condition(
        key=key,
        severity=Severity.PAGE,
        title=f"the ledger is gone: {reason}",
        facts=(("what goes on", "watching and paging, from memory; a restart now would forget"),),
    )
