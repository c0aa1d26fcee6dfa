"""Plans a probe's lanes by the configuration, and again when the first topic's partitions become known."""

from canary.config.models import Config
from canary.config.probes import ProbeConfig
from canary.config.secret import SecretError
from canary.config.stages import FIRST_KEY, KafkaStageConfig
from canary.lanes import Keying, Lane, plan
from canary.probe import Probe
from canary.values import Owed

DISTINCT_PREFIX = "canary-"


class Laner:
    """Knows how the first topic is keyed."""

    def __init__(self, config: Config) -> None:
        first = config.stages[0]
        self._topic = first if isinstance(first, KafkaStageConfig) else None
        self._instance = config.canary.instance
        self._by_name = {probe.name: probe for probe in config.probes}
        self._planned: dict[str, int | None] = {}
        self._topics = {stage.name: stage for stage in config.stages if isinstance(stage, KafkaStageConfig)}
        self._keyings: dict[tuple[str, str], Keying] = {}

    def of(self, told: ProbeConfig, partitions: int | None) -> tuple[Lane, ...]:
        """The lanes for so many partitions; those of the configuration where nobody knows."""
        partitions = partitions or (self._topic.partitions if self._topic else None)
        key = self._topic.key if self._topic else FIRST_KEY
        partitioner = self._topic.partitioner if self._topic else "unknown"
        token = told.api_token() if told.api_token else ""
        keying = Keying(key, partitioner, token)
        wanted = told.lanes if isinstance(told.lanes, int) else None
        prefix = f"{DISTINCT_PREFIX}{told.name}-{self._instance}-"
        return plan(prefix, keying, partitions=partitions, lanes=wanted, pool=told.pool)

    def aim(self, stage: str, owed: Owed, partitions: int) -> int | None:
        """The partition of a stage's topic where a canary must be; None where that cannot be told."""
        probe = owed.probe.removesuffix("/check")
        keying = self._keyings.get((stage, probe)) or self._keying(stage, probe)
        return keying.partition(owed.distinct_id, partitions, owed.id) if keying.aims else None

    def _keying(self, stage: str, probe: str) -> Keying:
        topic, told = self._topics.get(stage), self._by_name.get(probe)
        if topic is None or told is None:
            return Keying("", "unknown")
        try:
            token = told.api_token() if told.api_token and "{token}" in topic.key else ""
        except SecretError:
            return Keying("", "unknown")  # not kept: it may be readable later
        return self._keyings.setdefault((stage, probe), Keying(topic.key, topic.partitioner, token))

    def relane(self, probe: Probe, partitions: int) -> None:
        """Give the probe lanes that fit, if their number is news."""
        if self._planned.get(probe.name) == partitions:
            return
        try:
            lanes = self.of(self._by_name[probe.name.removesuffix("/check")], partitions)
        except SecretError:
            return  # the lanes stay as they are until the token can be read; the ingress tells why
        self._planned[probe.name] = partitions
        probe.relane(lanes)
