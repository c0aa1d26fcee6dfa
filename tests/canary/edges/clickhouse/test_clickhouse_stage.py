"""The ClickHouse stage on the real engine: limits, side places, copies, clocks."""

import threading
import time
import uuid
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from canary.edges.clickhouse import Settings, rights
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from canary.values import Wanted
from tests.canary.edges.clickhouse.bench import (
    EVENT,
    LINE,
    MakeStage,
    free_port,
    in_front,
    passing_on,
    readonly,
    row,
    wanted,
)

pytestmark = pytest.mark.sandbox


def test_a_distributed_table_is_asked_by_its_local_keys(stage: MakeStage, front: ClickHouseFront) -> None:
    """Found through it, told which shard, and without a warning about scans."""
    one = wanted()
    front.insert("events", [row(one)])
    look = stage(table="distributed_events").look([one])
    [found] = look.sightings
    assert (found.place, found.id) == ("distributed_events", one.id)
    assert found.row.startswith("shard=1 part=")
    assert look.notes == ()


def test_looks_keep_their_pace(stage: MakeStage) -> None:
    """A look that comes too soon asks nothing and is no blindness."""
    made = stage(max_queries_per_second=0.02)
    assert made.look([wanted()]).asked
    early = made.look([wanted()])
    assert (early.asked, early.blind, early.counts) == ((), "", {})
    assert timedelta(0) < made.next_allowed_in() <= timedelta(seconds=50)


def test_copies_wait_for_their_slot(stage: MakeStage) -> None:
    """Rarer questions are not starved by looks, and count against the same pace."""
    made = stage(max_queries_per_second=1)
    made.look([wanted()])
    free_at = LINE.now() + made.next_allowed_in()
    look = made.copies([wanted()])
    assert look.asked
    assert look.started_at >= free_at - timedelta(milliseconds=5)
    assert made.next_allowed_in() >= look.started_at + timedelta(seconds=1) - LINE.now()


def test_more_ids_than_fit_take_turns(stage: MakeStage) -> None:
    """Each look says which it asked; in a few looks all have been."""
    made, many = stage(chunk=4), [wanted(n) for n in range(10)]
    asked: list[uuid.UUID] = []
    for _ in range(3):
        time.sleep(0.002)
        look = made.look(many)
        assert len(look.asked) == 4
        asked += look.asked
    assert set(asked) == {one.id for one in many}


def test_the_last_look_reads_dead_letters_and_siblings(stage: MakeStage, front: ClickHouseFront) -> None:
    """A dead letter is a sighting with its reason; a sibling's row is a hint and no sighting."""
    dead, beside, gone = wanted(1), wanted(2), wanted(3)
    front.execute(f"INSERT INTO posthog.dead VALUES ('{dead.id}', '{EVENT}', 'no such team', '{{}}')")
    front.insert("events_recent", [row(beside)])
    made = stage(dead_letters=("dead", "missing"), siblings=("events_recent",))
    look = made.last_look([dead, beside, gone])
    [letter] = look.sightings
    assert (letter.id, letter.side, letter.place, letter.reason) == (
        dead.id,
        "dead_letter",
        "dead",
        "no such team",
    )
    assert any("1 of 3 missing canaries are in the sibling table events_recent" in n for n in look.notes)
    assert any("no table posthog.missing" in note for note in look.notes)
    assert len(look.asked) == 3


def test_the_last_look_prefers_a_replica_and_can_do_without(stage: MakeStage, front: ClickHouseFront) -> None:
    """One that is away is told, and the usual server answers."""
    one = wanted()
    front.insert("events", [row(one)])
    look = stage(replicas=(f"http://127.0.0.1:{free_port()}",)).last_look([one])
    assert (look.blind, len(look.sightings)) == ("", 1)
    assert look.notes == ("last look: replica 1 could not be asked: connection refused",)
    away = stage(url=f"http://127.0.0.1:{free_port()}", replicas=(front.url,)).last_look([one])
    assert len(away.sightings) == 1


def test_the_last_look_does_not_rest_on_a_replica_alone(stage: MakeStage, front: ClickHouseFront) -> None:
    """One that lags behind answers well and has nothing: what lies where it should not is found."""
    one = wanted()
    front.insert("events", [row(one)])
    nothing = quote("{'posthog.events': '0'}")
    safe = "fallback_to_stale_replicas_for_distributed_queries=0&"
    with in_front(readonly(front.url, f"{safe}additional_table_filters={nothing}&")) as lagging:
        assert stage(url=lagging).last_look([one]).sightings == ()
        look = stage(replicas=(lagging,)).last_look([one, wanted()])
    assert (look.blind, [found.id for found in look.sightings], len(look.asked)) == ("", [one.id], 2)


