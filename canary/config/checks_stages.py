"""Do the stages make a line: names, order, who carries events into each, and how we are let in?"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import urlsplit

from canary.config.checks_files import check_tls
from canary.config.models import CanaryConfig
from canary.config.problems import Draft, plain
from canary.config.schema import Path, nearest
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig, SaslConfig

Stage = KafkaStageConfig | ClickHouseStageConfig

_TAKEN = ("ingress", "end_to_end")
"""The metrics call the way in and the whole way so."""

_KEY_WORDS = ("token", "distinct_id", "uuid")


def check_stages(draft: Draft, canary: CanaryConfig, stages: Mapping[Path, Stage]) -> None:
    """Each stage, then its place in the line."""
    names: set[str] = set()
    places: dict[tuple[str, ...], str] = {}
    place: tuple[str, ...]
    before: Stage | None = None
    for path, stage in stages.items():
        _name(draft, path, stage, names)
        if isinstance(stage, KafkaStageConfig):
            _kafka(draft, path, stage, first=path[1] == 0)
            place = (",".join(sorted(stage.bootstrap)), stage.topic)
        else:
            _clickhouse(draft, path, stage)
            place = (stage.url, stage.database, stage.table)
        key = "topic" if isinstance(stage, KafkaStageConfig) else "table"
        if place in places:
            draft.fault((*path, key), f"is the same as that of {places[place]}", also=("url", "bootstrap"))
        places.setdefault(place, stage.name)
        _order(draft, canary, path, stage=stage, before=before)
        before = stage
    if isinstance(before, KafkaStageConfig):
        _last_topic(draft, path, before)


def _last_topic(draft: Draft, path: Path, stage: KafkaStageConfig) -> None:
    if stage.reading not in ("auto", "full"):
        draft.fault((*path, "reading"), "must be full at the last stage, which decides every outcome")


def _name(draft: Draft, path: Path, stage: Stage, names: set[str]) -> None:
    if stage.name in names:
        draft.fault((*path, "name"), "is taken by a stage above")
    if stage.name in _TAKEN:
        draft.fault((*path, "name"), "is a word that the metrics use already")
    names.add(stage.name)


def _order(draft: Draft, canary: CanaryConfig, path: Path, *, stage: Stage, before: Stage | None) -> None:
    at = (*path, "consumer_group")
    if path[1] == 0:
        if stage.consumer_group is not None:
            draft.warn(at, "means nothing at the first stage: the ingress writes into it, not a consumer")
        return
    if isinstance(before, ClickHouseStageConfig):
        if isinstance(stage, KafkaStageConfig):
            draft.fault((*path, "kind"), f"must not follow a table ({before.name}): list the topics first")
        elif stage.consumer_group is not None:
            draft.warn(at, f"means nothing behind a table ({before.name}): only topics have groups")
    elif stage.consumer_group is None:
        draft.warn(
            at,
            f"is missing: without the group that carries events into {stage.name}, a loss is proven only "
            f"{plain(canary.lost_after)} after the send, and a backlog cannot be told from it",
        )


def _kafka(draft: Draft, path: Path, stage: KafkaStageConfig, *, first: bool) -> None:
    for word in re.findall(r"\{([^}]*)\}", stage.key):
        if word not in _KEY_WORDS:
            what = f"holds an unknown placeholder{nearest(word, _KEY_WORDS)}"
            draft.fault((*path, "key"), what, got=f"got {{{word}}}")
    if first and "{distinct_id}" not in stage.key:
        draft.warn((*path, "key"), "without {distinct_id} lanes cannot be aimed at partitions")
    if stage.client == "librdkafka" and find_spec("confluent_kafka") is None:
        draft.fault((*path, "client"), 'needs the extra "fast": pip install "ingestion-canary[fast]"')
    for side in ("alternates", "dead_letters"):
        if stage.topic in getattr(stage, side):
            draft.fault((*path, side), "must not hold the stage's own topic", also=("topic",))
    if stage.tls is not None:
        check_tls(draft, path, stage.tls)
    if stage.sasl is not None:
        _sasl(draft, (*path, "sasl"), stage.sasl)
        if stage.tls is None and stage.sasl.mechanism in ("PLAIN", "OAUTHBEARER"):
            what = "sends its secret in the clear; tls = {} would encrypt it"
            draft.warn((*path, "sasl"), what, also=("tls",))


def _sasl(draft: Draft, path: Path, sasl: SaslConfig) -> None:
    bearer = sasl.mechanism == "OAUTHBEARER"
    need, other = ("token", "password") if bearer else ("password", "token")
    given = [getattr(sasl, key) is not None for key in (need, f"{need}_file")]
    if not any(given):
        draft.fault((*path, need), f"is missing: {sasl.mechanism} wants {need} or {need}_file")
    if all(given):
        draft.fault((*path, need), f"give either {need} or {need}_file, not both")
    if not bearer and sasl.username is None:
        draft.fault((*path, "username"), f"is missing: {sasl.mechanism} wants one")
    for key in (other, f"{other}_file"):
        if getattr(sasl, key) is not None:
            draft.fault((*path, key), f"is not used by {sasl.mechanism}: remove it")


def _clickhouse(draft: Draft, path: Path, stage: ClickHouseStageConfig) -> None:
    if stage.password is not None and stage.password_file is not None:
        draft.fault((*path, "password"), "give either password or password_file, not both")
    for side in ("siblings", "dead_letters"):
        if stage.table in getattr(stage, side):
            draft.fault((*path, side), "must not hold the stage's own table", also=("table",))
    if stage.queue_cluster is not None and not stage.through_distributed:
        draft.fault((*path, "queue_cluster"), "means nothing without through_distributed = true")
    if stage.max_execution_time > stage.timeout:
        got = f"got {plain(stage.max_execution_time)}, timeout is {plain(stage.timeout)}"
        what = "must not be above timeout, or the server works on after we gave up"
        draft.fault((*path, "max_execution_time"), what, got=got, also=("timeout",))
    if stage.tls is not None:
        check_tls(draft, path, stage.tls)
        if not stage.url.startswith("https:"):
            draft.fault((*path, "url"), "must begin with https:// when there is a tls table")
    if stage.login is not None and stage.url.startswith("http:") and not _local(stage.url):
        draft.warn((*path, "url"), "sends the password in the clear; https:// would encrypt it")


def _local(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")
