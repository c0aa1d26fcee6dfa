"""`[[stages]]`: where an event can be seen, in the order in which it gets there."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from canary.config.fields import (
    MOST_PARTITIONS,
    Addresses,
    Count,
    Flag,
    Name,
    Number,
    SecretPath,
    SecretText,
    Span,
    Table,
    Text,
    Texts,
    Url,
)
from canary.config.secret import Secret
from canary.config.tls import TlsConfig

FIRST_KEY = "{token}:{distinct_id}"
LATER_KEY = "{uuid}"
FIRST_PARTITIONER = "murmur2"


class SaslConfig(Table):
    """`sasl = {...}` of a Kafka stage."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
    username: Text | None = None
    password: SecretText | None = None
    password_file: SecretPath | None = None
    token: SecretText | None = None
    token_file: SecretPath | None = None

    @property
    def login(self) -> Secret | None:
        """The password of PLAIN and SCRAM."""
        return self.password or self.password_file

    @property
    def bearer(self) -> Secret | None:
        """The token of OAUTHBEARER; something else keeps its file fresh."""
        return self.token or self.token_file


class KafkaStageConfig(Table):
    """A topic. The loader gives the first stage `FIRST_KEY` and murmur2 where the file is silent."""

    name: Name
    kind: Literal["kafka"]
    bootstrap: Addresses
    topic: Text
    key: Text = LATER_KEY
    partitioner: Literal["murmur2", "crc32", "unknown"] = "crc32"
    partitions: Annotated[Count, Field(ge=1, le=MOST_PARTITIONS)] | None = None
    consumer_group: Text | None = None
    alternates: Texts = ()
    dead_letters: Texts = ()
    reading: Literal["auto", "full", "targeted", "on_demand"] = "auto"
    on_demand_above: Annotated[Number, Field(gt=0)] = 5_000.0
    sample_budget: Annotated[Count, Field(ge=0, le=1_000_000)] = 0
    client: Literal["kafka-python", "librdkafka"] = "kafka-python"
    client_rack: Text | None = None
    tls: TlsConfig | None = None
    sasl: SaslConfig | None = None
    timeout: Span = timedelta(seconds=2)


class ColumnsConfig(Table):
    """Where a table keeps what we compare: a column's name or an expression; "" where it has none."""

    event: str = "event"
    distinct_id: str = "distinct_id"
    timestamp: str = "timestamp"
    properties: str = "properties"
    at: str = "inserted_at"
    partition: str = "_partition"
    offset: str = "_offset"
    tenant: str = "team_id"

    def given(self) -> dict[str, str]:
        """Only what was configured: a default counts where the table has a column of that name."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


class ClickHouseStageConfig(Table):
    """A table."""

    name: Name
    kind: Literal["clickhouse"]
    url: Url
    replicas: tuple[Url, ...] = ()
    user: Text = "default"
    password: SecretText | None = None
    password_file: SecretPath | None = None
    database: Text = "default"
    table: Text
    match: Text = "uuid"
    columns: ColumnsConfig = ColumnsConfig()
    consumer_group: Text | None = None
    through_distributed: Flag = False
    queue_cluster: Text | None = None
    tenants: Texts = ()
    siblings: Texts = ()
    dead_letters: Texts = ()
    warnings: Texts = ("ingestion_warnings",)
    delay_from: str = "captured_at"
    delay_to: str = "inserted_at"
    tls: TlsConfig | None = None
    timeout: Span = timedelta(seconds=2)
    max_queries_per_second: Annotated[Number, Field(gt=0, le=20)] = 1.0
    max_execution_time: Span = timedelta(seconds=2)
    max_bytes_to_read: Annotated[Count, Field(ge=1_000_000)] = 2_000_000_000
    max_threads: Annotated[Count, Field(ge=1, le=64)] = 1
    chunk: Annotated[Count, Field(ge=1, le=3_000)] = 2_000
    max_replica_delay: Span = timedelta(seconds=10)
    last_look_every: Span = timedelta(seconds=2)
    last_look_time: Span = timedelta(seconds=10)
    last_look_bytes: Annotated[Count, Field(ge=1_000_000)] = 10_000_000_000

    @property
    def login(self) -> Secret | None:
        """The user's password; None where it has none."""
        return self.password or self.password_file


StageConfig = Annotated[KafkaStageConfig | ClickHouseStageConfig, Field(discriminator="kind")]
