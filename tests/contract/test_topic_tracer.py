"""Looking for one event in topics: on the sandbox's broker and on a real Kafka."""

import json
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from canary.edges.kafka import Settings, TopicTracer
from canary.trails import ALTERNATE, DEAD_LETTER, Passage, Question, Seen
from reconcile.traffic import Policy
from tests.contract.topic_labs import KAFKA, TANSU, Real, apache, real, tansu

Make = Callable[..., TopicTracer]
PARTITIONS = 3


SANDBOX = pytest.param(("tansu", tansu, TANSU), marks=pytest.mark.sandbox, id="tansu")
REFERENCE = pytest.param(("kafka", apache, KAFKA), marks=pytest.mark.reference, id="kafka")


@pytest.fixture(scope="module", params=[SANDBOX, REFERENCE])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A broker in a process of its own."""
    name, make, can = request.param
    state: Path = tmp_path_factory.mktemp(name)
    with real(make, state, can) as running:
        yield running


@pytest.fixture
def tracer(broker: Real) -> Iterator[Make]:
    """Makes tracers of fresh topics with an overflow and a dead-letter topic."""
    made: list[TopicTracer] = []

    def make(**changed: Any) -> TopicTracer:
        topic = f"t{uuid.uuid4().hex[:8]}"
        for name, partitions in ((topic, PARTITIONS), (f"{topic}_o", 1), (f"{topic}_dlq", 1)):
            broker.make(name, partitions)
        settings = Settings(
            "raw",
            (broker.address,),
            topic,
            alternates=(f"{topic}_o",),
            dead_letters=(f"{topic}_dlq",),
            next_group=changed.pop("group", None),
            timeout=timedelta(seconds=20),
        )
        made.append(TopicTracer(settings, predict=changed.pop("predict", lambda _id, _of: None)))
        return made[-1]

    yield make
    for one in made:
        one.close()


def question(id_: uuid.UUID, messages: int = 1000, **changed: Any) -> Question:
    since = datetime.now(UTC) - timedelta(minutes=1)
    return Question(id_, **{"since": since, "until": None, "messages": messages, **changed})


def value(id_: uuid.UUID) -> bytes:
    return json.dumps({"uuid": str(id_), "event": "x"}).encode()


def topic_of(tracer: TopicTracer) -> str:
    """The name of its topic, once the cluster tells of all of its topics."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        searched = tracer.search(question(uuid.uuid4()))
        if not any(one.gap for one in searched):
            return searched[0].place
    raise AssertionError(f"the topics did not come up: {searched}")


def fill(broker: Real, topic: str, count: int) -> None:
    for number in range(count):
        other = uuid.uuid4()
        broker.write((topic, number % PARTITIONS), key=None, value=value(other))


def test_an_event_is_found_where_it_is_and_nowhere_else(broker: Real, tracer: Make) -> None:
    """Partition and offset are the record's; the other places were searched to their end and have none."""
    one, event = tracer(), uuid.uuid4()
    topic = topic_of(one)
    fill(broker, topic, 6)
    offset = broker.write((topic, 1), key=b"k", value=value(event))
    fill(broker, topic, 6)

    found = one.search(question(event, payload=True))

    assert [(s.side, len(s.finds), s.gap) for s in found] == [
        ("", 1, ""),
        (ALTERNATE, 0, ""),
        (DEAD_LETTER, 0, ""),
    ]
    find = found[0].finds[0]
    assert (find.partition, find.offset) == (1, offset)
    assert find.payload == value(event).decode()


def test_an_absent_event_is_proven_absent(broker: Real, tracer: Make) -> None:
    """Every record was read, and there is no gap."""
    one = tracer()
    topic = topic_of(one)
    fill(broker, topic, 7)

    absent = one.search(question(uuid.uuid4()))[0]

    assert (absent.finds, absent.gap, absent.read) == ((), "", 7)


def test_a_budget_that_runs_out_is_a_gap(broker: Real, tracer: Make) -> None:
    """What was not read may hold the event, and that is said."""
    one = tracer()
    topic = topic_of(one)
    fill(broker, topic, 30)

    short = one.search(question(uuid.uuid4(), messages=5))[0]

    assert "only 5 messages may be read" in short.gap


def test_the_predicted_partition_comes_first_and_a_wrong_one_misses_nothing(
    broker: Real, tracer: Make
) -> None:
    """With the right partition only that one is read; with a wrong one the event is found all the same."""
    event = uuid.uuid4()
    right = zlib.crc32(str(event).encode()) % PARTITIONS
    for shift, most in ((0, 2), (1, 100)):
        one = tracer(predict=lambda _id, _of, shift=shift: (right + shift) % PARTITIONS)
        topic = topic_of(one)
        broker.write((topic, right), key=str(event).encode(), value=value(event))
        fill(broker, topic, 12)

        found = one.search(question(event))[0]

        assert [find.partition for find in found.finds] == [right]
        assert found.read <= most


