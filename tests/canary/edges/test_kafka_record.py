"""Knowing a canary among other records, and getting through whatever else stands in a topic."""

import gzip
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.edges.kafka.batches import Header
from canary.edges.kafka.record import MAX_UNPACKED, Recogniser, Spot
from canary.identity import Mint, Verifier
from canary.values import Marks, Sighting
from tests.contract.fake_topic import FakeRecord

SECRET = b"a secret of the tests"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OURS = Mint(SECRET, "tests").mint(NOW)
MARKS = Marks(Verifier(SECRET, ["tests"]).recognises, "ingestion_canary", "canary-")
CANARY = {"uuid": str(OURS), "event": "ingestion_canary", "distinct_id": "canary-1", "properties": {"a": 1}}


def seen(
    value: bytes | None,
    *,
    key: bytes | None = None,
    headers: Sequence[Header] = (),
    side: str = "",
    timestamp: int | None = 1000,
) -> tuple[Sighting | None, dict[str, int]]:
    reader = Recogniser(MARKS)
    spot = Spot("raw", "topic", 3, side, NOW, None)
    found = reader.sighting(FakeRecord(7, key, value, headers, timestamp), spot)
    return found, {name: count for name, count in reader.counts.items() if count}


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("value", "key", "headers"),
    [
        (dumped(CANARY), None, ()),
        (b"not json", str(OURS).encode(), ()),
        (b"not json", OURS.bytes, ()),
        (None, None, [("uuid", str(OURS).encode())]),
        (
            dumped({"uuid": str(uuid.uuid4()), "event": "x", "properties": {"canary_id": str(OURS)}}),
            b"canary-1",
            (),
        ),
        (gzip.compress(dumped(CANARY)), None, [("content-encoding", b"gzip")]),
        (b'{"event":"ingestion_canary", cut off "%s"' % str(OURS).encode(), None, ()),
    ],
    ids=["value", "key text", "key bytes", "header", "property", "packed", "cut off"],
)
def test_a_canary_is_known_by_any_of_its_marks(
    value: bytes | None, key: bytes | None, headers: Sequence[Header]
) -> None:
    """Key, header, value and property each suffice, whatever has become of the others."""
    found, _ = seen(value, key=key, headers=headers)

    assert found is not None
    assert (found.id, found.partition, found.offset) == (OURS, 3, 7)


def test_other_events_are_passed_over() -> None:
    """Neither an event of its own kind nor one that merely mentions a canary is told."""
    mention = {"uuid": str(uuid.uuid4()), "event": "page", "properties": {"text": "ingestion_canary lost"}}

    assert seen(dumped({"uuid": str(uuid.uuid4()), "event": "page"}), key=b"tok:user") == (None, {})
    assert seen(dumped(mention)) == (None, {})


def test_the_processed_topic_reads_like_the_raw_one() -> None:
    """Properties in a string, ClickHouse's times and doubly encoded data all give the same content."""
    processed = {**CANARY, "properties": '{"a": 1}', "timestamp": "2026-01-02 03:04:05.000006"}
    inner = {"event": "ingestion_canary", "properties": {"a": 1}, "timestamp": "2026-01-02T03:04:05.000006Z"}
    raw = {"uuid": str(OURS), "distinct_id": "canary-1", "data": json.dumps(inner)}

    one, two = seen(dumped(processed))[0], seen(dumped(raw))[0]

    assert one is not None
    assert two is not None
    assert one.content == two.content
    assert one.content is not None
    assert one.content.timestamp == datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert one.content.properties == {"a": 1}


def test_a_dead_letter_tells_its_reason_and_is_searched_for_an_id() -> None:
    """In a dead letter of any shape an id of ours is found, and the pipeline's words are kept as they are."""
    headers = [("dlq_reason", b"<b>bad</b>"), ("dlq_step", b"parse"), ("other", None)]

    found, _ = seen(dumped({"payload": dumped(CANARY).decode()}), headers=headers, side="dead_letter")

    assert found is not None
    assert (found.id, found.reason) == (OURS, "<b>bad</b> / parse")


def test_values_of_wrong_types_are_counted_and_still_seen() -> None:
    """A canary whose fields have become something else is seen with what could be read."""
    odd = {**CANARY, "distinct_id": 5, "timestamp": 1e300, "properties": [1]}

    found, counts = seen(dumped(odd), timestamp=10**18)

    assert found is not None
    assert found.content is not None
    assert (found.content.distinct_id, found.content.timestamp, found.content.properties) == (
        None,
        None,
        None,
    )
    assert found.at is None
    assert counts == {"wrong_type": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"event":"ingestion_canary","event":"ingestion_canary"}', "duplicate_keys"),
        (b'{"event":"ingestion_canary","x":"\xff"}', "invalid_utf8"),
        (b'{"event":"ingestion_canary","x":' + b"[" * 200_000, "nested_too_deep"),
        (b'{"event":"ingestion_canary","x":' + b"9" * 5000 + b"}", "unparsable"),
        (b'"ingestion_canary"', "not_an_object"),
        (b'{"event":"ingestion_canary"}', "no_id"),
        (None, "null_value"),
    ],
)
def test_what_cannot_be_read_is_counted_by_its_reason(value: bytes | None, reason: str) -> None:
    """Each kind of garbage has a name."""
    found, counts = seen(value)

    assert found is None
    assert reason in counts


def test_a_value_that_unpacks_to_too_much_is_not_read() -> None:
    """A small record cannot make us hold a huge one."""
    bomb = gzip.compress(b"ingestion_canary" * (MAX_UNPACKED // 8))

    assert seen(bomb, headers=[("content-encoding", b"gzip")]) == (None, {"too_large": 1})


JUNK = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=30).map(lambda tail: b'{"event":"ingestion_canary"' + tail),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*CANARY, "data"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps({"distinct_id": "canary-1", "x": value}).encode()),
    st.dictionaries(
        st.sampled_from([*CANARY, "data", "timestamp"]),
        st.one_of(
            st.none(), st.integers(), st.floats(), st.just("canary-1"), st.text(max_size=40), st.just([])
        ),
    ).map(dumped),
)


@given(
    st.none() | JUNK,
    st.none() | st.binary(max_size=36),
    st.lists(
        st.tuples(st.sampled_from(["uuid", "content-encoding", "x"]), st.none() | st.binary(max_size=36))
    ),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(["", "dead_letter"]),
)
def test_no_record_raises(
    value: bytes | None, key: bytes | None, headers: list[Header], timestamp: int | None, side: str
) -> None:
    """Bad input is data."""
    found, _ = seen(value, key=key, headers=headers, timestamp=timestamp, side=side)

    assert found is None or found.offset == 7
