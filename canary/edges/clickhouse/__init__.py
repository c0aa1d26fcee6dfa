"""ClickHouse as a stage: one table, asked by id, in safety and as a guest."""

from canary.edges.clickhouse.rights import rights
from canary.edges.clickhouse.settings import Settings, Tls
from canary.edges.clickhouse.stage import ClickHouseStage

__all__ = ["ClickHouseStage", "Settings", "Tls", "rights"]
