"""Do the probes make sense: tokens, templates, hot keys, and the number of events that somebody pays for?"""

import re
from collections.abc import Mapping
from math import ceil

from canary.config.checks_files import check_tls
from canary.config.models import CanaryConfig
from canary.config.probes import HOTTEST, ProbeConfig
from canary.config.problems import Draft, plain
from canary.config.schema import Path, nearest
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig

DAY = 86_400
_WORDS = ("id", "event", "distinct_id", "timestamp", "timestamp_ms", "properties", "token", "sent_at")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = ("content-length", "transfer-encoding", "content-encoding", "connection", "host")


def check_probes(
    draft: Draft,
    canary: CanaryConfig,
    *,
    probes: Mapping[Path, ProbeConfig],
    stages: Mapping[Path, KafkaStageConfig | ClickHouseStageConfig],
) -> None:
    """Each probe, then all of them together."""
    first = stages.get(("stages", 0))
    partitions = first.partitions if isinstance(first, KafkaStageConfig) else None
    seen: set[str] = set()
    for path, probe in probes.items():
        if probe.name in seen:
            draft.fault((*path, "name"), "is taken by a probe above")
        seen.add(probe.name)
        _token(draft, path, probe)
        _templates(draft, path, probe)
        _headers(draft, path, probe)
        _connection(draft, path, probe)
        _lanes(draft, path, probe, partitions=partitions)
        _check_rate(draft, canary, path, probe)
    _cost(draft, canary, probes)


def _token(draft: Draft, path: Path, probe: ProbeConfig) -> None:
    if probe.token is not None and probe.token_file is not None:
        draft.fault((*path, "token"), "give either token or token_file, not both", also=("token_file",))
    if probe.preset == "posthog" and probe.api_token is None:
        what = "is missing: give token or token_file"
        draft.fault((*path, "token"), what, also=("token_file", "preset"))


def _templates(draft: Draft, path: Path, probe: ProbeConfig) -> None:
    for key in ("body", "batch_body"):
        text = getattr(probe, key)
        if text is None:
            continue
        if probe.preset != "generic":
            draft.fault((*path, key), 'is for preset "generic" only', got="got a template", also=("preset",))
        known = (*_WORDS, "events") if key == "batch_body" else _WORDS
        for word in re.findall(r"\{([a-z_]+)\}", text):
            if word not in known:
                what = f"holds an unknown placeholder{nearest(word, known)}"
                draft.fault((*path, key), what, got=f"got {{{word}}}")
    if probe.body is not None and "{id}" not in probe.body and "{properties}" not in probe.body:
        what = "must hold {id} or {properties}, or nobody could find its events"
        draft.fault((*path, "body"), what, got="got neither")
    if probe.batch_body is not None and "{events}" not in probe.batch_body:
        draft.fault((*path, "batch_body"), "must hold {events}", got="got none")
    for name in probe.payload:
        if name.startswith("canary_"):
            what = 'names must not begin with "canary_", which the canary\'s own content uses'
            draft.fault((*path, "payload"), what, got=f"got {plain(name)}")


def _headers(draft: Draft, path: Path, probe: ProbeConfig) -> None:
    for name in probe.headers:
        at = (*path, "headers", name)
        if not _HEADER.fullmatch(name):
            draft.fault(at, "is not the name of a header", got=f"got {plain(name)}")
        elif name.lower() in _OURS:
            draft.fault(at, "is set by the monitor itself", got=f"got {plain(name)}")


def _connection(draft: Draft, path: Path, probe: ProbeConfig) -> None:
    if probe.tls is None:
        return
    check_tls(draft, path, probe.tls)
    if not probe.url.startswith("https:"):
        draft.fault((*path, "url"), "must begin with https:// when there is a tls table")


def _lanes(draft: Draft, path: Path, probe: ProbeConfig, *, partitions: int | None) -> None:
    lanes = probe.lanes if isinstance(probe.lanes, int) else partitions
    on = ("rate", "lanes", "pool")
    if lanes is not None and probe.rate > probe.fastest(lanes):
        each = probe.rate / (lanes * probe.pool)
        what = f"makes hot keys: must be at least {ceil(probe.rate / lanes / HOTTEST)}"
        got = (
            f"got {probe.pool}: {probe.rate:g}/s over {lanes} lanes of {probe.pool} distinct_ids "
            f"is {each:.3g}/s each, {HOTTEST}/s is the most"
        )
        draft.fault((*path, "pool"), what, got=got, also=on)
    if lanes is None and probe.rate > probe.fastest(1):
        needed = ceil(probe.rate / probe.fastest(1))
        what = f"makes hot keys unless the first topic has {needed} partitions or more; a larger pool is safe"
        draft.warn((*path, "pool"), what, got=f"got {probe.pool} for {probe.rate:g}/s", also=on)
    if isinstance(probe.lanes, int) and partitions is not None and probe.lanes > partitions:
        what = f"is more than the first topic's {partitions} partitions: some lanes share one"
        draft.warn((*path, "lanes"), what, got=f"got {probe.lanes}", also=on)


def _check_rate(draft: Draft, canary: CanaryConfig, path: Path, probe: ProbeConfig) -> None:
    if not isinstance(probe.lanes, int) or canary.check_rate <= probe.fastest(probe.lanes):
        return
    needed = ceil(canary.check_rate / probe.lanes / HOTTEST)
    what = f"makes hot keys in a long check at {canary.check_rate:g}/s; {needed} would not"
    draft.warn((*path, "pool"), what, got=f"got {probe.pool}", also=("rate", "lanes"))


def _cost(draft: Draft, canary: CanaryConfig, probes: Mapping[Path, ProbeConfig]) -> None:
    if any((*path, "rate") in draft.doubtful for path in probes):
        return
    daily = ceil(sum(probe.rate for probe in probes.values()) * DAY)
    if daily > canary.max_events_per_day:
        what = f"is below the {daily:,} that the probes send in a day: sending would stop every day"
        got = f"got {canary.max_events_per_day:,}"
        draft.fault(("canary", "max_events_per_day"), what, got=got)