def test_a_dead_letter_brings_its_headers(broker: Real, tracer: Make) -> None:
    """Reason, step and time, whatever the value looks like."""
    one, event = tracer(), uuid.uuid4()
    topic = topic_of(one)
    headers = (("dlq_reason", b"no team"), ("dlq_step", b"parse"), ("dlq_timestamp", b"2026-01-01T00:00:00Z"))
    broker.write((f"{topic}_dlq", 0), key=b"k", value=b"{cut %s" % str(event).encode(), headers=headers)

    letters = one.search(question(event))[-1]

    assert letters.finds[0].reason == "no team / parse"
    assert ("dlq_timestamp", "2026-01-01T00:00:00Z") in letters.finds[0].facts


def test_copies_show_when_they_are_asked_for(broker: Real, tracer: Make) -> None:
    """The first record ends a search; a search for copies reads on."""
    one, event = tracer(), uuid.uuid4()
    topic = topic_of(one)
    for partition in (0, 2):
        broker.write((topic, partition), key=b"k", value=value(event))

    assert len(one.search(question(event))[0].finds) == 1
    assert len(one.search(question(event, copies=True))[0].finds) == 2


def test_without_a_time_the_newest_records_are_read(broker: Real, tracer: Make) -> None:
    """A topic that is longer than the budget leaves a gap; a shorter one is read whole."""
    one, event = tracer(), uuid.uuid4()
    topic = topic_of(one)
    broker.write((topic, 0), key=b"k", value=value(event))
    fill(broker, topic, 12)

    whole = one.search(question(event, since=None))[0]
    part = one.search(question(event, messages=6, since=None))[0]

    assert len(whole.finds) == 1
    assert (part.finds, "--around" in part.gap) == ((), True)


def test_positions_tell_passed_from_waiting(broker: Real, tracer: Make) -> None:
    """Committed behind the record: passed; not yet: waiting; and of two records the later one decides."""
    group = f"g{uuid.uuid4().hex[:8]}"
    one = tracer(group=group)
    topic = topic_of(one)
    fill(broker, topic, 6)
    broker.commit(group, (topic, 0), 1)

    assert one.passage([Seen(topic, 0, 0)]).passed is True
    assert one.passage([Seen(topic, 0, 1)]).passed is False
    assert one.passage([Seen(topic, 0, 0), Seen(topic, 0, 1)]).passed is False
    assert one.passage([Seen(topic, 1, 0)]).passed is False  # where it never committed all lies before it
    assert one.passage([]).drained is False
    for partition in range(PARTITIONS):
        broker.commit(group, (topic, partition), 2)
    assert one.passage([]).drained is True


def test_a_position_behind_the_end_proves_nothing(broker: Real, tracer: Make) -> None:
    """It is of a topic of that name that is no more."""
    group = f"g{uuid.uuid4().hex[:8]}"
    one = tracer(group=group)
    topic = topic_of(one)
    broker.write((topic, 0), key=None, value=value(uuid.uuid4()))
    broker.commit(group, (topic, 0), 500)

    assert one.passage([Seen(topic, 0, 0)]).passed is False


def test_dead_letters_of_which_there_never_were_any_are_read(broker: Real) -> None:
    """Their topic is made with the first of them. What the pipeline drops on purpose says so."""
    topic, id_ = f"t{uuid.uuid4().hex[:8]}", uuid.uuid4()
    broker.make(topic, 1)
    settings = Settings("raw", (broker.address,), topic, dead_letters=(f"{topic}_dlq",))
    one = TopicTracer(settings, predict=lambda _id, _of: None, policy=Policy(events=frozenset({"x"})))
    try:
        assert topic_of(one) == topic
        broker.write((topic, 0), key=None, value=value(id_))
        found, letters = one.search(question(id_))
    finally:
        one.close()

    assert [find.reason for find in found.finds] == ["event x"]
    assert (letters.gap, letters.notes) == ("", (f"topic {topic}_dlq does not exist",))


def test_a_topic_that_is_not_there_and_a_broker_that_is_away_are_gaps(broker: Real) -> None:
    """Trouble outside is told, never raised, and proves nothing."""
    missing = TopicTracer(
        Settings("raw", (broker.address,), "nowhere", timeout=timedelta(seconds=20)),
        predict=lambda _id, _of: None,
    )
    away = TopicTracer(
        Settings("raw", ("127.0.0.1:1",), "t", next_group="g", timeout=timedelta(seconds=1)),
        predict=lambda _id, _of: None,
    )
    try:
        assert "does not exist" in missing.search(question(uuid.uuid4()))[0].gap
        refused = "127.0.0.1:1: connection refused"
        assert away.search(question(uuid.uuid4()))[0].gap == refused
        assert away.search(question(uuid.uuid4()))[0].gap == refused  # not: the topic does not exist
        assert away.passage([Seen("t", 0, 0)]) == Passage(
            None, None, f"the position of its consumer cannot be read: {refused}"
        )
    finally:
        missing.close()
        away.close()


@pytest.mark.parametrize("broker", [REFERENCE], indirect=True)
def test_what_retention_removed_is_a_gap(broker: Real, tracer: Make) -> None:
    """Where the log begins after the time in question, the event may have been in what is gone."""
    one = tracer()
    topic = topic_of(one)
    fill(broker, topic, 9)
    broker.expire((topic, 0), 2)

    found = one.search(question(uuid.uuid4()))[0]

    assert "retention has removed" in found.gap
