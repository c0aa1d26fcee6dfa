"""Content: the same whenever it is made again, and full of what breaks pipelines."""

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.event import EVENT_NAME, Payload
from canary.identity import Mint

SECRET = b"a secret for these tests"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

moments = st.integers(0, 130 * 365 * 86_400_000).map(
    lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
)


def _id(at: datetime) -> UUID:
    return Mint(SECRET, "main").mint(at)


@given(at=moments)
def test_content_is_a_function_of_the_id(at: datetime) -> None:
    """Made again in another process it is equal, and JSON carries it there and back unchanged."""
    one = _id(at)
    first = Payload(SECRET, "main").expected(one)
    assert first == Payload(SECRET, "main").expected(one)
    assert json.loads(json.dumps(first, ensure_ascii=False).encode()) == first
    assert first["canary_id"] == str(one)


@given(at=moments)
def test_names_are_few_and_plain_and_values_are_hard(at: datetime) -> None:
    """Names never vary; floats need 17 digits, integers stay in 64 bits, no value holds a NUL."""
    content = Payload(SECRET, "main").expected(_id(at))
    assert content.keys() == Payload(SECRET, "main").expected(_id(NOON)).keys()
    assert all(name.isascii() and len(name) < 30 for name in content)
    assert float(f"{content['canary_float']:.15e}") != content["canary_float"]
    assert -(2**63) <= content["canary_int"] < 2**63
    assert abs(content["canary_nested"]["safe_int"]) < 2**53
    assert "\\u0000" not in json.dumps(content)


def test_all_that_breaks_pipelines_comes_up() -> None:
    """Within a few hundred canaries every kind of hard value has been sent."""
    payload = Payload(SECRET, "main")
    texts = "".join(json.dumps(payload.expected(_id(NOON)), ensure_ascii=False) for _ in range(300))
    assert any(unicodedata.combining(character) for character in texts)
    for hard in ("👩‍🚀", "データ", '\\"', "\\\\", "\\u0007", "\u2028", "02-29T23:59", "null", "[]", "{}"):
        assert hard in texts, hard


def test_different_probes_and_secrets_carry_different_content() -> None:
    """Content is nobody's to guess."""
    one = _id(NOON)
    mine = Payload(SECRET, "main").expected(one)["canary_int"]
    assert mine != Payload(SECRET, "other").expected(one)["canary_int"]
    assert mine != Payload(b"another secret, as long", "main").expected(one)["canary_int"]


def test_the_whole_event() -> None:
    """An event carries the id twice, the canaries' name, and makes no person profile."""
    one = _id(NOON)
    event = Payload(SECRET, "main").event(one, distinct_id="canary-main-0", sent_at=NOON)
    assert (event.id, event.name, event.distinct_id, event.timestamp) == (
        one,
        EVENT_NAME,
        "canary-main-0",
        NOON,
    )
    assert event.properties["$process_person_profile"] is False
    assert "$process_person_profile" not in Payload(SECRET, "main", person=True).expected(one)


def test_a_template_joins_in() -> None:
    """The user's properties stand beside ours, with placeholders filled in at any depth."""
    one = _id(NOON)
    template = {"plan": "pro", "n": [1, {"who": "{probe}:{id}"}], "when": "{time}", "other": "{what}"}
    content = Payload(SECRET, "main", template=template).expected(one)
    assert content["plan"] == "pro"
    assert content["n"] == [1, {"who": f"main:{one}"}]
    assert content["when"].startswith("2026-07-01T12:00:00")
    assert content["other"] == "{what}"
    assert content["canary_probe"] == "main"


def test_the_hash_names_the_template() -> None:
    """Equal templates have equal hashes whatever their order; any change makes another."""
    hashes = [
        Payload(SECRET, "a", template={"x": 1, "y": 2}).hash,
        Payload(SECRET, "b", template={"y": 2, "x": 1}).hash,
    ]
    assert hashes[0] == hashes[1]
    others = [
        Payload(SECRET, "a", template={"x": 1}),
        Payload(SECRET, "a"),
        Payload(SECRET, "a", person=True),
    ]
    assert len({hashes[0], *(other.hash for other in others)}) == 4


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"canary_id": 1}, 'must not begin with "canary_"'),
        ({"x": float("nan")}, "must be JSON"),
        ({"x": datetime(2026, 1, 1, tzinfo=UTC)}, "must be JSON"),
        ({"x": "\ud800"}, "must be JSON"),
    ],
)
def test_templates_that_cannot_be_sent_are_refused(template: dict[str, Any], words: str) -> None:
    """Before anything is sent, in words."""
    with pytest.raises(ValueError, match=f"probes.payload: .*{words}"):
        Payload(SECRET, "main", template=template)
