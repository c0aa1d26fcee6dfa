"""Hints rest on evidence that is there: each pattern is told by its own, and nothing where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from canary.background import Background, Warned
from canary.backlog import HINT
from canary.book import Book, Entry
from canary.described import Keeps
from canary.hints import of_losses, of_refusals
from canary.keeping import kept
from canary.readings import StageSpec
from canary.rules import by_window
from canary.scene import Scene
from canary.values import Answer, Judged, Look, Owed, Position, Seen, WindowReport
from reconcile.outcome import INGRESS, Outcome, Receipt

T0 = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RAW, INTO_RAW = ("raw", "events"), (INGRESS, "raw")


def _report(probe: str, outcome: Outcome, sent: int = 3) -> WindowReport:
    outcomes = dict.fromkeys(Outcome, 0) | {outcome: sent}
    return WindowReport(probe, T0, T0 + 60 * SECOND, T0, sent, sent, outcomes, {}, {}, {"max": 9.0})


@dataclass
class Case:
    """A pipeline of one topic and one table, and canaries of the probe `main` that it lost."""

    def __post_init__(self) -> None:
        specs = [StageSpec("raw", topic=True, place="topic"), StageSpec("events", topic=False, place="t")]
        self.book = Book(specs, epoch_started_at=T0, grace=10 * SECOND)

    def lost(
        self,
        count: int = 3,
        *,
        status: int | None = 200,
        detail: str = "200 OK",
        why: str = "",
        letter: str = "",
    ) -> list[Entry]:
        """Sent a second after each other, appended at once, at offsets from 0."""
        found = []
        for number in range(count):
            at = T0 + number * SECOND
            entry = self.book.add(Owed(UUID(int=number + 1), "main", 0, "d", at, T0, T0, 1, ""))
            receipt = Receipt.REFUSED if status is None or status >= 300 else Receipt.ACCEPTED
            entry.answer = Answer(receipt, at, at, 1, status, detail)
            entry.judged = Judged(entry.owed.id, Outcome.LOST, True, T0, RAW, reason=why)
            entry.dead_letter = letter or None
            self.book.saw(entry, Seen(entry.owed.id, "raw", "topic", at, partition=0, offset=number))
            found.append(entry)
        return found

    def scene(self, background: Background | None = None, **latest: Outcome) -> Scene:
        """With the last window of each probe, every probe with a token of its own."""
        return Scene(
            now=T0 + 60 * SECOND,
            book=self.book,
            latest={probe: _report(probe, outcome) for probe, outcome in latest.items()},
            accounts={probe: number for number, probe in enumerate(latest)},
            background=background or Background(),
        )

    def removed(self, before: int, *, committed: int = 3, end: int = 3) -> None:
        """The topic begins at this offset."""
        for seconds in (0, 30):
            at = T0 + seconds * SECOND
            position = Position("topic", 0, committed, before, end, at)
            self.book.readings["raw"].learn(Look("raw", at, at, positions=[position], partitions=1))


def _facts(found: Sequence[tuple[str, str]]) -> dict[str, str]:
    facts = dict(found)
    assert len(facts) == len(found)
    return facts


def test_without_evidence_nothing_is_said() -> None:
    """A guess is no hint."""
    case = Case()
    assert list(of_losses(case.scene(main=Outcome.LOST), RAW, case.lost())) == []


def test_dead_letters_are_counted_by_reason() -> None:
    """With how many of the lost they are; and the hint, only where they are all of them."""
    case = Case()
    entries = [*case.lost(2, letter="invalid\nJSON")]
    facts = _facts(list(of_losses(case.scene(), RAW, entries)))
    assert facts["dead letters"] == "2 of 2: 2 x invalid JSON"
    assert "dead letters" in facts[HINT]
    entries[0].dead_letter = None
    facts = _facts(list(of_losses(case.scene(), RAW, entries)))
    assert facts["dead letters"] == "1 of 2: 1 x invalid JSON"
    assert HINT not in facts


@pytest.mark.parametrize(
    ("hop", "where"), [(INTO_RAW, "after a good answer"), (RAW, "between raw and events")]
)
def test_all_of_one_token_while_anothers_arrive_is_a_restriction(hop: tuple[str, str], where: str) -> None:
    """Wherever they went missing: a token can be dropped by the ingress, or by the workers behind it."""
    case = Case()
    scene = case.scene(main=Outcome.LOST, other=Outcome.ON_TIME)
    hint = _facts(list(of_losses(scene, hop, case.lost())))[HINT]
    assert hint.startswith(f"all 3 of main are gone {where}, while those of other arrive")
    same = case.scene(main=Outcome.LOST, other=Outcome.LOST)
    assert "other" not in dict(of_losses(same, hop, case.lost(0))).get(HINT, "")


def test_an_ingress_that_names_its_quota_is_believed() -> None:
    """A good answer that says that a quota drops the event."""
    case = Case()
    entries = case.lost(detail="200 OK: quota limited (events)")
    facts = _facts(list(of_losses(case.scene(main=Outcome.LOST), INTO_RAW, entries)))
    assert facts["answers"] == "3 x 200 OK: quota limited (events)"
    assert "quota" in facts[HINT]


@pytest.mark.parametrize(
    ("status", "word"), [(401, "rotated"), (402, "plan"), (413, "large"), (429, "quota"), (404, "path")]
)
def test_a_refusal_is_told_by_its_kind(status: int, word: str) -> None:
    """How many of each answer, and what the commonest means; that other tokens are taken is evidence too."""
    case = Case()
    entries = [*case.lost(3, status=status)]
    facts = _facts(list(of_refusals(case.scene(main=Outcome.REJECTED, b=Outcome.ON_TIME), "main", entries)))
    assert facts["answers"] == f"3 x {status}"
    assert word in facts[HINT]
    assert facts[HINT].endswith("(those of b arrive)")


def test_a_refusal_of_no_known_kind_has_no_hint() -> None:
    """Nothing listened, or an answer of its own."""
    case = Case()
    assert _facts(list(of_refusals(case.scene(), "main", case.lost(2, status=None)))) == {
        "answers": "2 x none"
    }
    assert HINT not in dict(of_refusals(case.scene(), "main", case.lost(2, status=499)))
    assert list(of_refusals(case.scene(), "main", [])) == []


def test_warnings_of_the_pipeline_are_counted_by_reason() -> None:
    """Beside a loss behind the ingress; not beside one before it, which it could not have warned of."""
    case = Case()
    warned = {"events": Warned(T0, {"message_size_too_large": 12, "<!here>": 3}), "raw": Warned(T0, {})}
    scene = case.scene(Background(warned=warned))
    facts = _facts(list(of_losses(scene, RAW, case.lost(1))))
    assert facts == {
        "ingestion warnings beside events": "since 02:00:00Z: 12 x message_size_too_large; 3 x <!here>"
    }
    assert not [name for name, _ in of_losses(scene, INTO_RAW, case.lost(0)) if "warnings" in name]


def test_replayable_until_is_the_oldest_ones_end() -> None:
    """By the topic's retention, and its source; what the topic has removed already is counted apart."""
    case = Case()
    entries = case.lost()
    told = Background(keeps={"raw": Keeps(timedelta(days=7), "retention.ms")})
    facts = _facts(list(of_losses(case.scene(told), RAW, entries)))
    assert facts == {"replayable until": "2026-03-21 02:00:00Z (retention.ms)"}
    case.removed(before=2)
    facts = _facts(list(of_losses(case.scene(told), RAW, entries)))
    assert facts == {
        "no longer in the topic": "2 of 3",
        "replayable until": "2026-03-21 02:00:02Z (retention.ms)",
    }
    case.removed(before=3)
    assert _facts(list(of_losses(case.scene(told), RAW, entries))) == {"no longer in the topic": "3 of 3"}
    forever = Background(keeps={"raw": Keeps(None, "retention.ms")})
    assert dict(kept(case.scene(forever), RAW, entries)) == {
        "the oldest is kept until": "kept for ever (retention.ms)"
    }


def test_what_retention_removed_first_points_at_the_consumer() -> None:
    """That is what the proof says."""
    case = Case()
    entries = case.lost(why="retention removed it before its consumer came, and events does not show it")
    assert "too far behind" in _facts(list(of_losses(case.scene(), RAW, entries)))[HINT]


def test_what_is_late_names_the_consumer_that_is_behind() -> None:
    """With its lag and when it will have caught up."""
    case = Case()
    case.removed(before=0, committed=10, end=610)
    late = next(one for one in by_window(case.scene(main=Outcome.LATE)) if one.key == "late:main")
    facts = dict(late.facts)
    assert facts["farthest behind"] == "the consumer into events"
    assert facts["consumer lag"] == "600 messages"
    case.removed(before=0, committed=610, end=610)
    calm = next(one for one in by_window(case.scene(main=Outcome.LATE)) if one.key == "late:main")
    assert "consumer lag" not in dict(calm.facts)
