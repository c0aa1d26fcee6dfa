"""What is written comes back as it was, in whatever order it was told."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from canary.ledger import Ledger, Step
from canary.ledger.columns import first_id, micros, minted_at, readable
from canary.values import (
    Answer,
    Coverage,
    Difference,
    Judged,
    Minute,
    Owed,
    Position,
    Resume,
    Seen,
    WindowReport,
)
from reconcile.outcome import Flag, Outcome, Receipt

EXAMPLES = settings(max_examples=25, deadline=None)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

instants = st.datetimes(timezones=st.just(UTC))
since_epoch = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
hostile = st.text(st.characters(), max_size=20)
"""Any text, lone surrogates and NUL among it."""
words = hostile.map(readable)
"""Text that a database can carry as it is."""
numbers = st.integers(min_value=0, max_value=2**63 - 1)
small = st.integers(min_value=0, max_value=10**9)
places = st.sampled_from(["raw", "processed", "events"])
hops = st.tuples(words, words)
ids = st.uuids(version=4)

owing = st.builds(
    Owed,
    id=ids,
    probe=words,
    lane=small,
    distinct_id=words,
    sent_at=instants,
    window=instants,
    deadline=instants,
    content_version=small,
    payload_hash=words,
)
answers = st.builds(
    Answer,
    receipt=st.sampled_from(Receipt),
    started_at=instants,
    answered_at=instants,
    tries=small,
    status=st.none() | small,
    detail=words,
)
differences = st.builds(Difference, field=hostile, expected=hostile, found=hostile)
sightings = st.builds(
    Seen,
    id=ids,
    stage=places,
    place=words,
    seen_at=instants,
    not_before=st.none() | instants,
    partition=st.none() | small,
    offset=st.none() | numbers,
    row=words,
    at=st.none() | instants,
    side=words,
    reason=words,
    compared=st.booleans(),
    differences=st.lists(differences, max_size=3).map(tuple),
    copies=small,
    copy_kinds=st.lists(hostile, max_size=2).map(tuple),
)
verdicts = st.builds(
    Judged,
    id=ids,
    outcome=st.sampled_from(Outcome),
    final=st.booleans(),
    judged_at=instants,
    hop=st.none() | hops,
    spanned=st.lists(hops, max_size=2).map(tuple),
    flags=st.frozensets(st.sampled_from(Flag)),
    reason=words,
    amended_from=st.none() | st.sampled_from(Outcome),
)
reports = st.builds(
    WindowReport,
    probe=words,
    start=since_epoch,
    end=instants,
    settled_at=instants,
    due=small,
    sent=small,
    outcomes=st.dictionaries(st.sampled_from(Outcome), small),
    flags=st.dictionaries(st.sampled_from(Flag), small),
    hops=st.dictionaries(hops, small, max_size=3),
    latency=st.dictionaries(words, st.floats(allow_nan=False), max_size=3),
    amendments=small,
)


@contextmanager
def fresh() -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory() as folder, Ledger.open(f"sqlite:///{folder}/ledger.db") as ledger:
        yield ledger


@EXAMPLES
@given(owing, answers, verdicts, st.lists(sightings, max_size=3, unique_by=lambda one: one.stage))
def test_a_track_is_what_was_told(owed: Owed, answer: Answer, judged: Judged, seen: list[Seen]) -> None:
    """A canary's promise, receipt, sightings and verdict come back equal, whatever text they hold."""
    mine = [replace(one, id=owed.id) for one in seen]
    verdict = replace(judged, id=owed.id)
    with fresh() as ledger:
        ledger.record_sent([owed])
        ledger.record_answers([(owed.id, answer)])
        ledger.record_look("raw", seen=mine)
        ledger.record_judged([verdict])
        track = ledger.find(owed.id)

    assert track is not None
    assert (owed, answer, verdict) == (track.owed, track.answer, track.judged)
    assert sorted(mine, key=lambda one: one.stage) == sorted(track.seen, key=lambda one: one.stage)


@EXAMPLES
@given(reports)
def test_a_report_is_what_was_told(report: WindowReport) -> None:
    """A window's report comes back equal, and once."""
    with fresh() as ledger:
        ledger.record_windows([report])
        ledger.record_windows([report])
        found = ledger.windows(report.start, report.start + timedelta(seconds=1), probe=report.probe)

    assert [report] == found


@EXAMPLES
@given(st.lists(st.tuples(small, small, small, small, small), min_size=1, max_size=5), words)
def test_minutes_add_up(counts: list[tuple[int, int, int, int, int]], probe: str) -> None:
    """However a minute's counts are told apart, the ledger holds their sum."""
    with fresh() as ledger:
        ledger.add_minutes([Minute(probe, EPOCH, *told) for told in counts[:2]])
        ledger.add_minutes([Minute(probe, EPOCH, *told) for told in counts[2:]])
        (found,) = ledger.minutes(EPOCH, EPOCH + timedelta(minutes=1))

    assert Minute(probe, EPOCH, *(sum(column) for column in zip(*counts, strict=True))) == found


