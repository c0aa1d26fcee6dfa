"""What an audit takes from a record: which of its fields is the event's id."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from canary.edges.kafka.batches import Header
from canary.edges.kafka.traffic import Reading, message

ID = "01234567-89ab-7cde-8f01-23456789abcd"


@dataclass(frozen=True)
class Record:
    value: bytes
    headers: tuple[Header, ...] = ()
    offset: int = 7
    timestamp: int = 0
    key: bytes | None = None
    size_in_bytes: int = 0


@pytest.mark.parametrize(
    ("body", "headers", "id_"),
    [
        ({"uuid": ID.upper(), "id": 4}, (), ID),
        ({"uuid": "", "id": 4}, (), "4"),
        ({"uuid": "", "id": ""}, (), None),
        ({"uuid": "", "id": None}, (("uuid", ID.encode()),), ID),
        ({"uuid": None}, (("uuid", b""),), None),
    ],
)
def test_an_empty_id_is_none(
    body: Mapping[str, object], headers: tuple[Header, ...], id_: str | None
) -> None:
    """All events without one would pass for copies of each other."""
    record = Record(json.dumps(body).encode(), headers)

    assert message(record, 0, Reading(("uuid", "id"))).id == id_
