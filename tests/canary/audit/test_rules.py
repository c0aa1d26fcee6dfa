"""What audits become for the person on call."""

from datetime import timedelta

from alerts.condition import Severity
from canary.audit.beside import Real
from canary.audit.standing import Standing
from canary.background import Background
from canary.book import Book
from canary.described import Change
from canary.readings import StageSpec
from canary.rules import conditions
from canary.rules_audit import audited, untold
from canary.scene import Scene
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


def test_an_events_name_makes_no_line_of_its_own() -> None:
    """A name with a line break in it cannot look like another fact."""
    world = World()
    world.append(0, 2, event="plain\n  lost: 0\u2028")
    world.consume(0, without={1})
    [page] = audited([standing(world)], GRACE)

    assert dict(page.facts)["events"] == "plain lost: 0 (1)"


def test_what_changed_before_the_window_of_a_loss_is_told_with_it() -> None:
    """Held against the first window that shows it, from its start on."""
    world = World()
    world.append(0, 20)
    world.consume(0, without={4})
    found = standing(world)
    (report,) = found.reports
    at = report.since - timedelta(minutes=7)
    specs = [StageSpec("raw", topic=True), StageSpec("events", topic=False)]
    scene = Scene(
        now=world.now,
        book=Book(specs, epoch_started_at=START, grace=GRACE),
        real=Real(audits=[found]),
        background=Background(changes=[Change("events", "posthog.events: altered", at, at)]),
    )

    page = next(one for one in conditions(scene)[0] if one.key == "audit_lost:events")
    assert dict(page.facts)["changed shortly before"] == "7 min before it: posthog.events: altered"


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