@EXAMPLES
@given(words, words, small, instants, numbers, numbers)
def test_a_reading_is_what_was_told(
    stage: str, place: str, partition: int, at: datetime, offset: int, expired: int
) -> None:
    """Coverage, the offset to resume from, whose it is, and a position come back equal."""
    coverage = Coverage(place, partition, at, at, offset, expired, topic_id="5f0c", epoch=7)
    position = Position(place, partition, offset, None, expired, at)
    with fresh() as ledger:
        ledger.record_look(stage, coverage=[coverage], positions=[position])

        assert [coverage] == ledger.coverage(stage)
        where = (place, partition)
        assert Resume({where: (offset, at)}, {where: "5f0c"}, {where: 7}) == ledger.resume(stage)
        assert [position] == ledger.positions(stage) == ledger.positions(stage, at)


def tell(step: Step, number: int, one: Owed, answer: Answer) -> None:
    match number:
        case 0:
            step.record_sent([one])
        case 1:
            step.record_answers([(one.id, answer)])
        case 2:
            step.record_judged([Judged(one.id, Outcome.LATE, True, one.sent_at)])
        case _:
            step.record_look("raw", seen=[Seen(one.id, "raw", "topic", one.sent_at)])


def test_any_order_gives_the_same_track(owed: Callable[..., Owed]) -> None:
    """A sighting, a receipt and a verdict may come in any order after the send, a sighting before it too."""
    at = owed().sent_at
    answer = Answer(Receipt.ACCEPTED, at, at, tries=1, status=200, detail="OK")
    found = set()
    with fresh() as ledger:
        for order in permutations(range(4)):
            if order.index(0) > min(order.index(1), order.index(2)):
                continue
            one = owed()
            for number in order:
                with ledger.step() as step:
                    tell(step, number, one, answer)
            track = ledger.find(one.id)
            assert track is not None
            assert track.judged is not None
            found.add((track.answer, track.judged.outcome, tuple(seen.stage for seen in track.seen)))

    assert {(answer, Outcome.LATE, ("raw",))} == found


def test_nothing_is_kept_of_what_was_never_owed(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """A receipt and a verdict for an unknown id make no canary."""
    one = owed()
    ledger.record_answers(
        [(one.id, Answer(Receipt.ACCEPTED, one.sent_at, one.sent_at, tries=1, status=200, detail=""))]
    )
    ledger.record_judged([Judged(one.id, Outcome.LOST, True, one.sent_at)])

    assert ledger.find(one.id) is None


def test_a_sighting_told_again_forgets_no_copies(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """Copies that were counted stay, even where the same canary is told anew as seen once."""
    one = owed()
    first = Seen(one.id, "raw", "topic", one.sent_at, offset=1)
    ledger.record_sent([one])
    for copies in (0, 2, 1):
        told = Seen(
            one.id, "raw", "topic", one.sent_at, offset=1, copies=copies, copy_kinds=("kafka",) * copies
        )
        ledger.record_look("raw", seen=[told])
    ledger.record_look("raw", seen=[first])
    track = ledger.find(one.id)

    assert track is not None
    assert [seen.copies for seen in track.seen] == [2]


@given(hostile)
def test_hostile_text_stays_readable(text: str) -> None:
    """Only NUL and lone surrogates are changed, into escapes; the rest stays as it is."""
    safe = readable(text)

    assert "\0" not in safe
    assert text == safe or any(c == "\0" or 0xD800 <= ord(c) < 0xE000 for c in text)
    safe.encode()


def test_hostile_text_and_numbers_fail_no_step(ledger: Ledger, owed: Callable[..., Owed]) -> None:
    """What UTF-8 or 64 bits cannot carry is written as near as it can be."""
    one = owed()
    ledger.record_sent([one])
    ledger.record_look(
        "raw", seen=[Seen(one.id, "raw", "t\0\ud800", one.sent_at, offset=2**64, reason="\udfff")]
    )
    track = ledger.find(one.id)

    assert track is not None
    assert (
        track.seen[0].place,
        track.seen[0].offset,
        track.seen[0].reason,
    ) == ("t\\x00\\ud800", 2**63 - 1, "\\udfff")


@given(since_epoch)
def test_the_first_id_of_an_instant_bounds_what_is_minted_from_then(at: datetime) -> None:
    """No id minted before an instant reaches its first id; none minted later lies below it."""
    first = first_id(at)

    assert at <= minted_at(first) < at + timedelta(milliseconds=1)
    assert first.int == 0 or minted_at(UUID(int=first.int - 1)) < at
    assert at == EPOCH + timedelta(microseconds=micros(at))
