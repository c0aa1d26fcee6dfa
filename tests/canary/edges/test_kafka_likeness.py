"""Knowing one real event's record among others, and what a dead letter's headers say."""

import gzip
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.edges.kafka.batches import Header
from canary.edges.kafka.likeness import Face, Likeness, told, value_of
from tests.contract.fake_topic import FakeRecord

EVENT = uuid.UUID("0192f1c0-5b1e-4b7a-9d6a-0123456789ab")
OTHER = uuid.uuid4()


def record(value: bytes | None, key: bytes | None = None, headers: tuple[Header, ...] = ()) -> FakeRecord:
    return FakeRecord(7, key, value, headers, 1000)


def dumped(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("found", "likeness"),
    [
        (record(dumped(uuid=str(EVENT))), Likeness.IS),
        (record(dumped(uuid=str(EVENT).upper())), Likeness.IS),
        (record(dumped(uuid=EVENT.hex)), Likeness.IS),
        (record(dumped(id=str(EVENT))), Likeness.IS),
        (record(dumped(our_id=str(EVENT))), Likeness.IS),
        (record(dumped(data=json.dumps({"uuid": str(EVENT)}))), Likeness.IS),
        (record(dumped(data={"uuid": str(EVENT)})), Likeness.IS),
        (record(b"not json", key=str(EVENT).encode()), Likeness.IS),
        (record(b"not json", key=EVENT.bytes), Likeness.IS),
        (record(None, headers=(("uuid", str(EVENT).encode()),)), Likeness.IS),
        (
            record(gzip.compress(dumped(uuid=str(EVENT))), headers=(("content-encoding", b"gzip"),)),
            Likeness.IS,
        ),
        (record(dumped(uuid=str(OTHER), properties={"parent": str(EVENT)})), Likeness.MENTIONS),
        (record(b'{"uuid": "%s", cut' % str(EVENT).encode()), Likeness.MENTIONS),
        (record(dumped(uuid=str(OTHER)), key=str(OTHER).encode()), Likeness.OTHER),
        (record(None), Likeness.OTHER),
        (record(b"\xff\xfe"), Likeness.OTHER),
    ],
)
def test_an_event_is_known_by_its_id_and_not_by_a_mention(found: FakeRecord, likeness: Likeness) -> None:
    """Key, header and the places where pipelines keep ids count; any other place is a mention."""
    assert Face(EVENT, ["our_id"]).of(found) is likeness


@given(
    value=st.none() | st.binary(max_size=200),
    key=st.none() | st.binary(max_size=40),
    header=st.binary(max_size=40),
)
def test_any_record_can_be_looked_at(value: bytes | None, key: bytes | None, header: bytes) -> None:
    """Garbage is some other record; nothing raises for it."""
    odd = record(value, key, (("uuid", header), ("content-encoding", b"gzip")))

    assert Face(EVENT).of(odd) is Likeness.OTHER
    assert told(odd) == ("", ())


def test_a_dead_letter_tells_why_where_and_when() -> None:
    """Reason and step make the line; the time stands beside them."""
    letter = record(
        b"x",
        headers=(
            ("dlq_reason", b"bad \xff"),
            ("dlq_step", b"parse"),
            ("dlq_timestamp", b"2026-01-01"),
            ("other", b"1"),
        ),
    )

    reason, facts = told(letter)

    assert reason == "bad � / parse"
    assert facts == (("dlq_reason", "bad �"), ("dlq_step", "parse"), ("dlq_timestamp", "2026-01-01"))


def test_a_value_that_only_claims_to_be_packed_is_taken_as_it_is() -> None:
    """A wrong header loses nothing."""
    assert value_of(record(b"plain", headers=(("content-encoding", b"gzip"),))) == b"plain"
