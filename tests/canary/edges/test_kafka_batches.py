"""Record batches: every codec, what is torn or unknown, and what was never committed."""

import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecordsBuilder

from canary.edges.kafka.batches import Batch, UnreadableError, batches

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_CRC, _ATTRIBUTES = 17, 21


def made(count: int, *, codec: str = "none", first: int = 0, producer: int | None = None) -> bytes:
    """One batch of `count` records, as a producer writes it."""
    builder = MemoryRecordsBuilder(magic=2, compression_type=CODECS[codec], batch_size=1 << 20)
    if producer is not None:
        builder.set_producer_state(producer, 0, 0, True)
    for number in range(count):
        builder.append(timestamp=number, key=None, value=b"value %d" % number, headers=[("h", b"x")])
    builder.close()
    return moved(bytes(builder.buffer()), first)


def moved(batch: bytes, first: int) -> bytes:
    """The same batch at another offset, which a broker writes outside of the checksum."""
    return struct.pack(">q", first) + batch[8:]


def changed(batch: bytes, at: int, value: bytes) -> bytes:
    """The same batch with other bytes inside, and a checksum that fits them."""
    body = bytearray(batch)
    body[at : at + len(value)] = value
    body[_CRC : _CRC + 4] = struct.pack(">I", crc32c(bytes(body[_ATTRIBUTES:])))
    return bytes(body)


def read(data: bytes, start: int = 0, aborted: tuple[tuple[int, int], ...] = ()) -> list[Batch]:
    return list(batches(data, start=start, aborted=aborted))


def offsets(found: list[Batch]) -> list[int]:
    return [record.offset for batch in found for record in batch.records]


@pytest.mark.parametrize("codec", list(CODECS))
def test_every_codec_is_read(codec: str) -> None:
    """A batch of many records gives all of them, whatever it was compressed with."""
    found = read(made(500, codec=codec, first=1000))

    assert offsets(found) == list(range(1000, 1500))
    assert found[-1].next_offset == 1500
    assert found[0].records[7].value == b"value 7"


def test_reading_may_begin_inside_a_batch() -> None:
    """What lies below the offset asked for is left out, though the broker sends whole batches."""
    assert offsets(read(made(10) + made(5, first=10), start=8)) == [8, 9, 10, 11, 12, 13, 14]


@given(st.integers(0, 400))
def test_a_batch_cut_short_is_left_for_the_next_answer(room: int) -> None:
    """The size limit of a fetch may cut the last batch anywhere; nothing is lost and nothing raised."""
    whole = made(3) + made(3, first=3)
    found = read(whole[:room])

    following = found[-1].next_offset if found else 0
    assert offsets(found) + offsets(read(whole, start=following)) == list(range(6))


def test_a_torn_batch_is_named() -> None:
    """A checksum that does not fit stops the reading, and says where."""
    good, torn = made(2), bytearray(made(2, first=2))
    torn[-1] ^= 0xFF
    reading = batches(good + bytes(torn), start=0, aborted=())

    assert next(reading).next_offset == 2
    with pytest.raises(UnreadableError, match="offset 2 is corrupt"):
        next(reading)


def test_an_unknown_codec_is_named() -> None:
    """Records that cannot be unpacked here are blindness, not an empty topic."""
    with pytest.raises(UnreadableError, match="codec 6"):
        read(changed(made(2), _ATTRIBUTES, struct.pack(">h", 6)))


def test_a_batch_with_a_broken_inside_is_stepped_over_and_named() -> None:
    """A record that no reader can take apart does not hold up the partition for ever."""
    found = read(changed(made(2, codec="gzip"), 61, b"\xff" * 8) + made(1, first=2))

    assert found[0].broken
    assert found[0].next_offset == 2
    assert offsets(found) == [2]


def test_aborted_records_are_not_there() -> None:
    """The records of an aborted transaction are stepped over; those of others beside it are read."""
    data = made(2, producer=5) + made(2, first=2, producer=6) + made(1, first=4)

    found = read(data, aborted=((5, 0),))

    assert offsets(found) == [2, 3, 4]
    assert found[-1].next_offset == 5
