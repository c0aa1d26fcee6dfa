"""Fetches as bytes: exactly what the library would send, and exactly what it would read."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.protocol.consumer import FetchRequest, FetchResponse
from kafka.protocol.frame import KafkaBytes

from canary.edges.kafka import fetch_wire
from canary.edges.kafka.fetch_wire import BY_ID, BY_NAME, Answer, Fetch, Part

ints = st.integers(-(2**31), 2**31 - 1)
longs = st.integers(-(2**63), 2**63 - 1)
numbers = st.integers(0, 200)
names = st.text(max_size=20) | st.just("long " * 60)
versions = st.sampled_from([BY_NAME, BY_ID])
topics = st.dictionaries(
    st.uuids(), st.lists(st.tuples(numbers, ints, longs, ints), min_size=1, max_size=4), max_size=2
)


def _named(version: int, topic: UUID) -> str | UUID:
    return topic if version >= BY_ID else f"topic-{topic}"


def _label(version: int, topic: UUID) -> dict[str, Any]:
    return {"topic_id" if version >= BY_ID else "topic": _named(version, topic)}


@example(
    version=BY_ID, client="c", rack="", correlation=1, asked={UUID(int=1): [(n, 0, n, 5) for n in range(300)]}
)
@given(version=versions, client=names, rack=names, correlation=st.integers(0, 2**31 - 1), asked=topics)
def test_a_fetch_is_the_librarys_own_byte_for_byte(
    version: int,
    client: str,
    rack: str,
    correlation: int,
    asked: dict[UUID, list[tuple[int, int, int, int]]],
) -> None:
    """Whatever is asked for, of as many partitions as there may be."""
    ours = Fetch(
        version=version,
        wait=750,
        total_bytes=2**21,
        partition_bytes=2**20,
        isolation=1,
        rack=rack,
        topics={_named(version, topic): parts for topic, parts in asked.items()},
    )
    theirs = FetchRequest(
        max_wait_ms=750,
        min_bytes=1,
        max_bytes=2**21,
        isolation_level=1,
        session_id=0,
        session_epoch=-1,
        topics=[
            FetchRequest.FetchTopic(
                **_label(version, topic),
                partitions=[
                    FetchRequest.FetchTopic.FetchPartition(
                        partition=partition,
                        current_leader_epoch=epoch,
                        fetch_offset=offset,
                        last_fetched_epoch=read,
                        log_start_offset=-1,
                        partition_max_bytes=2**20,
                    )
                    for partition, epoch, offset, read in parts
                ],
            )
            for topic, parts in asked.items()
        ],
        forgotten_topics_data=[],
        rack_id=rack,
    )
    theirs.API_VERSION = version
    for one in (ours, theirs):
        one.with_header(correlation_id=correlation, client_id=client)
    assert ours.encode(framed=True, header=True) == theirs.encode(framed=True, header=True)


answers = st.lists(
    st.tuples(
        st.uuids(),
        st.lists(
            st.tuples(
                numbers,
                st.integers(-1, 120),
                longs,
                longs,
                longs,
                st.none() | st.lists(st.tuples(longs, longs), max_size=2),
                ints,
                st.sampled_from([None, b"", b"a few bytes", b"many" * 5000]),
                st.none() | st.tuples(ints, longs),
            ),
            max_size=2,
        ),
    ),
    max_size=2,
)


def _parted(diverged: tuple[int, int] | None) -> dict[str, Any]:
    if diverged is None:
        return {}
    kind = FetchResponse.FetchableTopicResponse.PartitionData.EpochEndOffset
    return {"diverging_epoch": kind(epoch=diverged[0], end_offset=diverged[1])}


def _response(version: int, throttled: int, error: int, answer: list[tuple[UUID, list[Any]]]) -> bytes:
    """As a broker would send it, from the correlation id on."""
    kind = FetchResponse.FetchableTopicResponse
    response = FetchResponse(
        throttle_time_ms=throttled,
        error_code=error,
        session_id=0,
        responses=[
            kind(
                **_label(version, topic),
                partitions=[
                    kind.PartitionData(
                        partition_index=number,
                        error_code=code,
                        high_watermark=end,
                        last_stable_offset=stable,
                        log_start_offset=start,
                        aborted_transactions=None
                        if aborted is None
                        else [
                            kind.PartitionData.AbortedTransaction(producer_id=who, first_offset=first)
                            for who, first in aborted
                        ],
                        preferred_read_replica=preferred,
                        records=records,
                        **_parted(diverged),
                    )
                    for number, code, end, stable, start, aborted, preferred, records, diverged in parts
                ],
            )
            for topic, parts in answer
        ],
    )
    response.API_VERSION = version
    response.with_header(correlation_id=7)
    return bytes(response.encode(header=True))


def _read(version: int, data: bytes) -> Answer:
    buffer = KafkaBytes(0)
    buffer += data
    kind = Fetch(version, 0, 0, 0, 0, "", {}).get_response_class()
    assert kind.parse_header(buffer).correlation_id == 7
    return kind.decode(buffer)


@given(version=versions, throttled=ints, error=st.integers(-1, 120), answer=answers)
def test_an_answer_is_read_as_the_library_wrote_it(
    version: int, throttled: int, error: int, answer: list[tuple[UUID, list[Any]]]
) -> None:
    """Every partition's numbers, its aborted transactions and records, and where its log parted from ours."""
    read = _read(version, _response(version, throttled, error, answer))
    assert (read.throttle_time_ms, read.error_code) == (throttled, error)
    assert list(read.parts) == [
        Part(_named(version, topic), number, code, end, stable, start, aborted or [], *rest)
        for topic, parts in answer
        for number, code, end, stable, start, aborted, *rest in parts
    ]


@given(version=versions, answer=answers, cut=st.integers(1, 60))
def test_an_answer_that_is_cut_short_is_refused(
    version: int, answer: list[tuple[UUID, list[Any]]], cut: int
) -> None:
    """As a ValueError, which the connection takes for a broken answer; never as something else."""
    whole = _response(version, 0, 0, answer)
    short = whole[: max(len(whole) - cut, 4)]
    with pytest.raises(ValueError, match="kafka: "):
        _read(version, short)


def test_tagged_fields_are_passed_over() -> None:
    """Brokers tell more than we ask: where the leader is now, which brokers there are."""
    plain = fetch_wire._past_tags(b"\x02\x00\x03abc\x01\x81\x01" + b"x" * 129 + b"end", 0)
    assert plain == 1 + 2 + 3 + 3 + 129
