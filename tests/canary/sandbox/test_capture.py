"""What the sandbox's ingress accepts and refuses."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from canary.sandbox.capture import Post, RefusedError, read_post, record

JSON = "application/json"
ID = "0190a1b2-0000-7000-8000-000000000001"
EVENT = {"event": "e", "distinct_id": "d", "uuid": ID, "properties": {"a": 1}}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def posted(value: Any) -> Post:
    return read_post(json.dumps(value).encode(), JSON)


def test_all_shapes_carry_the_same_event() -> None:
    """One object, a list, and a batch are three ways to say the same."""
    single = posted({"api_key": "phc_x", **EVENT})

    assert posted([{"token": "phc_x", **EVENT}]) == single
    assert posted({"api_key": "phc_x", "batch": [EVENT]}) == single
    assert read_post(gzip.compress(json.dumps({"api_key": "phc_x", **EVENT}).encode()), JSON) == single


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", JSON, 400),
        (b"\x1f\x8bgarbage", JSON, 400),
        (json.dumps({"api_key": "t", **EVENT}).encode(), "application/x-www-form-urlencoded", 400),
        (json.dumps({"api_key": "t", "batch": []}).encode(), JSON, 400),
        (json.dumps({"api_key": "t", "distinct_id": "d"}).encode(), JSON, 400),
        (json.dumps({"api_key": "t", "event": "e"}).encode(), JSON, 400),
        (json.dumps({"api_key": "t", **EVENT, "uuid": "nope"}).encode(), JSON, 400),
        (json.dumps(EVENT).encode(), JSON, 401),
        (json.dumps({"api_key": "phx_personal", **EVENT}).encode(), JSON, 401),
        (b" " * (2 * 1024 * 1024 + 1), JSON, 413),
    ],
)
def test_what_is_refused(body: bytes, kind: str, status: int) -> None:
    """The statuses are those that the real one was seen to give."""
    with pytest.raises(RefusedError) as refused:
        read_post(body, kind)

    assert refused.value.status == status


def test_a_record_has_the_key_and_the_headers_of_the_real_one() -> None:
    """Keyed by token and distinct_id; the id stands in the header, in the value and in `data`."""
    post = posted({"api_key": "phc_x", **EVENT})
    message = record(post.events[0], post, ip="127.0.0.1", now=NOW)
    value = json.loads(message.value)

    assert message.key == b"phc_x:d"
    assert dict(message.headers)["uuid"] == ID.encode()
    assert value["uuid"] == ID
    assert json.loads(value["data"])["properties"] == {"a": 1}


def test_an_event_that_is_too_big_is_refused() -> None:
    """Above a million bytes: 400, with the words of the real one."""
    post = posted({"api_key": "phc_x", **EVENT, "properties": {"a": "x" * 1_000_000}})

    with pytest.raises(RefusedError, match="maximum event size exceeded"):
        record(post.events[0], post, ip="127.0.0.1", now=NOW)
