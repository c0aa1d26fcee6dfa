"""The scoreboard as rows: made from plays, written down, read again, and held against what stood before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from tests.scoreboard.clean import Day
from tests.scoreboard.plays import Play
from tests.scoreboard.rows import ROWS
from tests.scoreboard.traffic import BUSY

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
BEGINS, ENDS = "<!-- made by make scoreboard -->", "<!-- made by make scoreboard: to here -->"
Times = tuple[float, float] | None
"""p50 and p99 in seconds; None where nothing was to be told."""

REASONS: Mapping[str, str] = {
    " slow.": "each look takes 2 s, and what proves a loss has to be looked at first",
    "positions of raw unreadable": "the proof is the position, and comes when it can be read again",
    "answers for every second id only": "half of each answer is missing, and is asked for again",
    "retention overtakes": "two readings are needed: that the topic begins later, and that nobody has it",
    "replays older offsets": "what is settled and clean is not asked for again: the topics alone show it",
}
"""Why a row is not at once or not all, by a part of its name."""

PEER: Mapping[str, str] = {
    "retention overtakes the backlog before processed": "19 of 19 lost, 5.0 s after each",
    "raw slow": "29 called lost, 0 were",
    "stopped for an hour": "79 of 23,987 called lost, 0 were (stopped for seconds)",
    "killed before settle": "29 in flight never mentioned again",
    "duplicate into raw": "nothing (1,020 copies)",
    "corrupt: text at processed": "counted as received",
}
"""What the nearest peer (KMinion 2.3.5, end to end, on a real Kafka) says of the same fault."""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault; the counts are canaries, or 1 for a fault that strikes the monitor's eyes alone."""

    fault: str
    kind: str
    injected: int
    found: int
    named: int
    from_fault: Times
    from_proof: Times
    to_page: Times
    to_end: Times
    page: str
    wrong: int
    false_pages: int
    reason: str = ""


def row(name: str, plays: Sequence[Play]) -> Row:
    """All plays of one fault together."""
    missing = sum(len(play.missing_pages) for play in plays)
    return Row(
        fault=name,
        kind=ROWS[name].kind,
        injected=sum(play.injected for play in plays),
        found=sum(play.found for play in plays),
        named=sum(play.named for play in plays),
        from_fault=_times([t for play in plays for t in play.after_fault]),
        from_proof=_times([t for play in plays for t in play.after_proof]),
        to_page=_times([t for play in plays for t in play.to_page]),
        to_end=_times([t for play in plays for t in play.to_end]),
        page=next((play.page for play in plays if play.page), ""),
        wrong=sum(len(play.wrong) for play in plays) + missing,
        false_pages=sum(len(play.false_pages) for play in plays),
        reason=next((why for part, why in REASONS.items() if part in f"{name}."), ""),
    )


def _times(seconds: Sequence[float]) -> Times:
    """Nearest rank, as a p99 of few values is their longest."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return _rank(ordered, 0.5), _rank(ordered, 0.99)


def _rank(ordered: Sequence[float], part: float) -> float:
    return round(ordered[ceil(part * len(ordered)) - 1], 1)


def worse(now: Row, before: Row) -> list[str]:
    """In what a row fell behind; times count from 1 s, a tick or two of the clock."""
    found: list[str] = []
    for name in ("found", "named"):
        share, stood = (getattr(one, name) / max(one.injected, 1) for one in (now, before))
        if share < stood:
            found.append(f"{now.fault}: {name} {share:.0%}, was {stood:.0%}")
    for name in ("wrong", "false_pages"):
        count, stood = getattr(now, name), getattr(before, name)
        if count > stood:
            found += [f"{now.fault}: {name} {count}, was {stood}"]
    for name in ("from_fault", "from_proof", "to_page", "to_end"):
        took, stood_at = getattr(now, name), getattr(before, name)
        if took and stood_at and took[1] > stood_at[1] + 1.0:
            found.append(f"{now.fault}: {name} p99 {took[1]} s, was {stood_at[1]} s")
    return found


def read() -> tuple[list[Row], Day]:
    """What stands in the documents."""
    told = json.loads((DOCS / "scoreboard.json").read_text())
    return [Row(**_tuples(one)) for one in told["rows"]], Day(**_tuples(told["clean"]))


def _tuples(one: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in one.items()}


def write(rows: Sequence[Row], peace: Day) -> None:
    """Both documents, and the README's part between its marks."""
    DOCS.mkdir(exist_ok=True)
    told = {"rows": [asdict(one) for one in rows], "clean": asdict(peace)}
    (DOCS / "scoreboard.json").write_text(json.dumps(told, indent=1) + "\n")
    (DOCS / "scoreboard.md").write_text(markdown(rows, peace))
    before, _, rest = README.read_text().partition(BEGINS)
    _, _, after = rest.partition(ENDS)
    README.write_text(f"{before}{BEGINS}\n{summary(rows, peace)}\n{ENDS}{after}")


