"""What every topic edge promises when the topic or the broker changes under it."""

import threading
import time
from datetime import timedelta

import pytest

from tests.contract.topic_bench import Bench, clear, covers, found, resume_of, until, until_found


def test_a_missing_topic_makes_the_stage_blind_until_it_is_there(bench: Bench) -> None:
    """A topic that does not exist is named; it is not made; when it comes it is read from its beginning."""
    missing = f"{bench.topic}_later"
    stage = bench.stage(topic=missing)
    for _ in range(3):
        until(stage, lambda look: f"topic {missing} does not exist" in look.blind)
    bench.lab.make(missing, 1)
    one, _ = bench.canary((missing, 0))

    assert [item.id for item in found(until_found(stage, one))] == [one]


@pytest.mark.needs("grow")
def test_added_partitions_are_read_from_their_beginning(bench: Bench) -> None:
    """Partitions added while reading are found, noted, and covered as far back as the others."""
    stage = bench.stage()
    looks = until(stage, clear)
    bench.lab.make(bench.topic, 6)
    one, _ = bench.canary((bench.topic, 5))

    more = until_found(stage, one)

    later, _ = covers(more, (bench.topic, 5))
    assert more[-1].partitions == 6
    assert later[-1] == min(item.since for item in looks[-1].coverage)


@pytest.mark.needs("remake")
def test_a_topic_made_again_is_read_from_its_beginning(bench: Bench) -> None:
    """A new topic under the old name starts anew, whatever offsets were kept of the old one."""
    stage = bench.stage()
    until(stage, clear)
    first = [bench.canary()[0] for _ in range(3)]
    until_found(stage, *first)
    bench.lab.remake(bench.topic, 4)
    again = [bench.canary()[0] for _ in range(5)]

    looks = until_found(stage, *again)
    notes = [note for look in (*looks, *until(stage, clear)) for note in look.notes]

    assert [item.id for item in found(looks)] == again
    assert any("made again" in note for note in notes)


@pytest.mark.needs("remake")
def test_a_topic_made_again_while_nobody_looked_is_read_from_its_beginning(bench: Bench) -> None:
    """What an earlier run kept of the old topic's offsets says nothing of a new one that grew past them."""
    stage = bench.stage()
    until(stage, clear)
    first = [bench.canary()[0] for _ in range(3)]
    looks = until_found(stage, *first)
    stage.close()
    bench.lab.remake(bench.topic, 4)
    again = [bench.canary()[0] for _ in range(5)]
    later = bench.stage(resume=resume_of(looks[-1]))

    more = until_found(later, *again)
    more += until(later, clear)

    _, ends = covers(looks, (bench.topic, 0))
    since, _ = covers(more, (bench.topic, 0))
    assert [item.id for item in found(more)] == again
    assert since[0] > ends[-1]  # type: ignore[operator]
    assert any("made again" in note for look in more for note in look.notes)


@pytest.mark.needs("expire")
def test_what_retention_removed_unread_is_never_covered(bench: Bench) -> None:
    """When retention passes the reader, the lost records are counted and coverage has a gap."""
    stage = bench.stage()
    looks = until(stage, clear)
    stage.close()
    for _ in range(4):
        bench.canary()
    bench.lab.expire((bench.topic, 0), 3)
    again = bench.stage(resume=resume_of(looks[-1]))

    more = until(again, clear)
    more += [look for _ in range(2) for look in until(again, clear)]

    _, ends = covers(looks, (bench.topic, 0))
    since, _ = covers(more, (bench.topic, 0))
    last = next(c for c in more[-1].coverage if c.partition == 0)
    assert since[-1] > ends[-1]  # type: ignore[operator]
    assert last.expired == 3
    assert sum(look.counts.get("expired", 0) for look in more) == 3
    assert len(found(more)) == 1


@pytest.mark.parametrize("fault", ["freeze", "down"])
@pytest.mark.needs("fault")
def test_an_outage_is_blindness_and_leaves_no_gap(bench: Bench, fault: str) -> None:
    """While the broker does not answer, looks return soon and are blind; then all is read, without a gap."""
    stage = bench.stage()
    looks = until(stage, clear)
    (bench.lab.freeze if fault == "freeze" else bench.lab.down)()
    for _ in range(3):
        began = time.monotonic()
        look = until(stage, lambda look: bool(look.blind), within=4)[-1]
        assert time.monotonic() - began < 3.5
        assert not look.coverage
        assert "\n" not in look.blind
    bench.lab.heal()
    one, _ = bench.canary()

    more = until_found(stage, one)

    since, _ = covers(looks, (bench.topic, 0))
    later, _ = covers([*more, *until(stage, clear)], (bench.topic, 0))
    assert later[-1] == since[0]


@pytest.mark.needs("fault")
def test_closing_is_prompt_while_the_broker_is_frozen(bench: Bench) -> None:
    """A frozen broker does not hold up an exit, not even out of a look that waits for it."""
    stage = bench.stage()
    until(stage, clear)
    bench.lab.freeze()
    looking = threading.Thread(target=stage.look, args=((),))
    looking.start()
    time.sleep(0.3)
    began = time.monotonic()
    stage.close()
    looking.join(5)

    assert time.monotonic() - began < 2
    assert not looking.is_alive()


def test_a_look_can_be_interrupted(bench: Bench) -> None:
    """A look that waits for records ends when it is told to."""
    stage = bench.stage(wait=timedelta(seconds=1.5))
    until(stage, clear)
    timer = threading.Timer(0.1, stage.interrupt)
    timer.start()
    began = time.monotonic()
    stage.look(())

    assert time.monotonic() - began < 1.2
    timer.join()


def test_a_closed_stage_is_blind(bench: Bench) -> None:
    """Looking after the close is told, not raised."""
    stage = bench.stage()
    stage.close()
    stage.close()

    assert stage.look(()).blind
