"""Sampling topics between two sets of offsets: on the sandbox's broker and on a real Kafka."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from canary.edges.kafka import SampledTopic, Settings
from canary.sampled import TopicTroubleError
from reconcile.sampling import chosen
from reconcile.traffic import Policy
from tests.contract.topic_labs import KAFKA, TANSU, Real, apache, real, tansu

NO_POLICY = Policy()
Make = Callable[..., tuple[SampledTopic, str]]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("tansu", tansu, TANSU), marks=pytest.mark.sandbox),
        pytest.param(("kafka", apache, KAFKA), marks=pytest.mark.reference),
    ],
    ids=lambda param: str(param[0]),
)
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A broker in a process of its own."""
    name, make, can = request.param
    state: Path = tmp_path_factory.mktemp(name)
    with real(make, state, can) as running:
        yield running


@pytest.fixture
def topic(broker: Real) -> Iterator[Make]:
    """Fresh topics of three partitions with an overflow and dead letters, once the cluster tells of them."""
    made: list[SampledTopic] = []

    def make(policy: Policy = NO_POLICY, **changed: Any) -> tuple[SampledTopic, str]:
        name = f"t{uuid.uuid4().hex[:8]}"
        for one, partitions in ((name, 3), (f"{name}_o", 1), (f"{name}_dlq", 1)):
            broker.make(one, partitions)
        settings = Settings(
            "raw",
            (broker.address,),
            name,
            alternates=(f"{name}_o",),
            dead_letters=(f"{name}_dlq",),
            timeout=timedelta(seconds=20),
            **changed,
        )
        made.append(SampledTopic(settings, policy=policy))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if len(made[-1].ends()) == 4 and len(made[-1].ends(letters=True)) == 1:
                    return made[-1], name
            except TopicTroubleError:
                continue
        raise AssertionError("the topics did not come up")

    yield make
    for one in made:
        one.close()


def value(id_: uuid.UUID) -> bytes:
    return json.dumps({"uuid": str(id_), "event": "x"}).encode()


def test_a_sample_is_what_was_written_between_the_two_ends(broker: Real, topic: Make) -> None:
    """With the place of each; what lies before or after has no part in it, and a second reading goes on."""
    one, name = topic()
    broker.write((name, 0), key=None, value=value(uuid.uuid4()))
    starts = one.ends()
    ids = [uuid.uuid4() for _ in range(9)]
    offsets = [broker.write((name, n % 3), key=None, value=value(ids[n])) for n in range(9)]
    aside = uuid.uuid4()
    broker.write((f"{name}_o", 0), key=None, value=value(aside))
    ends = one.ends()
    late = uuid.uuid4()
    broker.write((name, 1), key=None, value=value(late))

    sample = one.sample(starts, ends, share=1.0, budget=1000)
    rest = one.sample(sample.next, one.ends(), share=1.0, budget=1000)

    assert sample.ids.keys() == {*ids, aside}
    assert [sample.ids[ids[n]] for n in range(9)] == [{(name, n % 3): offsets[n]} for n in range(9)]
    assert (sample.read, sample.gap, sample.next) == (10, "", ends)
    assert rest.ids.keys() == {late}


def test_a_share_is_chosen_by_the_id_alone(broker: Real, topic: Make) -> None:
    """The very ids that any other reading of the same share would choose; records without one are counted."""
    one, name = topic()
    starts = one.ends()
    ids = [uuid.uuid4() for _ in range(30)]
    for id_ in ids:
        broker.write((name, 0), key=str(id_).encode(), value=b"not json")
    broker.write((name, 1), key=b"k", value=b"{}")

    sample = one.sample(starts, one.ends(), share=0.5, budget=1000)

    assert sample.ids.keys() == {id_ for id_ in ids if chosen(id_.bytes, 0.5)}
    assert sample.nameless == 1


def test_what_the_pipeline_drops_on_purpose_is_in_no_sample(broker: Real, topic: Make) -> None:
    """By the event's name or its token, also of an event that stands as text in another."""
    one, name = topic(Policy(frozenset({"$snapshot"}), frozenset({"phc_old"})))
    starts = one.ends()
    ids = [uuid.uuid4() for _ in range(4)]
    for id_, body in zip(
        ids,
        (
            {"event": "$snapshot"},
            {"event": "x", "token": "phc_old"},
            {"token": "phc", "data": json.dumps({"event": "$snapshot"})},
            {"event": "x", "token": "phc"},
        ),
        strict=True,
    ):
        broker.write((name, 0), key=None, value=json.dumps({"uuid": str(id_), **body}).encode())

    assert one.sample(starts, one.ends(), share=1.0, budget=100).ids.keys() == {ids[3]}


def test_a_budget_is_kept_and_told(broker: Real, topic: Make) -> None:
    """No message more is read, and the reading goes on from there."""
    one, name = topic()
    starts = one.ends()
    ids = [uuid.uuid4() for _ in range(12)]
    for id_ in ids:
        broker.write((name, 0), key=None, value=value(id_))

    short = one.sample(starts, one.ends(), share=1.0, budget=5)
    rest = one.sample(short.next, one.ends(), share=1.0, budget=100)

    assert (short.read, bool(short.gap)) == (5, True)
    assert [*short.ids, *rest.ids] == ids


def test_positions_are_those_of_the_consumer_behind(broker: Real, topic: Make) -> None:
    """Nothing where nobody knows its group."""
    group = f"g{uuid.uuid4().hex[:8]}"
    one, name = topic(next_group=group)
    broker.write((name, 0), key=None, value=value(uuid.uuid4()))
    broker.commit(group, (name, 0), 1)

    told = one.positions()

    assert (told[name, 0], told[name, 1]) == (1, None)
    assert topic()[0].positions() == {}


def test_a_broker_that_is_away_is_told() -> None:
    """As the one trouble there is."""
    away = SampledTopic(Settings("raw", ("127.0.0.1:1",), "t", next_group="g"))
    for ask in (away.ends, away.positions):
        with pytest.raises(TopicTroubleError):
            ask()
    away.close()