def test_the_last_look_asks_no_replica_that_may_lack_what_was_just_passed(
    stage: MakeStage, front: ClickHouseFront
) -> None:
    """Behind a Distributed table one that lags by seconds is asked else: what it has not got may be there."""
    one = wanted()
    front.insert("events", [row(one)])
    nothing = quote("{'posthog.events': '0'}")

    def lags(path: str) -> str:
        up_to_date = "max_replica_delay_for_distributed_queries=2&" in f"{path}&"
        return "" if up_to_date else f"additional_table_filters={nothing}"

    with in_front(passing_on(front.url, lags)) as url:
        made = stage(url=url, max_replica_delay=timedelta(seconds=10), passed_grace=timedelta(seconds=2))
        assert made.look([one]).sightings == ()
        assert [found.id for found in made.last_look([one]).sightings] == [one.id]


def test_a_tenant_is_learned_and_unlearned(stage: MakeStage, front: ClickHouseFront) -> None:
    """Rows narrow later looks to their tenant, until canaries stay away under it."""
    made, first = stage(), wanted()
    front.insert("events", [row(first)])
    assert made.look([first]).sightings
    moved = Wanted(uuid.uuid4(), LINE.now(), EVENT, first.distinct_id)
    front.insert("events", [row(moved, team_id=4)])
    time.sleep(0.002)
    assert not made.look([moved]).sightings
    time.sleep(0.002)
    assert made.look([replace(moved, sent_at=moved.sent_at - timedelta(seconds=30))]).sightings


def test_a_lookup_that_must_scan_is_told_once(stage: MakeStage) -> None:
    """A table whose key begins with nothing we know is asked, with a warning."""
    made = stage(table="dead", match="event_uuid")
    [note] = made.look([wanted()]).notes
    assert "posthog.dead: every lookup must scan" in note
    time.sleep(0.002)
    assert made.look([wanted()]).notes == ()


def test_copies_without_end_stay_small(stage: MakeStage, front: ClickHouseFront) -> None:
    """A row stored again and again gives a bounded answer that says that it was cut."""
    one = wanted()
    for _ in range(8):
        front.insert("events", [row(one)])
    look = stage(max_rows_per_id=5).copies([one])
    assert len(look.sightings) == 5
    assert look.counts["rows_beyond_limit"] == 1


def test_hostile_values_are_data(stage: MakeStage, front: ClickHouseFront) -> None:
    """Unparsable properties, a timestamp at the end of time, text that looks like SQL."""
    one = Wanted(uuid.uuid4(), LINE.now(), "e'); DROP TABLE posthog.events --", "d\\'`\x01🐤")
    front.insert("events", [row(one, properties="{not json", team_id=-1)])
    look = stage().look([one])
    [found] = look.sightings
    assert found.content is not None
    assert (found.content.event, found.content.distinct_id) == (one.event, one.distinct_id)
    assert found.content.properties is None
    assert look.counts["unparsable"] == 1


def test_the_servers_clock_is_measured(stage: MakeStage) -> None:
    """On one machine it is ours, within its own stated error and a little noise."""
    look = stage().look([wanted()])
    assert look.skew is not None
    assert abs(look.skew.offset) < look.skew.error + timedelta(milliseconds=20)
    assert timedelta(0) < look.skew.error < timedelta(seconds=1)


def test_a_look_says_what_it_cost(stage: MakeStage, front: ClickHouseFront) -> None:
    """Once all is known a look is one query; rows and bytes are the server's count."""
    made, one = stage(), wanted()
    front.insert("events", [row(one)])
    made.look([one])
    time.sleep(0.002)
    counts = made.look([one]).counts
    assert counts["queries"] == 1
    assert counts["rows_read"] >= 1
    assert counts["bytes_read"] > 0


def test_closing_does_not_wait_for_a_hanging_server(stage: MakeStage, gate: Gate) -> None:
    """And whoever waits for a slot is let go."""
    made = stage()
    gate.set("freeze")
    hanging = threading.Thread(target=made.look, args=([wanted()],), daemon=True)
    hanging.start()
    time.sleep(0.1)
    started = time.monotonic()
    made.close()
    assert time.monotonic() - started < 0.5
    gate.set("open")
    hanging.join(5)
    assert not hanging.is_alive()


def test_rights_name_every_table_and_no_write() -> None:
    """What is granted is SELECT, and REMOTE for what stands behind a Distributed table."""
    text = rights(
        Settings("events", "http://h", "posthog", "events", siblings=("s`x",), dead_letters=("dead",))
    )
    for table in ("`posthog`.`events`", "`posthog`.`s\\`x`", "`posthog`.`dead`"):
        assert f"GRANT SELECT ON {table} TO `default`;" in text
    assert {line.split()[1] for line in text.splitlines() if line.startswith("GRANT")} == {"SELECT", "REMOTE"}
