"""ClickHouse as a stage: one table, asked by id, in safety and as a guest; and as an audit asks it."""

from canary.edges.clickhouse.audit import AuditOptions, TableAudit
from canary.edges.clickhouse.comparing import ComparedTable
from canary.edges.clickhouse.delay import DelayTable
from canary.edges.clickhouse.describing import TableDescriber
from canary.edges.clickhouse.rights import rights
from canary.edges.clickhouse.settings import Settings, Tls
from canary.edges.clickhouse.stage import ClickHouseStage
from canary.edges.clickhouse.tracing import TableTracer

__all__ = [
    "AuditOptions",
    "ClickHouseStage",
    "ComparedTable",
    "DelayTable",
    "Settings",
    "TableAudit",
    "TableDescriber",
    "TableTracer",
    "Tls",
    "rights",
]
