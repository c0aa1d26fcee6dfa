"""`python -m bench.live`: audits of tables that never rest, for an hour; none may tell a false loss.

Real events come all the time, some of them twice. Merges run, and `OPTIMIZE … FINAL` besides, in the middle
of audits. Each table's consumer is stopped in turns, its group is put back, and another one replays from
there; then the first goes on from where it was, and replays too. In the end a few rows are dropped: an audit
that finds nothing must be one that could.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figures import say, setting
from bench.live_pipeline import TABLES, Pipeline
from bench.running import Load, Running, daemon
from canary.auditing import auditors
from canary.config import load
from canary.sandbox.broker import ImpossibleError
from canary.traffic import CannotAskError
from reconcile.traffic import UNSETTLED, Fate

DOCS = Path(__file__).parent.parent / "docs"
WHOLE = 60
"""A run of so many minutes writes its page."""

LOOK_EVERY = 5.0
ASK_EVERY = 20.0
BACK = timedelta(minutes=5)
SETTLE = timedelta(seconds=5)
DROPPED = 5
FOUND_WITHIN = 300.0
REPLAY_EVERY = 60.0
TELL_EVERY = 300.0
LOAD = Load("live", rate=1, lanes=4, pool=3, lines=(("enabled", "true"),))


@dataclass(slots=True)
class Seen:
    """What the audits said: of the daemon's the numbers in the end, of those on demand the sum."""

    windows: Counter[str] = field(default_factory=Counter)
    events: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    offsets: Counter[str] = field(default_factory=Counter)
    unsettled: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    false: dict[str, None] = field(default_factory=dict)
    caught: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Run for some minutes, print what was audited; exit 1 where a loss was told that was none."""
    parser = argparse.ArgumentParser(prog="python -m bench.live", description=__doc__)
    parser.add_argument("--minutes", type=float, default=WHOLE)
    parser.add_argument("--rate", type=int, default=20, help="real events a second (default: 20)")
    parser.add_argument("--broker", default="kafka", help="as of the sandbox: tansu, kafka or HOST:PORT")
    told = parser.parse_args()
    try:
        text, bad = _run(told.broker, told.minutes, told.rate)
    except ImpossibleError as error:
        sys.exit(f"live: {error}")
    say(text)
    if told.minutes >= WHOLE:
        (DOCS / "live.md").write_text(text)
    sys.exit(1 if bad else 0)


def _run(broker: str, minutes: float, rate: int) -> tuple[str, bool]:
    seen = Seen()
    with (
        tempfile.TemporaryDirectory(prefix="canary-live-") as folder,
        Pipeline(Path(folder), broker=broker, rate=rate) as pipeline,
        daemon(pipeline, LOAD) as running,
    ):
        until = time.monotonic() + 60 * minutes
        asked = replayed = told = time.monotonic()
        for turn in _turns(until):
            _look(running, seen)
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                _tell(running, seen)
            if time.monotonic() - asked >= ASK_EVERY:
                asked = time.monotonic()
                _ask(pipeline, seen)
            if time.monotonic() - replayed >= REPLAY_EVERY:
                replayed = time.monotonic()
                pipeline.replay(TABLES[turn % len(TABLES)])
        _end(running, seen)
        _catch(pipeline, running, seen)
        where = setting(
            f"Broker: {broker}; {rate} real events a second. A daemon audits both tables in windows of"
            f" 10 s; every {ASK_EVERY:.0f} s both are audited on demand, over five minutes."
        )
        text = _text(pipeline, seen, minutes)
    return f"{text}\n{where.told}", bool(seen.false or any(seen.caught[table] != DROPPED for table in TABLES))


def _turns(until: float) -> Iterator[int]:
    turn = 0
    while time.monotonic() < until:
        time.sleep(LOOK_EVERY)
        turn += 1
        yield turn // int(REPLAY_EVERY / LOOK_EVERY)


def _look(running: Running, seen: Seen) -> None:
    """Whether the daemon tells a loss while there is none."""
    for table in TABLES:
        lost = running.metric("audit_events_total", stage=table, fate=Fate.LOST.value)
        if lost:
            seen.false[f"the daemon: {lost:.0f} lost of {table}"] = None


def _tell(running: Running, seen: Seen) -> None:
    """Where it stands."""
    windows = ", ".join(f"{running.metric('audit_windows_total', stage=t):.0f} of {t}" for t in TABLES)
    asked, false = sum(seen.asked.values()), "; ".join(seen.false) or "none"
    say(f"{datetime.now(UTC):%H:%M:%S} windows: {windows}; on demand: {asked}; false losses: {false}")


def _ask(pipeline: Pipeline, seen: Seen) -> None:
    """The audit on demand, which cuts by time; `OPTIMIZE … FINAL` between its questions to Kafka and those
    to the table."""

    def wait(span: timedelta) -> bool:
        pipeline.optimize()
        time.sleep(span.total_seconds())
        return False

    config = load(pipeline.config_path, env={}, overrides={}).config
    until = datetime.now(UTC) - SETTLE
    for auditor in auditors(config, wait=wait):
        try:
            report = auditor.audit(until - BACK, until)
        except CannotAskError as error:
            seen.refused[error.reason] += 1
            continue
        finally:
            auditor.close()
        seen.asked[report.stage] += 1
        seen.offsets[report.stage] += report.appended
        seen.unsettled.update({f: report.counts[f] for f in UNSETTLED if report.counts[f]})
        if report.counts[Fate.LOST]:
            ranges = ", ".join(map(str, report.lost_ranges))
            seen.false[f"on demand at {until:%H:%M:%S}: lost of {report.stage}: {ranges}"] = None


def _end(running: Running, seen: Seen) -> None:
    """What the daemon has counted when it is over."""
    for table in TABLES:
        seen.windows[table] = round(running.metric("audit_windows_total", stage=table))
        seen.failed[table] = round(running.metric("audit_failed_total", stage=table))
        for fate in Fate:
            name = "audit_open_events" if fate in UNSETTLED else "audit_events_total"
            seen.events[table, fate.value] = round(running.metric(name, stage=table, fate=fate.value))


def _catch(pipeline: Pipeline, running: Running, seen: Seen) -> None:
    """Rows that are really lost are found: the audit was not blind."""
    pipeline.drop(DROPPED)

    def lost() -> Counter[str]:
        name = "audit_events_total"
        return Counter({t: round(running.metric(name, stage=t, fate=Fate.LOST.value)) for t in TABLES})

    running.until(lambda: all(lost()[table] >= DROPPED for table in TABLES), within=FOUND_WITHIN, every=2)
    seen.caught = lost()


def _text(pipeline: Pipeline, seen: Seen, minutes: float) -> str:
    done = pipeline.done
    lines = [
        "# Audits of tables that never rest",
        "",
        f"Made by `make bench-live`: {minutes:g} minutes.",
        "",
        f"- {done['events']:,} real events were sent, {done['again']:,} of them a second time;"
        f" {done['optimized']} times `OPTIMIZE … FINAL` on both tables while rows came;"
        f" {done['replays']} times a consumer was stopped and its group put back, and"
        f" {done['replayed']:,} offsets were read again",
    ]
    for table in TABLES:
        told = {f.value: seen.events[table, f.value] for f in Fate if seen.events[table, f.value]}
        lines.append(
            f"- `{table}`: {seen.windows[table]} windows by the daemon ({_words(told)}"
            f"; {seen.failed[table]} rounds could not ask), {seen.asked[table]} audits on demand of"
            f" {seen.offsets[table]:,} offsets"
        )
    lines += [
        f"- on demand, not settled when asked: {_words(seen.unsettled) or 'nothing'}",
        f"- false losses: {len(seen.false)}",
        *(f"  - {one}" for one in seen.false),
        f"- in the end {DROPPED} rows of each table were dropped; found: {_words(seen.caught)}",
    ]
    lines += [f"- {count} times a table could not be asked: {why}" for why, count in seen.refused.items()]
    lines += [f"- trouble: {count} × {why}" for why, count in pipeline.trouble.items()]
    return "\n".join(lines) + "\n"


def _words(counts: "Counter[str] | dict[str, int]") -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items() if number)


if __name__ == "__main__":
    main()
