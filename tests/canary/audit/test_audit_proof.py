"""What must be in hand before a loss is told, and what must not keep one from being told."""

from datetime import timedelta

import pytest

from canary.audit.work import Start
from canary.traffic import CannotAskError, Method
from tests.canary.audit.auditing import HOUR, audited, full, lacking, told
from tests.canary.audit.world import START, FakeTable, Row, World


def test_an_audit_that_is_stopped_while_it_waits_calls_nothing_lost() -> None:
    """What was on its way when the position was read has not had its time: unaudited, and open."""
    world = lacking()
    world.stopped = True
    report = audited(world)

    assert "lost" not in told(report.counts)
    assert report.open


def test_a_gap_that_retention_has_reached_into_is_read_from_what_is_left() -> None:
    """Its first offsets have expired; those that Kafka still holds are lost, and replayable now."""
    world = full(20)
    world.append(0, 20)
    world.consume(0, without=set(range(20, 30)))
    world.log_start = {0: 25}
    report = audited(world, start=Start({0: 0, 1: 0}))

    assert told(report.counts) == {"stored": 50, "expired": 5, "lost": 5}


def test_a_gap_at_the_log_s_start_is_read() -> None:
    """The stored offset before it, which would show that ids match, is kept no longer."""
    world = full(20)
    world.append(0, 20)
    world.consume(0, without=set(range(20, 30)))
    world.log_start = {0: 20}

    assert told(audited(world, start=Start({0: 0, 1: 0})).counts) == {"stored": 50, "lost": 10}


def test_ids_that_do_not_match_are_noticed_where_the_window_begins_with_a_gap() -> None:
    """By the stored offset after it, there being none before."""
    world = World()
    world.append(0, 20)
    world.consume(0, without={0})
    world.rows = [Row(row.partition, row.offset, f"other {n}", row.at) for n, row in enumerate(world.rows)]

    assert told(audited(world).counts) == {"stored": 19, "unaudited": 1}


def test_ids_that_do_not_match_are_noticed_when_the_first_question_for_them_failed() -> None:
    """Whoever is asked a second time is asked for the neighbours too."""
    world = lacking()
    world.rows = [Row(row.partition, row.offset, f"other {n}", row.at) for n, row in enumerate(world.rows)]

    def refuse_once(world: World, question: str) -> None:
        world.over_budget = int(question == "blocks")

    world.between = refuse_once

    assert told(audited(world).counts) == {"stored": 40, "unaudited": 1}


def test_every_offset_has_one_fate_where_a_window_looked_up_by_id_cannot_be_counted() -> None:
    """The ids tell; that the blocks were over the budget is no second fate."""
    world = lacking()

    class Uncounted(FakeTable):
        def _ask(self, question: str) -> None:
            if question == "blocks":
                raise CannotAskError("too many bytes", over_budget=True)

    start = Start({0: 0, 1: 0}, topic_id=str(world.topic_id), by_id=True)
    until = world.now + timedelta(seconds=1)
    world.now += HOUR
    report = world.auditor(table=Uncounted(world)).audit(START, until, start=start)

    assert told(report.counts) == {"stored": 40, "lost": 1}


@pytest.mark.parametrize("method", ["offset", "sibling"])
def test_what_we_cannot_parse_is_no_reason_where_such_records_are_stored(method: str) -> None:
    """The format is another than ours: Avro, or a type that takes more than we thought."""
    world = World(method=Method(method, "nothing"))
    world.append(0, 20, error="no JSON")
    world.consume(0, without={7})
    foreign = audited(world)
    world = World(method=Method(method, "nothing"))
    world.append(0, 20)
    world.append(0, error="no JSON")
    world.consume(0, without={20})

    assert told(foreign.counts) == {"stored": 19, "lost": 1}
    assert told(audited(world).counts) == {"stored": 20, "unparsable": 1}


def test_what_a_merge_may_have_replaced_is_not_called_lost() -> None:
    """The table keeps the newest row of each person: those before it are gone, and rightly so."""
    world = lacking()
    world.replaces = "person"
    doubtful = audited(world)
    world.replaces, world.now = "", START
    plain = audited(world)

    assert told(doubtful.counts) == {"stored": 40, "unaudited": 1}
    assert doubtful.runs[0].reason == "lost, or replaced by a row with the same person"
    assert told(plain.counts) == {"stored": 40, "lost": 1}


@pytest.mark.parametrize("nameless", [False, True])
def test_an_event_without_an_id_may_be_a_dead_letter_without_one(nameless: bool) -> None:
    """That it has none may be why it is one. Where all of them have ids it is none of them."""
    world = lacking(id="")
    world.letters = {"": "no uuid"} if nameless else {"another": "no uuid"}

    assert told(audited(world).counts) == {"stored": 40, "unaudited" if nameless else "lost": 1}


def test_a_server_that_lags_behind_its_replicas_proves_no_loss() -> None:
    """Its rows are on their way to it. It is asked how far it is only where something is missing."""
    world = full(20)
    assert told(audited(world).counts) == {"stored": 40}
    assert world.asked["lagging"] == 0
    world.now = START
    world.append(0)
    world.consume(0, without={20})
    world.lags = "the server is 30 s behind its replicas"
    report = audited(world)

    assert told(report.counts) == {"stored": 40, "unaudited": 1}
    assert report.runs[0].reason == world.lags


def test_what_kafka_still_has_is_not_told_as_gone() -> None:
    """Records of imported events are older than retention allows: they may be removed at any moment now."""
    world = lacking(at=START - timedelta(days=9))
    report = audited(world)

    assert told(report.counts) == {"stored": 40, "lost": 1}
    assert report.lost.replayable_until == START + HOUR


def test_dead_letters_that_cannot_be_read_leave_a_missing_event_unaudited() -> None:
    """It may be one of them: our blindness is no loss."""
    world = lacking()
    world.letters_trouble = "dead letters: not authorized to read topic dlq"
    blind = audited(world)
    world.letters_trouble, world.now = "", START
    seeing = audited(world)

    assert told(blind.counts) == {"stored": 40, "unaudited": 1}
    assert told(seeing.counts) == {"stored": 40, "lost": 1}


@pytest.mark.parametrize("age", [timedelta(minutes=3), timedelta(days=3)])
def test_a_dead_letter_that_is_older_than_its_window_is_found(age: timedelta) -> None:
    """It carries its record's time, which may lie before the window that its offset belongs to; long
    before, where events are imported."""
    world = full(20)
    world.now += timedelta(minutes=10)
    world.append(0, at=world.now - age)
    world.consume(0, without={20})
    entry = world.logs[0][20]
    world.letters, world.letters_at = {entry.id: "too large"}, {entry.id: entry.at}
    since = world.now - timedelta(minutes=1)
    until = world.now + timedelta(minutes=1)
    world.now += HOUR
    report = world.auditor().audit(since, until, start=Start({0: 20, 1: 20}))

    assert told(report.counts) == {"dead_lettered": 1}
