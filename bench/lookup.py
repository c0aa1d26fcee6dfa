"""Rows that one lookup of 60 canaries reads in a PostHog-shaped table of 20 million rows."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID

from bench.figures import Figure, say, under
from canary.clock import Line, SystemClock
from canary.edges.clickhouse import ClickHouseStage, Settings
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from canary.sandbox.tables import fill_events
from canary.values import Look, Marks, Wanted

EVENT = "ingestion_canary"
PASSWORD = "bench"
ASKED = 60
DAY = datetime.combine(datetime.now(UTC).date() - timedelta(days=2), time.min, UTC)
OUTSTANDING = """
    SELECT toString(uuid) AS id, distinct_id, toUnixTimestamp(timestamp) AS at FROM posthog.events
    WHERE event = 'ingestion_canary' AND timestamp >= toDateTime64('{day:%Y-%m-%d} 12:00:00', 6, 'UTC')
    ORDER BY timestamp LIMIT {asked}"""


def main() -> None:
    """Print what looks, copies and last looks cost, first with one canary a second, then with ten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    list(lookups(parser.parse_args().rows))


def lookups(rows: int) -> Iterator[Figure]:
    """What a look reads in a table of so many rows; the shares of canaries stay those of 20 million."""
    with _front() as front:
        fill_events(front, rows, 0, DAY.date())
        there = 0
        for a_day, aim in ((86_400, 1), (864_000, 5)):
            canaries = a_day * rows // 20_000_000
            fill_events(front, 0, canaries - there, DAY.date())
            there = canaries
            yield _report(front, canaries, aim)


@contextmanager
def _front() -> Iterator[ClickHouseFront]:
    with tempfile.TemporaryDirectory() as folder:
        front = ClickHouseFront(gate=Gate(), user="canary", password=PASSWORD, path=Path(folder))
        front.start()
        try:
            yield front
        finally:
            front.stop()


def _report(front: ClickHouseFront, canaries: int, aim: int) -> Figure:
    total = int(front.query("SELECT count() AS n FROM posthog.events")[0]["n"])
    wanted = [
        Wanted(UUID(row["id"]), datetime.fromtimestamp(int(row["at"]), UTC), EVENT, row["distinct_id"])
        for row in front.query(OUTSTANDING.format(day=DAY, asked=ASKED))
    ]
    stage = ClickHouseStage(
        Settings(
            name="events",
            url=front.url,
            user="canary",
            password=lambda: PASSWORD,
            database="posthog",
            table="events",
            max_queries_per_second=1000,
            last_look_every=timedelta(0),
            timeout=timedelta(seconds=20),
        ),
        marks=Marks(lambda _id: True, EVENT, "canary-"),
        now=Line(SystemClock()).now,
    )
    say(f"{total:,} rows, {canaries:,} canaries that day, {len(wanted)} asked for (aim: under {aim} %)")
    _line("first look, tenant not known", stage.look(wanted), total)
    _wait(stage)
    _line("rare look without the tenant, canaries overdue", stage.look(wanted), total)
    _wait(stage)
    look = stage.look(wanted)
    _line("look", look, total)
    _line("copies", stage.copies(wanted), total)
    _line("last look", stage.last_look(wanted), total)
    stage.close()
    return under(
        f"rows read by one lookup of {len(wanted)}, {canaries:,} canaries that day",
        100 * look.counts["rows_read"] / total,
        aim=aim,
        unit="%",
        note=f"{look.counts['rows_read']:,} of {total:,} rows",
    )


def _wait(stage: ClickHouseStage) -> None:
    while stage.next_allowed_in() > timedelta(0):
        pass


def _line(name: str, look: Look, total: int) -> None:
    if look.blind:
        sys.exit(f"{name}: blind: {look.blind}")
    read, took = look.counts["rows_read"], (look.ended_at - look.started_at).total_seconds() * 1000
    say(
        f"  {name}: {read:,} rows read ({100 * read / total:.2f} %), {look.counts['bytes_read']:,} bytes,"
        f" {took:.0f} ms, {len(look.sightings)} found"
    )


if __name__ == "__main__":
    main()
