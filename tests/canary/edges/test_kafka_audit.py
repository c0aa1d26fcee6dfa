"""A topic as an audit reads it, on a real Apache Kafka: transactions, exact gaps, positions, dead letters."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kafka import KafkaProducer

from canary.clock import Line, SystemClock
from canary.described import CannotTellError, Description, Keeps, changes
from canary.edges.kafka import Settings, TopicAudit, TopicDescriber
from canary.traffic import CannotAskError, Holds
from reconcile.offsets import Range
from tests.contract.topic_labs import KAFKA, Real, apache, real

pytestmark = pytest.mark.reference

LINE = Line(SystemClock())
GROUP = "table"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with real(apache, tmp_path_factory.mktemp("kafka"), KAFKA) as broker:
        yield broker


@pytest.fixture
def edge(lab: Real) -> Iterator[Callable[..., TopicAudit]]:
    opened: list[TopicAudit] = []

    def made(topic: str, **changed: Any) -> TopicAudit:
        settings = Settings("raw", (lab.address,), topic, timeout=timedelta(seconds=10), **changed)
        opened.append(TopicAudit(settings, ids=("uuid",), now=LINE.now))
        return opened[-1]

    yield made
    for one in opened:
        one.close()


def name() -> str:
    return f"t{uuid.uuid4().hex[:8]}"


def value(one: str) -> bytes:
    return json.dumps({"uuid": one, "event": "plain", "token": "phc"}).encode()


def read(edge: TopicAudit, *gaps: Range) -> Any:
    until = LINE.now() + timedelta(seconds=20)
    return edge.read(gaps, holds=Holds(), payloads=False, until=until)


def test_aborted_records_and_markers_are_told_apart(lab: Real, edge: Callable[..., TopicAudit]) -> None:
    """Two committed, three aborted, and the two markers: where there is no record, none is invented."""
    topic = name()
    lab.make(topic, 1)
    producer: Any = KafkaProducer(bootstrap_servers=lab.inside, transactional_id=name(), linger_ms=0)
    producer.init_transactions()
    ids = [str(uuid.uuid4()) for _ in range(5)]
    producer.begin_transaction()
    for one in ids[:3]:
        producer.send(topic, value=value(one)).get(10)
    producer.abort_transaction()
    producer.begin_transaction()
    for one in ids[3:]:
        producer.send(topic, value=value(one)).get(10)
    producer.commit_transaction()
    made = edge(topic)
    back = read(made, Range(0, 0, 7))

    assert [(m.offset, m.id) for m in back.messages] == [(4, ids[3]), (5, ids[4])]
    assert back.aborted == [Range(0, 0, 3)]
    assert (back.read, back.unread) == ([Range(0, 0, 7)], "")
    producer.begin_transaction()
    producer.send(topic, value=value(ids[0])).get(10)
    log = made.state().logs[0]
    producer.commit_transaction()
    producer.close()
    assert (log.start, log.stable, log.end) == (0, 7, 8)


def test_only_the_gaps_are_read(lab: Real, edge: Callable[..., TopicAudit]) -> None:
    """Several gaps in several partitions, each to the offset; what came besides is counted."""
    topic = name()
    lab.make(topic, 3)
    for partition in range(3):
        for number in range(30):
            lab.write((topic, partition), key=b"k", value=value(f"{partition}-{number}"))
    back = read(edge(topic), Range(0, 3, 5), Range(0, 20, 21), Range(2, 29, 30), Range(1, 0, 4))

    assert {(m.partition, m.offset, m.id) for m in back.messages} == {
        (p, n, f"{p}-{n}") for p, n in ((0, 3), (0, 4), (0, 20), (2, 29), (1, 0), (1, 1), (1, 2), (1, 3))
    }
    assert {(m.event, m.token, m.key, m.payload) for m in back.messages} == {("plain", "phc", "k", None)}
    assert 8 <= back.fetched < 90


def test_offsets_positions_and_retention_are_told(lab: Real, edge: Callable[..., TopicAudit]) -> None:
    """By time; none where there is no later record; a group that never committed has no position there."""
    topic = name()
    lab.make(topic, 2)
    lab.write((topic, 0), key=None, value=value("first"))
    lab.commit(GROUP, (topic, 0), 1)
    made = edge(topic, next_group=GROUP)
    state = made.state()

    assert (state.positions, state.positions_unreadable) == ({0: 1, 1: None}, "")
    assert (state.retention, state.retention_from) == (timedelta(days=7), "retention.ms")
    assert made.offsets_at(datetime.now(UTC) - timedelta(hours=1)) == {0: 0, 1: None}
    assert made.offsets_at(datetime.now(UTC) + timedelta(hours=1)) == {0: None, 1: None}
    assert edge(topic).state().positions_unreadable == "no consumer group is configured for the table"


def test_a_position_behind_the_end_is_another_logs_and_proves_nothing(
    lab: Real, edge: Callable[..., TopicAudit]
) -> None:
    """The topic was made again, or lost its end: what comes there next has not been read by anybody."""
    topic = name()
    lab.make(topic, 2)
    for partition in (0, 1):
        lab.write((topic, partition), key=None, value=value("first"))
    lab.commit(GROUP, (topic, 0), 1)
    lab.commit(GROUP, (topic, 1), 500)

    assert edge(topic, next_group=GROUP).state().positions == {0: 1, 1: None}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"retention.bytes": "1000000"}, (timedelta(days=7), "retention.ms; retention.bytes may come first")),
        ({"cleanup.policy": "compact"}, (None, "kept for ever, but compacted")),
        (
            {"cleanup.policy": "compact,delete"},
            (timedelta(days=7), "retention.ms; compaction may come first"),
        ),
    ],
)
def test_until_when_a_topic_has_its_records_by_all_its_settings(
    lab: Real, edge: Callable[..., TopicAudit], settings: dict[str, str], told: tuple[timedelta | None, str]
) -> None:
    """Time is not all that removes them."""
    topic = name()
    lab.make(topic, 1)
    lab.configure(topic, settings)
    state = edge(topic).state()

    assert (state.retention, state.retention_from) == told


def test_what_retention_removed_is_not_read(lab: Real, edge: Callable[..., TopicAudit]) -> None:
    """It is said, and the log begins later."""
    topic = name()
    lab.make(topic, 1)
    for number in range(10):
        lab.write((topic, 0), key=None, value=value(str(number)))
    lab.expire((topic, 0), 6)
    made = edge(topic)
    back = read(made, Range(0, 2, 4))

    assert made.state().logs[0].start == 6
    assert (back.read, back.messages) == ([], [])
    assert back.unread == "retention removed it meanwhile"


def test_dead_letters_carry_their_reasons(lab: Real, edge: Callable[..., TopicAudit]) -> None:
    """From the headers; garbage among them has no id."""
    topic, letters = name(), name()
    lab.make(topic, 1)
    lab.make(letters, 2)
    lab.write((letters, 0), key=None, value=value("one"), headers=[("dlq_reason", b"too large")])
    lab.write((letters, 1), key=None, value=b"\xff\x00")
    since = datetime.now(UTC) - timedelta(hours=1)
    made = edge(topic, dead_letters=(letters, "missing"))

    found = made.letters(since, most=100, until=LINE.now() + timedelta(seconds=20))
    assert found == ({"one": "too large", "": ""}, "")


def test_dead_letters_that_the_cluster_tells_nothing_of_are_not_read(
    lab: Real, edge: Callable[..., TopicAudit]
) -> None:
    """No right, or no name of a topic: neither has partitions, and that is not the same as empty."""
    topic = name()
    lab.make(topic, 1)
    made = edge(topic, dead_letters=("no name of a topic!",))

    since = datetime.now(UTC) - timedelta(hours=1)
    found, trouble = made.letters(since, most=100, until=LINE.now() + timedelta(seconds=20))
    assert (dict(found), trouble) == ({}, "dead letters: topic no name of a topic!: InvalidTopic")


def test_a_message_that_no_table_could_hold_is_told_as_one(
    lab: Real, edge: Callable[..., TopicAudit]
) -> None:
    """Broken JSON with the place of the break, a null value, a list."""
    topic = name()
    lab.make(topic, 1)
    for body in (b'{"uuid": ', None, b"[1]"):
        lab.write((topic, 0), key=b"k", value=body)

    errors = [m.error for m in read(edge(topic), Range(0, 0, 3)).messages]
    assert errors == ["no JSON: Expecting value at byte 9", "it has no value", "no JSON object"]


def test_a_topic_that_is_not_there_cannot_be_asked(edge: Callable[..., TopicAudit]) -> None:
    """In one line."""
    with pytest.raises(CannotAskError, match="topic nowhere: does not exist"):
        edge("nowhere").state()


def test_how_a_topic_is_made_is_told_and_what_changed_in_it(lab: Real) -> None:
    """Partitions, its own settings, and that it was made again; how long it keeps records."""
    topic, letters = name(), name()
    lab.make(topic, 2)
    settings = Settings("raw", (lab.address,), topic, dead_letters=(letters,), timeout=timedelta(seconds=10))
    describer = TopicDescriber(settings, now=LINE.now)

    def told(before: Description) -> set[str]:
        return {one.told for one in changes("raw", before, describer.describe(LINE.now(), trouble=False))}

    first = describer.describe(LINE.now(), trouble=True)
    assert first.keeps == Keeps(timedelta(days=7), "retention.ms")
    assert first.said["Kafka"].keys() > {"cluster"}
    assert told(first) == set()
    lab.make(topic, 5)
    lab.configure(topic, {"retention.ms": "60000"})
    lab.make(letters, 1)
    second = describer.describe(LINE.now(), trouble=False)
    assert {one.told for one in changes("raw", first, second)} == {
        f"topic {topic}: partitions 2 -> 5",
        f"settings of topic {topic}: retention.ms 604800000 -> 60000",
    }
    assert second.keeps == Keeps(timedelta(minutes=1), "retention.ms")
    lab.remake(topic, 5)
    deadline = time.monotonic() + 20
    while f"topic {topic}: was made again" not in (found := told(second)):
        assert time.monotonic() < deadline, found


def test_a_cluster_that_is_away_tells_nothing() -> None:
    """And says why."""
    settings = Settings("raw", ("127.0.0.1:1",), "t", timeout=timedelta(seconds=2))
    with pytest.raises(CannotTellError, match=r"raw: 127\.0\.0\.1:1"):
        TopicDescriber(settings, now=LINE.now).describe(LINE.now(), trouble=False)
