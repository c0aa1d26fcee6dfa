"""The composition root's part for changes: who asks each part of the pipeline how it is made. Names edges."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

from canary import __version__
from canary.app import App
from canary.changing import Describes, Observer, Pace
from canary.config.models import Config
from canary.config.render import settings_of
from canary.config.stages import ClickHouseStageConfig, KafkaStageConfig
from canary.described import Description
from canary.edges import clickhouse, kafka
from canary.values import Now
from canary.watch import Watch
from canary.wiring import clickhouse_settings, kafka_settings

STEP = "changes"
MISSING = "missing"

_log = logging.getLogger("canary")


def observer(config: Config, app: App) -> Observer | None:
    """Wired to the ledger and the rules; None where nobody wants it. Asks nobody yet."""
    told = config.changes
    if not told.enabled:
        return None
    now = app.watch.desk.line.now
    made = Observer(
        _parts(config, now),
        pace=Pace(told.every, min(told.in_trouble, told.every), told.within),
        trouble=lambda: troubled(app.watch),
        ledger=app.ledger,
        now=now,
        tell=lambda line: _log.info("%s", line),
    )
    made.restore()
    made.ourselves(ourselves(config, now))
    app.watch.background = lambda: made.background
    return made


def ourselves(config: Config, now: Now) -> Description:
    """This program and its settings, secrets masked."""
    return Description(
        at=now(),
        said={"version": {"ingestion-canary": __version__}, "settings": settings_of(config)},
    )


def troubled(watch: Watch) -> frozenset[str]:
    """What is wrong: the open conditions, and that the oldest open window misses a canary that is due."""
    found = frozenset(one.key for one in watch.open_conditions)
    desk = watch.desk
    soon = desk.line.now() - desk.plan.limits.objective
    with desk.lock:
        window = next(iter(desk.book.windows.values()), {})
        missing = any(one.owed.sent_at < soon and desk.book.last not in one.seen for one in window.values())
    return found | {MISSING} if missing else found


def _parts(config: Config, now: Now) -> Mapping[str, Describes]:
    parts: dict[str, Describes] = {}
    for stage, following in pairwise((*config.stages, None)):
        if isinstance(stage, KafkaStageConfig):
            settings = kafka_settings(stage, following, config, every=timedelta(0))
            parts[stage.name] = kafka.TopicDescriber(settings, now=now)
        elif isinstance(stage, ClickHouseStageConfig):
            told = clickhouse_settings(stage)
            parts[stage.name] = clickhouse.TableDescriber(told, warnings=stage.warnings, now=now)
    return parts
