"""Record batches as a broker sends them, taken apart; committed records only.

One batch is read as a whole or not at all, so that a fault in its middle never shows half of it twice.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import snappy
import zstandard
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record import MemoryRecords

Header = tuple[str, bytes | None]

_UNPACKING = (
    zlib.error,
    snappy.UncompressError,
    zstandard.ZstdError,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,  # what lz4 raises
    ValueError,
    IndexError,
    MemoryError,
)
_CODECS = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}


class Record(Protocol):
    """What this project needs of a record."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[Header]: ...
    @property
    def size_in_bytes(self) -> int: ...


class UnreadableError(Exception):
    """The partition cannot be read on from here (corrupt on disk or on the wire, a codec we lack)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of one batch and where reading goes on. `broken` names why none could be taken from it.

    `aborted` when its transaction was; such a batch, and one of markers, shows no records. `first_offset` is
    where the batch begins, before `start` too, and `epoch` the leadership that it was written under; both -1
    in formats that do not say.
    """

    records: Sequence[Record]
    next_offset: int
    broken: str = ""
    aborted: bool = False
    first_offset: int = -1
    epoch: int = -1


def batches(data: bytes, *, start: int, aborted: Sequence[tuple[int, int]]) -> Iterator[Batch]:
    """Each batch of one answer from offset `start` on.

    `aborted` lists (producer id, first offset) of the aborted transactions in `data`. A batch cut short
    by the size limit of the fetch is left for the next one. Raises `UnreadableError`.
    """
    pending = sorted(aborted, key=lambda item: item[1])
    gone: set[int] = set()
    source = MemoryRecords(data)
    while True:
        try:
            batch = source.next_batch()
            if batch is None:
                return
            sound = batch.validate_crc()
        except (CorruptRecordError, struct.error) as error:
            raise UnreadableError(f"the record batch at offset {start} is corrupt: {error}") from error
        if not sound:
            raise UnreadableError(
                f"the record batch at offset {batch.base_offset} is corrupt: its checksum is wrong"
            )
        read = _legacy(batch, start) if batch.magic < 2 else _modern(batch, start, pending, gone)
        start = max(start, read.next_offset)
        yield read


def _modern(batch: "MemoryRecords", start: int, pending: list[tuple[int, int]], gone: set[int]) -> Batch:
    following = int(batch.next_offset)
    if following <= start:
        return Batch((), start)
    made = partial(
        Batch, next_offset=following, first_offset=int(batch.base_offset), epoch=int(batch.leader_epoch)
    )
    while pending and pending[0][1] <= batch.last_offset:
        gone.add(pending.pop(0)[0])
    if batch.is_control_batch:
        marker = next(iter(batch), None)
        if marker is not None and marker.abort:
            gone.discard(batch.producer_id)
        return made(())
    if batch.is_transactional and batch.producer_id in gone:
        return made((), aborted=True)
    try:
        records = [record for record in batch if record.offset >= start]
        return made(records)
    except UnsupportedCodecError as error:
        raise UnreadableError(_no_codec(batch)) from error
    except (CorruptRecordError, *_UNPACKING) as error:
        return made((), broken=f"{type(error).__name__} at offset {batch.base_offset}")


def _legacy(batch: "MemoryRecords", start: int) -> Batch:
    """Message formats 0 and 1 do not say where they end: only their records do."""
    try:
        records = list(batch)
    except UnsupportedCodecError as error:
        raise UnreadableError(_no_codec(batch)) from error
    except (CorruptRecordError, *_UNPACKING) as error:
        raise UnreadableError(f"the message set at offset {start} cannot be read: {error}") from error
    following = max((record.offset + 1 for record in records), default=start)
    return Batch([record for record in records if record.offset >= start], following)


def _no_codec(batch: "MemoryRecords") -> str:
    kind = int(batch.compression_type)
    return f"records are compressed with {_CODECS.get(kind, f'codec {kind}')}, which cannot be read here"
