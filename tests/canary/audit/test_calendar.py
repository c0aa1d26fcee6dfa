"""The running audit: windows without a gap between them, again while more can be known, through restarts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.condition import Amendment
from canary.audit import Limits, Report
from canary.audit.calendar import Calendar
from canary.audit.report import Cost
from canary.audit.work import Every
from canary.ledger import Ledger
from canary.traffic import AuditWindow
from reconcile.traffic import Fate
from tests.canary.audit.world import World

WINDOW = timedelta(minutes=5)


class Heard:
    """What the calendar tells."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.failures: list[str] = []
        self.waiting: dict[str, dict[str, int]] = {}
        self.looked: list[tuple[AuditWindow, AuditWindow]] = []
        self.amendments: list[Amendment] = []

    def __call__(self, report: Report, before: AuditWindow | None, verdict: str) -> None:
        assert verdict in ("ok", "degraded", "fault", "unknown")
        assert before is None or before.start == report.since
        self.reports.append(report)

    def failed(self, stage: str) -> None:
        self.failures.append(stage)

    def looked_again(self, before: AuditWindow, after: AuditWindow, cost: Cost) -> None:
        assert cost.messages_fetched > 0
        self.looked.append((before, after))

    def open(self, stage: str, counts: Mapping[str, int]) -> None:
        self.waiting[stage] = dict(counts)


def calendar(world: World, ledger: Ledger, heard: Heard, limits: Limits | None = None) -> Calendar:
    made = Calendar(
        [world.auditor(limits)],
        ledger=ledger,
        every=Every(),
        now=lambda: world.now,
        on_report=heard,
        tell=heard.amendments.extend,
    )
    made.restore()
    return made


def ranges(ledger: Ledger, world: World) -> list[AuditWindow]:
    return ledger.audits(world.now - timedelta(days=2), world.now)


def contiguous(windows: list[AuditWindow]) -> bool:
    """Each begins where the one before it ended, in time and in every partition's offsets."""
    for a, b in pairwise(windows):
        if a.end != b.start or any(b.offsets[p][0] != end for p, (_, end) in a.offsets.items()):
            return False
    return True


def test_every_offset_belongs_to_exactly_one_window(ledger: Ledger) -> None:
    """However late records are appended for their times."""
    world, heard = World(), Heard()
    running = calendar(world, ledger, heard)
    for number in range(40):
        late = timedelta(minutes=number % 7)
        world.append(number % 2, 3, at=world.now - late)
        world.consume(number % 2)
        running.step()
        world.now += timedelta(minutes=1)
    windows = ranges(ledger, world)

    assert len(windows) >= 7
    assert contiguous(windows)
    for partition in (0, 1):
        assert windows[0].offsets[partition][0] == 0
        assert windows[-1].offsets[partition][1] <= len(world.logs[partition])
    assert all(window.verdict == "ok" for window in windows)


def test_tables_that_are_audited_at_the_same_time_keep_their_windows_apart(ledger: Ledger) -> None:
    """Each is written down, also while others are."""
    worlds = [World() for _ in range(4)]
    running = Calendar(
        [world.auditor(stage=f"table{number}") for number, world in enumerate(worlds)],
        ledger=ledger,
        every=Every(at_once=len(worlds)),
        now=lambda: worlds[0].now,
        on_report=Heard(),
        tell=Heard().amendments.extend,
    )
    for _ in range(30):
        for world in worlds:
            world.append(0, 1)
            world.consume(0)
            world.now += WINDOW
        running.step()

    for number in range(len(worlds)):
        windows = ledger.audits(worlds[0].now - timedelta(days=2), worlds[0].now, stage=f"table{number}")
        assert len(windows) >= 29
        assert contiguous(windows)


def test_a_restart_goes_on_where_the_last_window_ended(ledger: Ledger) -> None:
    """Also after hours: what was missed is one long window, and a loss in it is found."""
    world, heard = World(), Heard()
    world.append(0, 5)
    world.consume(0)
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    world.append(0, 10)
    world.consume(0, without={8})
    world.now += timedelta(hours=3)
    again = calendar(world, ledger, heard)
    again.step()
    windows = ranges(ledger, world)

    assert contiguous(windows)
    assert sum(window.counts["lost"] for window in windows) == 1
    assert [str(one) for one in again.standing()[0].reports[-1].lost_ranges] == ["0:8-8"]


