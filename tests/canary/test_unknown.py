"""What cannot be told now: no more than what hangs on what was not read; others' incidents end as ever."""

from datetime import UTC, datetime, timedelta

from canary.book import Book
from canary.readings import StageSpec
from canary.rules import conditions
from canary.scene import Scene, Unknown
from canary.values import Look, WindowReport
from reconcile.outcome import Outcome

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OF_A_PROBE = ("late", "rejected", "undelivered", "not_sending", "down")


def scene(*settled: str, waiting: str = "", blind: str = "") -> Scene:
    """Probes with a settled window, one without, and a stage that cannot be read."""
    specs = [StageSpec(name, topic=True) for name in ("raw", "raw2")] + [StageSpec("events", topic=False)]
    book = Book(specs, epoch_started_at=T0, grace=MINUTE)
    for name, reading in book.readings.items():
        reading.learn(Look(name, T0, T0, blind="cut off" if name == blind else ""))
    none = dict.fromkeys(Outcome, 0)
    reports = {name: WindowReport(name, T0, T0 + MINUTE, T0, 0, 0, none, {}, {}, {}) for name in settled}
    probes = [*settled, waiting] if waiting else settled
    return Scene(T0 + MINUTE, book, latest=reports, down=dict.fromkeys(probes, ()))


def test_a_probe_that_has_settled_nothing_leaves_what_is_said_of_others_known() -> None:
    """A new one, or one that was renamed: the late ticket of another ends when that one's window is good."""
    unknown = conditions(scene("main", "new2", waiting="new"))[1]

    assert [key for key in OF_A_PROBE if f"{key}:new" not in unknown] == []
    assert [key for key in OF_A_PROBE if f"{key}:main" in unknown or f"{key}:new2" in unknown] == []
    assert "lost:raw->events" in unknown
    assert "detoured:raw" in unknown


def test_a_blind_stage_is_not_its_namesake() -> None:
    """Nor a hop another that begins with the same letters."""
    unknown = conditions(scene("main", blind="raw"))[1]

    assert "corrupt:raw" in unknown
    assert "corrupt:raw2" not in unknown
    assert "lost:ingress->raw" in unknown
    assert "lost:raw2->events" not in unknown


def test_a_key_stands_for_all_below_it() -> None:
    """A family for its members, a stage for its fates."""
    unknown = Unknown(["lost:", "audit_found:events"])

    assert all(key in unknown for key in ("lost:", "lost:raw->events", "audit_found:events:dead_letter"))
    assert not any(key in unknown for key in ("lost", "audit_found:events2", "behind:raw->events", 7))
