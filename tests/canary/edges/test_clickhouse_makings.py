"""Which tables belong together, and what is compared of them, whatever a server says of itself."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from canary.edges.clickhouse.makings import aspects, column, moment, related
from canary.edges.kafka.describing import keeps

FIELDS = (
    "name",
    "engine",
    "engine_full",
    "create",
    "dependencies",
    "sorting",
    "partition",
    "engine_hash",
    "select_hash",
    "uuid",
    "altered",
    "host",
    "version",
)
NAMES = ("db.a", "db.b", "db.c", "db.d")
engines = st.sampled_from(["Kafka", "MaterializedView", "Distributed", "MergeTree"])
said = st.text(max_size=20) | st.sampled_from(
    [f"Distributed('c', 'db', '{name[3:]}')" for name in NAMES] + [f"CREATE x TO {name}" for name in NAMES]
)
answers = st.fixed_dictionaries(dict.fromkeys(FIELDS, said) | {"engine": engines})
servers = st.dictionaries(st.sampled_from(NAMES), answers).map(
    lambda found: [{**row, "name": name} for name, row in found.items()]
)


def _row(name: str, engine: str, **told: str) -> dict[str, str]:
    return {**dict.fromkeys(FIELDS, ""), "name": name, "engine": engine, **told}


def test_the_way_from_kafka_into_a_sharded_table_belongs_together() -> None:
    """PostHog's: a Kafka table, a view, a Distributed table to write through, the shards' table, and one to
    read through; the same again for another table does not."""
    rows = [
        _row("posthog.kafka_events_json", "Kafka", dependencies="posthog.events_json_mv"),
        _row(
            "posthog.events_json_mv",
            "MaterializedView",
            create="CREATE MATERIALIZED VIEW posthog.events_json_mv TO posthog.writable_events AS SELECT 1",
        ),
        _row(
            "posthog.writable_events",
            "Distributed",
            engine_full="Distributed('c', 'posthog', 'sharded_events')",
        ),
        _row(
            "posthog.events",
            "Distributed",
            engine_full="Distributed('c', 'posthog', 'sharded_events', rand())",
        ),
        _row("posthog.sharded_events", "ReplicatedReplacingMergeTree"),
        _row("posthog.kafka_person", "Kafka", dependencies="posthog.person_mv"),
        _row(
            "posthog.person_mv",
            "MaterializedView",
            create="CREATE MATERIALIZED VIEW posthog.person_mv TO posthog.person AS SELECT 1",
        ),
        _row("posthog.person", "ReplacingMergeTree"),
    ]
    wanted = {"kafka_events_json", "events_json_mv", "writable_events", "events", "sharded_events"}
    for own in ("posthog.events", "posthog.sharded_events"):
        assert set(related(rows, [own])) == {f"posthog.{name}" for name in wanted}
    assert set(related(rows, ["posthog.person"])) == {
        "posthog.kafka_person",
        "posthog.person_mv",
        "posthog.person",
    }


@given(servers, st.sets(st.sampled_from(NAMES)))
def test_what_belongs_together_is_closed(rows: list[dict[str, str]], own: set[str]) -> None:
    """Our own tables as far as they are there; asked for what was found, no more is found."""
    found = related(rows, own)
    assert own & {row["name"] for row in rows} <= set(found)
    assert related(rows, found) == found
    assert all(isinstance(value, str) for row in found.values() for value in aspects(row).values())


@given(st.text(st.sampled_from("0123456789²١-"), max_size=12), st.integers(-3600, 3600))
def test_only_a_time_is_a_time(text: str, ahead: int) -> None:
    """What a server says of when it was altered, by its own clock."""
    told = moment(text, timedelta(seconds=ahead))
    assert told is None or told == datetime.fromtimestamp(int(text), UTC) - timedelta(seconds=ahead)


def test_a_default_is_compared_and_not_shown() -> None:
    """Only whether it changed: a secret may stand in it."""
    told = column({"name": "x", "type": "String", "kind": "DEFAULT", "default": "12345"})
    assert told == {"column x": "String DEFAULT", "what fills column x in changed": "#12345"}
    assert column({"name": "x", "type": "String", "kind": "", "default": ""}) == {"column x": "String"}


@given(
    st.dictionaries(st.sampled_from(["retention.ms", "retention.bytes"]), st.text(st.sampled_from("0189²١-")))
)
def test_how_long_a_topic_keeps_is_a_number_or_not_known(configs: dict[str, str]) -> None:
    """Whatever a broker answers."""
    found = keeps(configs)
    assert found is None or found.length is None or found.length >= timedelta(0)


def test_retention_is_told_with_what_may_cut_it_short() -> None:
    """For ever is no length, and a limit of size is named."""
    week = keeps({"retention.ms": "604800000", "retention.bytes": "-1"})
    assert week is not None
    assert (week.length, week.source) == (timedelta(days=7), "retention.ms")
    forever = keeps({"retention.ms": "-1"})
    assert forever is not None
    assert forever.length is None
    bounded = keeps({"retention.ms": "1000", "retention.bytes": "5"})
    assert bounded is not None
    assert "retention.bytes" in bounded.source
    assert keeps({}) is None
