"""What audits become for the person on call."""

from datetime import timedelta

from alerts.condition import Severity
from canary.audit.calendar import Standing
from canary.rules_audit import audited, untold
from tests.canary.audit.world import START, World

GRACE = timedelta(minutes=1)


def standing(world: World) -> Standing:
    until = world.now + timedelta(seconds=1)
    world.now += timedelta(hours=1)
    return Standing("events", [world.auditor().audit(START - timedelta(hours=1), until)])


def test_a_loss_pages_with_what_to_replay() -> None:
    """Where, how many, which, whose, until when."""
    world = World()
    world.append(0, 20)
    world.consume(0, without={4, 5, 9})
    [page] = audited([standing(world)], GRACE)

    assert (page.key, page.severity, page.count) == ("audit_lost:events", Severity.PAGE, 3)
    facts = dict(page.facts)
    assert facts["replay"] == "0:4-5 0:9-9"
    assert facts["lost"] == "3 of 20 offsets"
    assert facts["replayable until"] == "2026-02-01 12:00:00Z (retention.ms)"
    assert facts["events"] == "plain (3)"
    assert page.ids == tuple(world.logs[0][n].id for n in (4, 5, 9))


def test_what_is_explained_is_a_ticket() -> None:
    """Unparsable and dead letters, copies that stay."""
    world = World()
    world.append(0, 5)
    world.consume(0)
    world.append(0, error="no JSON")
    letter = world.append(0)[0]
    world.letters = {world.logs[0][letter].id: "too large"}
    world.consume(0, without={5, 6})
    world.store(0, range(1), variant=1)
    found = list(audited([standing(world)], GRACE))

    assert {one.key for one in found} == {
        "audit_found:events:unparsable",
        "audit_found:events:dead_lettered",
        "audit_twice:events",
    }
    assert {one.severity for one in found} == {Severity.TICKET}


def test_a_sound_table_is_nothing_to_tell() -> None:
    """And so is a backlog: the canaries tell that."""
    world = World()
    world.append(0, 5)
    world.consume(0)
    world.append(0, 5)

    assert list(audited([standing(world)], GRACE)) == []


def test_without_an_audit_nothing_is_over() -> None:
    """A loss that was told stays open while nobody can look."""
    blind = Standing("events", trouble="connection refused", since=START)
    [ticket] = audited([blind], GRACE)

    assert ticket.key == "audit_blind:events"
    assert "audit_lost:events" in set(untold([blind]))
    assert "audit_lost:events" in set(untold([Standing("events")]))
