"""Safe settings: sent where they can be, judged where they cannot."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse.guard import Known, guard, limits
from canary.edges.clickhouse.settings import Settings

SETTINGS = Settings(name="events", url="http://h", database="d", table="t")
COST = limits(SETTINGS, time=timedelta(seconds=2), size=5, rows=7)
DELAY = "max_replica_delay_for_distributed_queries"
UNSAFE = {
    "skip_unavailable_shards": "1",
    "fallback_to_stale_replicas_for_distributed_queries": "1",
    "use_query_cache": "1",
    "read_overflow_mode": "break",
    "result_overflow_mode": "break",
    "limit": "10",
    "final": "1",
    "additional_table_filters": "{'d.t':'team_id = 1'}",
    "additional_result_filter": "team_id = 1",
    DELAY: "0",
}


def _server(values: dict[str, str], *, fixed: bool) -> dict[str, Known]:
    return {name: Known(value, fixed) for name, value in values.items()}


def test_what_can_be_set_is_set() -> None:
    """Every unsafe value that we may change is changed, and nothing is said of it."""
    found = guard(_server(UNSAFE, fixed=False), cost=COST, max_delay=timedelta(seconds=10))
    assert not found.unsafe
    assert found.send["skip_unavailable_shards"] == "0"
    assert found.send["read_overflow_mode"] == found.send["result_overflow_mode"] == "throw"
    assert found.send[DELAY] == "10"
    assert found.send.keys() == UNSAFE.keys()


def test_what_is_fixed_and_unsafe_is_named() -> None:
    """With readonly=1 each setting that allows half-answers is named, and none is sent."""
    found = guard(_server(UNSAFE, fixed=True), cost=COST, max_delay=timedelta(seconds=10))
    assert set(found.unsafe) == UNSAFE.keys()
    assert not found.send


def test_what_is_fixed_and_safe_is_good_enough() -> None:
    """A profile that its owner made safe needs nothing from us; a delay of its own is a limit too."""
    safe = {
        "skip_unavailable_shards": "0",
        "read_overflow_mode": "throw",
        DELAY: "300",
        "use_query_cache": "0",
    }
    found = guard(_server(safe, fixed=True), cost=COST, max_delay=timedelta(seconds=10))
    assert (found.unsafe, dict(found.send), found.unkept) == ((), {}, ())


def test_limits_that_cannot_be_set_are_told_and_no_blindness() -> None:
    """What we wanted to spare the server, the server decides."""
    found = guard(
        _server({"max_threads": "8", "priority": "0"}, fixed=True), cost=COST, max_delay=timedelta(1)
    )
    assert set(found.unkept) == {"max_threads", "priority"}
    assert not found.unsafe


def test_what_a_server_does_not_know_is_not_sent() -> None:
    """Old servers refuse settings that they have never heard of."""
    assert not guard({}, cost=COST, max_delay=timedelta(seconds=10)).send


def test_the_guests_limits_are_sent() -> None:
    """Threads, priority, time, bytes and rows."""
    known = {name: Known("0", fixed=False) for name in COST}
    assert dict(guard(known, cost=COST, max_delay=timedelta(seconds=10)).send) == COST
    assert (COST["max_threads"], COST["max_execution_time"], COST["max_bytes_to_read"]) == ("1", "2", "5")


@given(
    st.dictionaries(
        st.sampled_from(sorted(UNSAFE)), st.tuples(st.sampled_from(["0", "1", "break"]), st.booleans())
    )
)
def test_no_setting_is_both_sent_and_unsafe(server: dict[str, tuple[str, bool]]) -> None:
    """Sent means changed by us; unsafe means that nobody will change it."""
    found = guard({n: Known(*one) for n, one in server.items()}, cost=COST, max_delay=timedelta(seconds=1))
    assert not set(found.unsafe) & found.send.keys()
    assert all(server[name][1] for name in found.unsafe)
    assert not any(server[name][1] for name in found.send)
