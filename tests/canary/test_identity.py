"""Ids: valid, unique, in order, and made by nobody else."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.identity import Mint, Verifier, time_of

SECRET = b"a secret for these tests"
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

times = st.timedeltas(timedelta(0), datetime(9999, 12, 30, tzinfo=UTC) - EPOCH).map(lambda age: EPOCH + age)
names = st.text(min_size=1, max_size=20)


@given(at=times, probe=names)
def test_id_is_a_valid_uuid_of_version_seven(at: datetime, probe: str) -> None:
    """Version and variant are those of RFC 9562, and the first 48 bits are Unix milliseconds."""
    one = Mint(SECRET, probe).mint(at)
    assert (one.version, one.variant) == (7, RFC_4122)
    assert one.int >> 80 == (at - EPOCH) // timedelta(milliseconds=1)


@given(at=times, probe=names)
def test_time_and_probe_are_read_off_an_id(at: datetime, probe: str) -> None:
    """What went in comes out, to the millisecond."""
    one = Mint(SECRET, probe).mint(at)
    assert timedelta(0) <= at - time_of(one) < timedelta(milliseconds=1)
    assert Verifier(SECRET, ["another", probe + "x", probe]).probe_of(one) == probe


@given(bit=st.integers(0, 127))
def test_any_changed_bit_makes_it_foreign(bit: int) -> None:
    """No bit of an id can be turned without its proof failing."""
    verifier = Verifier(SECRET, ["main"])
    one = Mint(SECRET, "main").mint(NOON)
    assert verifier.recognises(one)
    assert not verifier.recognises(UUID(int=one.int ^ 1 << bit))


@given(forged=st.uuids() | st.integers(0, 2**128 - 1).map(lambda n: UUID(int=n)))
def test_a_made_up_id_is_foreign_and_does_no_harm(forged: UUID) -> None:
    """Whatever stands in a topic, it is told apart and its time can be asked for."""
    assert Verifier(SECRET, ["main"]).probe_of(forged) is None
    assert time_of(forged).tzinfo is UTC


def test_another_secret_or_probe_is_foreign() -> None:
    """An id proves both the secret and the probe: `main/check` is not `main`."""
    one = Mint(SECRET, "main").mint(NOON)
    assert Verifier(b"another secret, as long", ["main"]).probe_of(one) is None
    assert Verifier(SECRET, ["main/check"]).probe_of(one) is None
    assert Verifier(SECRET, []).probe_of(one) is None


@given(steps=st.lists(st.integers(-5000, 5000), max_size=30))
def test_ids_only_grow_whatever_the_clock_does(steps: list[int]) -> None:
    """Each id is greater than the one before, also when time stands still or goes back."""
    mint = Mint(SECRET, "main")
    ids = [mint.mint(NOON)] + [mint.mint(NOON + timedelta(microseconds=step)) for step in steps]
    assert ids == sorted(set(ids))


def test_a_full_millisecond_spills_into_the_next() -> None:
    """More ids than a millisecond's counter holds are still unique, ordered and verifiable."""
    mint, verifier = Mint(SECRET, "main"), Verifier(SECRET, ["main"])
    ids = [mint.mint(NOON) for _ in range(9000)]
    assert ids == sorted(set(ids))
    assert timedelta(milliseconds=2) <= time_of(ids[-1]) - NOON <= timedelta(milliseconds=4)
    assert all(verifier.recognises(one) for one in ids)


def test_threads_never_get_the_same_id() -> None:
    """One mint serves many threads."""
    mint = Mint(SECRET, "main")
    made: list[list[UUID]] = [[] for _ in range(4)]

    def work(into: list[UUID]) -> None:
        into.extend(mint.mint(NOON) for _ in range(2000))

    threads = [threading.Thread(target=work, args=(into,), daemon=True) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len({one for into in made for one in into}) == 8000


def test_milliseconds_start_at_random_counters() -> None:
    """Two runs that fall into one millisecond seldom make the same id."""
    counters = {Mint(SECRET, "main").mint(NOON).int >> 64 & 0xFFF for _ in range(50)}
    assert len(counters) > 25


def test_local_times_are_understood() -> None:
    """An aware time of another zone is the same instant."""
    local = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert time_of(Mint(SECRET, "main").mint(local)) == NOON


def test_what_cannot_be_is_refused_in_words() -> None:
    """A guessable secret, a nameless probe and a time before 1970 are named."""
    with pytest.raises(ValueError, match=r"identity.secret: must be at least 16 bytes \(got 5\)"):
        Mint(b"short", "main")
    with pytest.raises(ValueError, match=r"identity.probe: must not be empty"):
        Verifier(SECRET, [""])
    with pytest.raises(ValueError, match=r"identity.at: must not be before 1970"):
        Mint(SECRET, "main").mint(datetime(1969, 12, 31, tzinfo=UTC))


def test_the_secret_is_not_shown() -> None:
    """Neither mint nor verifier tells the secret when printed."""
    assert "secret for these" not in repr(Mint(SECRET, "main")) + repr(Verifier(SECRET, ["main"]))
