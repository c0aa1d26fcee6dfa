"""`[audit]`: how the real traffic is counted, and how little that may cost."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from canary.config.fields import Count, Duration, Flag, Number, Span, Table, Text, Texts


class AuditConfig(Table):
    """`[audit]`."""

    enabled: Flag = True
    window: Span = timedelta(minutes=5)
    delay: Span = timedelta(minutes=1)
    slack: Span = timedelta(minutes=5)
    again_for: Span = timedelta(hours=24)
    objective: Span | None = None
    filtered_events: Texts = ()
    filtered_tokens: Texts = ()
    id_fields: Texts = ("uuid",)
    kafka_time: Text | None = None
    topic_column: Text | None = None
    tolerance: Annotated[Number, Field(ge=0, lt=1)] = 0.001
    max_messages: Annotated[Count, Field(ge=1, le=1_000_000)] = 100_000
    max_tiered_messages: Annotated[Count, Field(ge=0, le=1_000_000)] = 10_000
    max_gaps: Annotated[Count, Field(ge=1, le=5_000)] = 2_000
    max_offsets: Annotated[Count, Field(ge=1_000)] = 20_000_000
    max_seconds: Duration = timedelta(minutes=2)
    max_at_once: Annotated[Count, Field(ge=1, le=16)] = 1
    max_execution_time: Span = timedelta(seconds=20)
    max_bytes_to_read: Annotated[Count, Field(ge=1_000_000)] = 10_000_000_000
    max_threads: Annotated[Count, Field(ge=1, le=64)] = 2
