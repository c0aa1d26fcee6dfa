"""Places to try a topic edge in: a broker in memory, the sandbox's, and a real Apache Kafka."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import NoError, RetriableError
from kafka.structs import OffsetAndMetadata

from canary.edges.kafka import KafkaStage, Settings
from canary.edges.kafka.batches import Header
from canary.sandbox.broker import Apache, Broker, ImpossibleError, Tansu
from canary.sandbox.doors import Doors
from canary.values import Look, Marks, Now, Resume, Wanted
from tests.contract.fake_topic import FakeBroker, FakeTopic

Place = tuple[str, int]


class Stage(Protocol):
    """The protocol under test."""

    name: str

    def look(self, wanted: Sequence[Wanted]) -> Look: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...


class Lab(Protocol):
    """What the suite does to a broker. `can` names what this one is able to."""

    can: frozenset[str]

    def make(self, topic: str, partitions: int) -> None: ...
    def remake(self, topic: str, partitions: int) -> None: ...
    def write(
        self, place: Place, *, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()
    ) -> int: ...
    def commit(self, group: str, place: Place, offset: int) -> None: ...
    def expire(self, place: Place, before: int) -> None: ...
    def freeze(self) -> None: ...
    def down(self) -> None: ...
    def heal(self) -> None: ...
    def stage(self, settings: Settings, *, marks: Marks, now: Now, resume: Resume) -> Stage: ...
    @property
    def address(self) -> str: ...


class Fake:
    """In memory."""

    can = frozenset({"grow", "remake", "expire", "fault"})
    address = "memory"

    def __init__(self) -> None:
        self.broker = FakeBroker()
        self.make, self.remake, self.expire = self.broker.make, self.broker.remake, self.broker.expire

    def write(
        self, place: Place, *, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()
    ) -> int:
        return self.broker.append(place, key=key, value=value, headers=headers)

    def commit(self, group: str, place: Place, offset: int) -> None:
        self.broker.committed[(group, *place)] = offset

    def freeze(self) -> None:
        self.broker.frozen = True

    def down(self) -> None:
        self.broker.down = True

    def heal(self) -> None:
        self.broker.frozen = self.broker.down = False

    def stage(self, settings: Settings, *, marks: Marks, now: Now, resume: Resume) -> Stage:
        return FakeTopic(self.broker, settings, marks=marks, now=now, resume=resume)


class Real:
    """A broker in a process of its own; the edge comes through the observer's door."""

    def __init__(self, broker: Broker, can: frozenset[str]) -> None:
        self.can = can
        self._broker = broker
        self.inside = broker.inside
        self.address = broker.outside
        self._shaken = False
        self._connect()

    def _connect(self) -> None:
        direct = {"bootstrap_servers": self.inside, "proxy_url": "direct://"}  # closes its failed sockets
        self._admin: Any = KafkaAdminClient(**direct, bootstrap_timeout_ms=30_000)
        self._producer: Any = KafkaProducer(**direct, linger_ms=0)

    def make(self, topic: str, partitions: int) -> None:
        if topic in self._admin.list_topics():
            self._admin.create_partitions({topic: NewPartitions(partitions)})
        else:
            self._admin.create_topics([NewTopic(topic, partitions, 1)])

    def remake(self, topic: str, partitions: int) -> None:
        self._admin.delete_topics([topic])
        self._admin.create_topics([NewTopic(topic, partitions, 1)])

    def configure(self, topic: str, values: Mapping[str, str]) -> None:
        self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, dict(values))])

    def write(
        self, place: Place, *, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()
    ) -> int:
        sent = self._producer.send(place[0], partition=place[1], key=key, value=value, headers=list(headers))
        offset: int = sent.get(10).offset
        return offset

    def commit(self, group: str, place: Place, offset: int) -> None:
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1)}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if set(self._admin.alter_group_offsets(group, wanted).values()) == {NoError}:
                    return
            except RetriableError:  # the first group of all makes its topic
                pass
            time.sleep(0.2)
        raise AssertionError(f"group {group} could not commit")

    def expire(self, place: Place, before: int) -> None:
        self._admin.delete_records({TopicPartition(*place): before})

    def freeze(self) -> None:
        self._shaken = True
        self._broker.freeze()

    def down(self) -> None:
        self._shaken = True
        self._broker.down()

    def heal(self) -> None:
        """Heal the broker. Our own clients begin anew: theirs is not the recovery that is tried here."""
        self._broker.heal()
        if self._shaken:
            self._shaken = False
            self.close()
            self._connect()

    def stage(self, settings: Settings, *, marks: Marks, now: Now, resume: Resume) -> Stage:
        return KafkaStage(settings, marks=marks, now=now, resume=resume)

    def close(self) -> None:
        self._producer.close(timeout=2)
        self._admin.close()


@contextmanager
def real(make: Callable[[Path, Doors], Broker], state: Path, can: frozenset[str]) -> Iterator[Real]:
    """A running broker; skipped where it cannot run, but not in CI."""
    doors = Doors()
    broker = make(state, doors)
    try:
        try:
            broker.start()
        except ImpossibleError as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(error))
        lab = Real(broker, can)
        yield lab
        broker.heal()
        lab.close()
    finally:
        broker.stop()
        doors.stop()


SHORT = timedelta(milliseconds=100)
TANSU = frozenset({"fault", "seek"})
KAFKA = frozenset({"seek", "grow", "remake", "expire", "fault", "restart", "batches"})


def tansu(state: Path, doors: Doors) -> Broker:
    return Tansu(state, doors)


def apache(state: Path, doors: Doors) -> Broker:
    return Apache(state, doors)
