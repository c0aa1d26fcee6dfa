"""Lanes: keys land where the partitioners of real clients put them, and turns are fair."""

import hashlib
import zlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as their_murmur2

from canary.lanes import Keying, Lane, Rotation, distinct_prefix, murmur2, plan

KEYING = Keying("{token}:{distinct_id}", "murmur2", "phc_secret")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_the_vectors_of_kafka_itself(data: bytes, expected: int) -> None:
    """These are the vectors in the tests of Kafka's own Java client (signed there)."""
    assert murmur2(data) == expected % 2**32


@given(data=st.binary(max_size=64))
def test_murmur2_agrees_with_another_client(data: bytes) -> None:
    """kafka-python's producer would send it to the same partition."""
    assert murmur2(data) == their_murmur2(data) & 0xFFFFFFFF


def test_crc32_is_that_of_librdkafka() -> None:
    """The check value of CRC-32, as librdkafka's `consistent` partitioner takes it."""
    assert Keying("{distinct_id}", "crc32").partition("123456789", 1 << 32) == 0xCBF43926


@given(
    partitions=st.integers(1, 24),
    lanes=st.none() | st.integers(1, 30),
    pool=st.integers(1, 5),
    template=st.sampled_from(["{token}:{distinct_id}", "{distinct_id}", "sha256({token}:{distinct_id})"]),
    crc=st.booleans(),
)
def test_every_name_lands_in_its_lane(
    partitions: int, lanes: int | None, pool: int, template: str, crc: bool
) -> None:
    """Lanes reach all partitions (or as many as there are lanes), with full pools that share no name."""
    keying = Keying(template, "crc32" if crc else "murmur2", "phc_x")
    made = plan("canary-main-", keying, partitions=partitions, lanes=lanes, pool=pool)
    assert [lane.index for lane in made] == list(range(lanes or partitions))
    assert {lane.partition for lane in made} == set(range(min(partitions, lanes or partitions)))
    names = [name for lane in made for name in lane.distinct_ids]
    assert len(set(names)) == len(names) == pool * len(made)
    assert all(name.startswith("canary-main-") for name in names)
    for lane in made:
        assert {keying.partition(name, partitions) for name in lane.distinct_ids} == {lane.partition}


def test_a_plan_is_the_same_at_every_start() -> None:
    """Pools are fixed: a restart adds no row to anybody's table of persons."""
    assert plan("canary-a-", KEYING, partitions=64, lanes=None, pool=4) == plan(
        "canary-a-", KEYING, partitions=64, lanes=None, pool=4
    )


@pytest.mark.parametrize(
    ("keying", "partitions"),
    [(KEYING, None), (Keying("{distinct_id}", "unknown"), 8), (Keying("{token}", "murmur2", "t"), 8)],
)
def test_lanes_without_a_known_partition(keying: Keying, partitions: int | None) -> None:
    """Sending never waits for metadata, and no partition is claimed that does not follow from the key."""
    made = plan("canary-a-", keying, partitions=partitions, lanes=4, pool=2)
    assert [lane.partition for lane in made] == [None] * 4
    assert made[3].distinct_ids == ("canary-a-6", "canary-a-7")


def test_hashed_keys_are_those_of_older_posthog() -> None:
    """The key is the hex digest of what stands in the brackets."""
    key = Keying("sha256({token}:{distinct_id})", "murmur2", "t").key("d")
    assert key == hashlib.sha256(b"t:d").hexdigest().encode()


def test_a_token_that_looks_like_a_placeholder_is_text() -> None:
    """Only the template is filled in, never what was filled in."""
    assert (
        Keying("{token}:{distinct_id}", "murmur2", "{distinct_id}").key("{token}") == b"{distinct_id}:{token}"
    )


def test_prefixes_tell_probe_and_instance() -> None:
    """Two installations on one project do not share their names."""
    assert distinct_prefix("main") == "canary-main-"
    assert distinct_prefix("main", "eu1") == "canary-main-eu1-"


def test_the_token_is_not_shown() -> None:
    """A lane's keying can be logged."""
    assert "phc_secret" not in repr(KEYING)


def test_rotation_takes_turns_over_lanes_and_pools() -> None:
    """Every lane once before any twice, and every name of a lane once before any twice."""
    rotation = Rotation([Lane(0, 5, ("a", "b")), Lane(1, None, ("c",))])
    taken = [rotation.next() for _ in range(5)]
    assert [one and (one[0].index, one[1]) for one in taken] == [
        (0, "a"),
        (1, "c"),
        (0, "b"),
        (1, "c"),
        (0, "a"),
    ]
    assert [rotation.expected_partition(name) for name in ("a", "b", "c", "d")] == [5, 5, None, None]


def test_rotation_passes_over_busy_lanes() -> None:
    """A lane with a post in flight is left alone, and its turn comes again."""
    rotation = Rotation([Lane(i, i, (f"n{i}",)) for i in range(3)])
    assert rotation.next({0}) == (Lane(1, 1, ("n1",)), "n1")
    assert rotation.next({0, 1, 2}) is None
    assert rotation.next(()) == (Lane(2, 2, ("n2",)), "n2")


def test_what_cannot_be_planned_is_refused_in_words() -> None:
    """Sizes below one are named; so is a rotation without lanes."""
    for wrong in ({"pool": 0}, {"lanes": 0}, {"partitions": 0}):
        sizes: dict[str, int | None] = {"pool": 1, "lanes": None, "partitions": 4, **wrong}
        with pytest.raises(ValueError, match=rf"{next(iter(wrong))}: must be at least 1 \(got 0\)"):
            plan("c-", KEYING, partitions=sizes["partitions"], lanes=sizes["lanes"], pool=sizes["pool"] or 0)
    with pytest.raises(ValueError, match="must not be empty"):
        Rotation([])


@given(
    token=st.sampled_from(["phc_x", "{uuid}", "{distinct_id}"]),
    name=st.text(max_size=8),
    id_=st.uuids(),
    partitions=st.integers(1, 64),
)
def test_later_topics_are_keyed_by_the_event(token: str, name: str, id_: UUID, partitions: int) -> None:
    """CRC-32 of the id, as librdkafka has it; no lane can be aimed by it, a canary can."""
    keying = Keying("{uuid}", "crc32", token)
    assert keying.aims
    assert not keying.tells
    assert keying.partition(name, partitions, id_) == zlib.crc32(str(id_).encode()) % partitions
    both = Keying("{token}:{distinct_id}:{uuid}", "murmur2", token)
    assert both.key(name, str(id_)) == f"{token}:{name}:{id_}".encode()
    assert not Keying("{token}", "murmur2", token).aims
    assert not Keying("{uuid}", "unknown", token).aims
