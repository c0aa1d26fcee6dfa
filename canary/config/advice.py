"""What a configuration will cost its host: events, hot keys, and the limits that are in force."""

from dataclasses import asdict, dataclass
from typing import Any

from canary.config.fields import from_duration
from canary.config.models import Config
from canary.config.probes import HOTTEST, ProbeConfig
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig

DAY = 86_400
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class Keys:
    """How often each distinct_id of a probe is used; `lanes` is None while it hangs on the partitions.

    The figures are events a second; without a number of lanes they are those of a single one, the worst.
    """

    probe: str
    rate: float
    lanes: int | None
    pool: int
    per_distinct_id: float
    check_per_distinct_id: float
    limit: float = HOTTEST


@dataclass(frozen=True, slots=True)
class Advice:
    """The figures of `canary config check`."""

    events_per_day: int
    events_per_month: int
    max_events_per_day: int
    cost_per_month: float | None
    keys: tuple[Keys, ...]
    limits: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def advise(config: Config) -> Advice:
    """Work out the figures."""
    daily = round(sum(probe.rate for probe in config.probes) * DAY)
    price = config.canary.price_per_million
    return Advice(
        events_per_day=daily,
        events_per_month=daily * MONTH_DAYS,
        max_events_per_day=config.canary.max_events_per_day,
        cost_per_month=None if price is None else round(daily * MONTH_DAYS / 1e6 * price, 2),
        keys=tuple(_keys(config, probe) for probe in config.probes),
        limits=tuple(_limits(config)),
    )


def _keys(config: Config, probe: ProbeConfig) -> Keys:
    first = config.stages[0]
    partitions = first.partitions if isinstance(first, KafkaStageConfig) else None
    lanes = probe.lanes if isinstance(probe.lanes, int) else partitions
    names = (lanes or 1) * probe.pool
    return Keys(
        probe=probe.name,
        rate=probe.rate,
        lanes=lanes,
        pool=probe.pool,
        per_distinct_id=round(probe.rate / names, 4),
        check_per_distinct_id=round(config.canary.check_rate / names, 4),
    )


def _limits(config: Config) -> list[str]:
    day = f"at most {config.canary.max_events_per_day:,} events a day, then sending stops until the next"
    stages = (
        _of_table(stage) if isinstance(stage, ClickHouseStageConfig) else _of_topic(stage)
        for stage in config.stages
    )
    return [day, *map(_of_probe, config.probes), *stages]


def _of_probe(probe: ProbeConfig) -> str:
    return (
        f"ingress of {probe.name}: one post in flight a lane, {_many(probe.batch, 'event')} a post, "
        f"{from_duration(probe.timeout)} a try, {probe.retries} retries"
    )


def _many(count: float, word: str) -> str:
    return f"{count:g} {word}{'' if count == 1 else 's'}"


def _of_topic(stage: KafkaStageConfig) -> str:
    return f"topic {stage.topic}: read without a consumer group, nothing written"


def _of_table(stage: ClickHouseStageConfig) -> str:
    return (
        f"table {stage.database}.{stage.table}: at most {stage.max_queries_per_second:g} a second of "
        f"queries with {_many(stage.chunk, 'id')}, {_many(stage.max_threads, 'thread')}, "
        f"{from_duration(stage.max_execution_time)} and {stage.max_bytes_to_read:,} bytes each; "
        f"a last look every {from_duration(stage.last_look_every)}, "
        f"{from_duration(stage.last_look_time)} and {stage.last_look_bytes:,} bytes each"
    )


def in_words(advice: Advice) -> list[str]:
    """The figures as lines for a person."""
    lines = [
        f"events: {advice.events_per_day:,} a day, {advice.events_per_month:,} a month of {MONTH_DAYS} days"
    ]
    if advice.cost_per_month is not None:
        lines.append(f"cost: {advice.cost_per_month:,.2f} a month")
    lines += [_hot(keys) for keys in advice.keys]
    return lines + [f"limit: {limit}" for limit in advice.limits]


def _hot(keys: Keys) -> str:
    lanes = f"{keys.lanes} lanes" if keys.lanes else "lanes as there are partitions (figures for one)"
    return (
        f"hot keys of {keys.probe}: {keys.rate:g}/s over {lanes}, {keys.pool} distinct_ids each: "
        f"{keys.per_distinct_id:g}/s per distinct_id, {keys.check_per_distinct_id:g}/s in a check "
        f"(PostHog keeps up to {keys.limit:g}/s in the main lane for good)"
    )