def markdown(rows: Sequence[Row], peace: Day) -> str:
    """The document for people."""
    head = (
        "# How often the monitor is right\n\n"
        "Made by `make scoreboard`: every fault is played in virtual time against the program itself (its\n"
        "watch, ledger, rules and pager; the edges are in memory), twice, and an oracle that knows what was\n"
        "really done to each canary compares. In rows *on the wire* the program's own HTTP edge posts to a\n"
        "server on the same machine, which drips, half-closes or refuses; the block of real events is found\n"
        "by the running audit, and counted in events. Windows of 10 s, 10 s of grace, an objective of 5 s.\n"
        "Where a fault itself must not be told (a lawful change, a restart, a clock), two are lost\n"
        "amid it, and have to be found. Times are p50 / p99 in seconds: from the fault to the verdict,\n"
        "from the proof (or the end of window and grace, where that is later) to the verdict, and from the\n"
        "fault to its page, and from its end to the message that calls it over. *Wrong* are verdicts or\n"
        "reports that the oracle contradicts, and pages missing or never called over; *false pages* are\n"
        "those that nothing which was done accounts for.\n\n"
    )
    columns = (
        "fault | injected | found | named right | fault to verdict | proof to verdict | fault to page"
        " | end to resolution | wrong | false pages | page | peer | why"
    )
    lines = [f"| {columns} |", "|" + "---|" * (columns.count("|") + 1)]
    lines += [_line(one) for one in rows]
    return f"{head}{summary(rows, peace)}\n\n" + "\n".join(lines) + "\n"


def summary(rows: Sequence[Row], peace: Day) -> str:
    """The sums, for the first screen."""
    injected, found, named = (
        sum(getattr(one, name) for one in rows) for name in ("injected", "found", "named")
    )
    events = sum(one.injected for one in rows if one.fault in BUSY)
    wrong, false = sum(one.wrong for one in rows), sum(one.false_pages for one in rows)
    slow = sum(bool(one.from_proof and one.from_proof[1] > 2.0) for one in rows)
    return "\n".join(
        (
            f"**{len(rows)} faults, {injected:,} injected ({events:,} of them real events), {found:,} found, "
            f"{named:,} named right; {wrong} wrong verdicts, {false} false pages.** "
            f"In {len(rows) - slow} of {len(rows)} the verdict came within 2 s of its proof.",
            "",
            f"A clean day: {peace.hours} h, {peace.canaries:,} canaries, {peace.deployments} deployments, "
            f"{peace.restarts} restarts of the monitor: {len(peace.wrong)} wrong verdicts, "
            f"{len(peace.pages)} false pages.",
        )
    )


def _line(one: Row) -> str:
    cells: Iterable[object] = (
        one.fault,
        one.injected,
        one.found,
        one.named,
        *(
            f"{times[0]} / {times[1]}" if times else ""
            for times in (one.from_fault, one.from_proof, one.to_page, one.to_end)
        ),
        one.wrong,
        one.false_pages,
        one.page,
        PEER.get(one.fault, ""),
        one.reason,
    )
    return "| " + " | ".join(map(str, cells)) + " |"
