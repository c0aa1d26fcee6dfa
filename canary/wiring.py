"""How the configuration tells each edge what it needs: no object is made here, and nothing is asked."""

import json
from datetime import timedelta

from canary.config.models import Config
from canary.config.probes import ProbeConfig
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig, StageConfig
from canary.edges import clickhouse, http, kafka

CLIENT_ID = "ingestion-canary"

POLL = timedelta(milliseconds=250)
"""How long a topic is waited for when nothing comes; by the daemon longer, since each wait has its cost."""


def ingress_settings(told: ProbeConfig) -> http.Settings:
    """The ingress as its edge is told of it."""
    files = http.TlsFiles()
    if told.tls is not None:
        files = http.TlsFiles(
            ca_file=_text(told.tls.ca_file),
            cert_file=_text(told.tls.cert_file),
            key_file=_text(told.tls.key_file),
            verify=told.tls.verify,
        )
    return http.Settings(
        url=told.url,
        preset=told.preset,
        token=told.api_token or str,
        headers=told.read_headers,
        template=_json(told.body),
        batch_template=_json(told.batch_body),
        gzip=told.gzip,
        timeout=told.timeout,
        tries=told.retries + 1,
        tls=files,
    )


def kafka_settings(
    stage: KafkaStageConfig, following: StageConfig | None, config: Config, *, every: timedelta
) -> kafka.Settings:
    """A topic as its edge is told of it; the consumer of the `following` stage carries events out of it."""
    tls = sasl = None
    if stage.tls is not None:
        tls = kafka.Tls(
            ca_file=_text(stage.tls.ca_file),
            certificate_file=_text(stage.tls.cert_file),
            key_file=_text(stage.tls.key_file),
            check_hostname=stage.tls.verify,
        )
    if stage.sasl is not None and (secret := stage.sasl.login or stage.sasl.bearer) is not None:
        sasl = kafka.Sasl(stage.sasl.mechanism, secret, stage.sasl.username or "")
    return kafka.Settings(
        name=stage.name,
        bootstrap=stage.bootstrap,
        topic=stage.topic,
        alternates=stage.alternates,
        dead_letters=stage.dead_letters,
        next_group=following.consumer_group if following else None,
        tls=tls,
        sasl=sasl,
        client_id=f"{CLIENT_ID}-{config.canary.instance}-{stage.name}",
        timeout=stage.timeout,
        wait=POLL + every,
        every=every,
        client=stage.client,
        rack=stage.client_rack or "",
        reading=stage.reading if following else "full",
        seek_after=config.canary.objective,
        on_demand_above=stage.on_demand_above,
    )


def clickhouse_settings(stage: ClickHouseStageConfig) -> clickhouse.Settings:
    """A table as its edge is told of it."""
    tls = None
    if stage.tls is not None:
        tls = clickhouse.Tls(
            ca=_text(stage.tls.ca_file),
            cert=_text(stage.tls.cert_file),
            key=_text(stage.tls.key_file),
            verify=stage.tls.verify,
        )
    return clickhouse.Settings(
        name=stage.name,
        url=stage.url,
        database=stage.database,
        table=stage.table,
        user=stage.user,
        password=stage.login,
        match=stage.match,
        columns=stage.columns.given(),
        tenants=stage.tenants,
        siblings=stage.siblings,
        dead_letters=stage.dead_letters,
        replicas=stage.replicas,
        queue_cluster=stage.queue_cluster or "",
        tls=tls,
        timeout=stage.timeout,
        max_queries_per_second=stage.max_queries_per_second,
        max_execution_time=stage.max_execution_time,
        max_bytes_to_read=stage.max_bytes_to_read,
        max_threads=stage.max_threads,
        chunk=stage.chunk,
        max_replica_delay=stage.max_replica_delay,
        last_look_every=stage.last_look_every,
        last_look_time=stage.last_look_time,
        last_look_bytes=stage.last_look_bytes,
    )


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value)


def _text(path: object) -> str | None:
    return None if path is None else str(path)