def test_a_queued_window_is_amended_when_the_consumer_has_come_to_it(ledger: Ledger) -> None:
    """Open until then, and audited once in a window's time."""
    world, heard = World(positions={0: 0}), Heard()
    world.append(0, 10)
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    [first] = ranges(ledger, world)
    assert (first.open, first.counts["queued"]) == (True, 10)
    assert heard.waiting["table"]["queued"] == 10
    running = calendar(world, ledger, heard)  # a restart knows of it
    running.step()
    assert len(heard.reports) == 1
    world.consume(0, without={3})
    world.now += WINDOW
    running.step()
    first = ranges(ledger, world)[0]

    assert (first.open, first.amendments) == (False, 1)
    assert heard.waiting["table"] == {"queued": 0, "not_yet": 0, "unaudited": 0}
    assert (first.counts["stored"], first.counts["lost"]) == (9, 1)


def test_an_audit_that_cannot_be_made_is_made_later(ledger: Ledger) -> None:
    """Nothing is skipped: the next window begins where the last one ended, and the trouble is told."""
    world, heard = World(), Heard()
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=6)
    running.step()
    world.append(0, 10)
    world.consume(0, without={4})
    world.down = True
    world.now += timedelta(minutes=20)
    running.step()
    [standing] = running.standing()
    assert (standing.trouble, heard.failures) == ("connection refused", ["table"])
    world.down = False
    running.step()

    assert contiguous(ranges(ledger, world))
    assert running.standing()[0].trouble == ""
    assert sum(report.counts[Fate.LOST] for report in heard.reports) == 1


def test_a_topic_made_again_is_followed_from_its_beginning(ledger: Ledger) -> None:
    """Old rows with the same offsets hide nothing, in the first window and in the next one."""
    world, heard = World(), Heard()
    world.append(0, 30)
    world.consume(0)
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    fresh = World()
    world.topic_id, world.logs, world.positions = fresh.topic_id, {0: [], 1: []}, {}
    for lost in (2, 12):
        world.append(0, 10)
        world.consume(0, without={lost})
        world.now += WINDOW
        running.step()
    world.now += WINDOW
    running.step()

    assert [str(one) for report in heard.reports for one in report.lost_ranges] == ["0:2-2", "0:12-12"]


def test_an_open_window_is_given_up_in_the_end(ledger: Ledger) -> None:
    """A day later nobody asks any more."""
    world, heard = World(), Heard()
    world.append(0, 10)
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    world.now += timedelta(days=2)
    running.step()
    asked = [report.since for report in heard.reports]

    assert len(asked) == len(set(asked))
    assert isinstance(asked[0], datetime)


def test_a_window_that_is_not_yet_is_amended_by_time_and_by_what_turns_up(ledger: Ledger) -> None:
    """Without positions: not yet, then what came is stored and what did not is lost, in the same window."""
    world, heard = World(), Heard()
    world.append(0, 10)
    world.consume(0, without={3, 4})
    world.positions = None
    running = calendar(world, ledger, heard)
    verdicts = []
    for minute in range(46):
        if minute == 20:
            world.store(0, range(3, 4))
        world.now += timedelta(minutes=1)
        running.step()
        first = ranges(ledger, world)[:1]
        verdicts += [(one.open, one.verdict, one.counts["not_yet"], one.counts["lost"]) for one in first]

    assert list(dict.fromkeys(verdicts)) == [
        (True, "unknown", 2, 0),
        (True, "unknown", 1, 0),
        (False, "fault", 0, 1),
    ]
    assert ranges(ledger, world)[0].amendments == 2


def test_windows_of_a_topic_that_is_gone_hold_nobody_up(ledger: Ledger) -> None:
    """They are closed with what was known and the reason; the new topic's windows are audited again."""
    world, heard = World(positions={0: 0}), Heard()
    world.append(0, 10)
    running = calendar(world, ledger, heard)
    world.now += timedelta(minutes=7)
    running.step()
    fresh = World()
    world.topic_id, world.logs, world.positions = fresh.topic_id, {0: [], 1: []}, {}
    for _ in range(4):
        world.append(0, 10)
        world.now += WINDOW
        running.step()
    [standing] = running.standing()
    assert standing.trouble == ""
    world.consume(0, without={7})
    for _ in range(3):
        world.now += WINDOW
        running.step()
    old, *new = ranges(ledger, world)

    assert (old.open, old.verdict, old.counts["queued"]) == (False, "unknown", 10)
    assert "was made again" in old.report["notes"][-1]
    assert [window.open for window in new] == [False] * len(new)
    assert sum(window.counts["lost"] for window in new) == 1
