"""The ledger's tables as they are today; how they came to be is in `migrations`."""

from enum import IntEnum

from sqlalchemy import BigInteger, Boolean, Column, Index, MetaData, SmallInteger, Table, Text, text

from canary.ledger.columns import Id, Json, Time, Whole, Words

metadata = MetaData()


class State(IntEnum):
    """How far a canary is, for what must find open ones or ones to forget among very many."""

    OPEN = 0
    CLEAN = 1
    UNCLEAN = 2


canary = Table(
    "canary",
    metadata,
    Column("id", Id, primary_key=True),
    Column("state", SmallInteger, nullable=False),
    Column("probe", Words, nullable=False),
    Column("lane", BigInteger, nullable=False),
    Column("distinct_id", Words, nullable=False),
    Column("sent_at", Time, nullable=False),
    Column("window_start", Time, nullable=False),
    Column("deadline", Time, nullable=False),
    Column("content_version", BigInteger, nullable=False),
    Column("payload_hash", Words, nullable=False),
    Column("receipt", Text),
    Column("started_at", Time),
    Column("answered_at", Time),
    Column("tries", BigInteger),
    Column("status", Whole),
    Column("detail", Words),
    Column("outcome", Text),
    Column("final", Boolean),
    Column("judged_at", Time),
    Column("hop", Json),
    Column("spanned", Json),
    Column("flags", Json),
    Column("reason", Words),
    Column("amended_from", Text),
    Column("counted", Text),
    Index("canary_by_state", "state", "id"),
    sqlite_with_rowid=False,
)

sighting = Table(
    "sighting",
    metadata,
    Column("id", Id, primary_key=True),
    Column("stage", Words, primary_key=True),
    Column("place", Words, nullable=False),
    Column("seen_at", Time, nullable=False),
    Column("not_before", Time),
    Column("partition_number", Whole),
    Column("log_offset", Whole),
    Column("row_key", Words, nullable=False),
    Column("stage_time", Time),
    Column("side", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("compared", Boolean, nullable=False),
    Column("differences", Json),
    Column("copies", BigInteger, nullable=False),
    Column("copy_kinds", Json),
    sqlite_with_rowid=False,
)

coverage = Table(
    "coverage",
    metadata,
    Column("stage", Words, primary_key=True),
    Column("place", Words, primary_key=True),
    Column("partition_number", BigInteger, primary_key=True, autoincrement=False),
    Column("since", Time, primary_key=True),
    Column("until", Time, nullable=False),
    Column("next_offset", Whole, nullable=False),
    Column("expired", Whole, nullable=False),
    Column("topic_id", Words),
    Column("epoch", Whole),
    sqlite_with_rowid=False,
)

consumer_position = Table(
    "consumer_position",
    metadata,
    Column("stage", Words, primary_key=True),
    Column("place", Words, primary_key=True),
    Column("partition_number", BigInteger, primary_key=True, autoincrement=False),
    Column("read_at", Time, primary_key=True),
    Column("committed", Whole),
    Column("log_start", Whole),
    Column("log_end", Whole),
    sqlite_with_rowid=False,
)

window_report = Table(
    "window_report",
    metadata,
    Column("starts_at", Time, primary_key=True),
    Column("probe", Words, primary_key=True),
    Column("ends_at", Time),
    Column("settled_at", Time),
    Column("due", BigInteger),
    Column("sent", BigInteger),
    Column("outcomes", Json),
    Column("flags", Json),
    Column("hops", Json),
    Column("latency", Json),
    Column("amendments", BigInteger),
    Index(
        "window_report_unsettled",
        "starts_at",
        "probe",
        sqlite_where=text("settled_at IS NULL"),
        postgresql_where=text("settled_at IS NULL"),
    ),
    sqlite_with_rowid=False,
)
"""A row without `settled_at` is a window that owes a report: it has canaries."""

probe_minute = Table(
    "probe_minute",
    metadata,
    Column("starts_at", Time, primary_key=True),
    Column("probe", Words, primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("not_visible", BigInteger, nullable=False),
    Column("blind", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

audit_window = Table(
    "audit_window",
    metadata,
    Column("stage", Words, primary_key=True),
    Column("starts_at", Time, primary_key=True),
    Column("ends_at", Time, nullable=False),
    Column("audited_at", Time, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("topic_id", Words, nullable=False),
    Column("offsets", Json, nullable=False),
    Column("counts", Json, nullable=False),
    Column("report", Json, nullable=False),
    Column("amendments", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Windows of the real traffic: which offsets, what became of them, and whether more can be known."""

traffic_window = Table(
    "traffic_window",
    metadata,
    Column("starts_at", Time, primary_key=True),
    Column("kind", Words, primary_key=True),
    Column("place", Words, primary_key=True),
    Column("ends_at", Time, nullable=False),
    Column("told_at", Time, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("report", Json, nullable=False),
    sqlite_with_rowid=False,
)
"""The real traffic before Kafka, between topics and by its delay, window by window."""


part_change = Table(
    "part_change",
    metadata,
    Column("until_at", Time, primary_key=True),
    Column("stage", Words, primary_key=True),
    Column("told", Words, primary_key=True),
    Column("since_at", Time, nullable=False),
    sqlite_with_rowid=False,
)
"""What changed in the parts of the pipeline, between two readings or at a time that the part tells."""

remembered = Table(
    "remembered",
    metadata,
    Column("key", Words, primary_key=True),
    Column("value", Json),
    sqlite_with_rowid=False,
)
