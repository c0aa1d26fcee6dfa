"""Every way in which a ClickHouse stage can be blind, each told in one line."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from canary.config.secret import Secret
from canary.edges.clickhouse import ClickHouseStage
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from tests.canary.edges.clickhouse.bench import (
    PASSWORD,
    MakeStage,
    Page,
    free_port,
    in_front,
    readonly,
    row,
    wanted,
)

pytestmark = pytest.mark.sandbox


def test_a_wrong_password_is_named_and_never_shown(stage: MakeStage) -> None:
    """The reason names the user, not the secret."""
    look = stage(password=lambda: "wr0ng-secret").look([wanted()])
    assert look.blind == "authentication failed for user canary"
    assert "wr0ng" not in repr(look)


def test_a_password_that_was_put_right_is_used(stage: MakeStage) -> None:
    """Secrets are read again: no restart is needed."""
    secrets = ["wrong"]
    made = stage(password=lambda: secrets[-1])
    assert made.look([wanted()]).blind
    secrets.append(PASSWORD)
    time.sleep(0.002)
    assert made.look([wanted()]).blind == ""


def test_a_password_that_cannot_be_read_is_blind(stage: MakeStage) -> None:
    """A missing file is told without its content."""

    def missing() -> str:
        raise FileNotFoundError("secret-file")

    assert stage(password=missing).look([wanted()]).blind == "the password cannot be read (FileNotFoundError)"

    gone = Secret(path=Path("/gone"))
    assert stage(password=gone).look([wanted()]).blind == "the password cannot be read (/gone: no such file)"


def test_nothing_listening_is_refused(stage: MakeStage) -> None:
    """At once and in two words."""
    look = stage(url=f"http://127.0.0.1:{free_port()}").look([wanted()])
    assert look.blind == "connection refused"


@pytest.mark.parametrize("connected", [False, True])
def test_a_hanging_server_costs_one_timeout(stage: MakeStage, gate: Gate, connected: bool) -> None:
    """No retries hide the time, whether the connection stood already or not."""
    made = stage(timeout=timedelta(seconds=2))
    if connected:
        assert _sees(made)
    gate.set("freeze")
    started = time.monotonic()
    look = made.look([wanted()])
    assert look.blind == "timed out after 2 s"
    assert time.monotonic() - started < 4  # two of them
    gate.set("open")
    assert _sees(made)


def _sees(stage: ClickHouseStage) -> bool:
    """Soon: on a starved machine even a sound server may take longer than 2 s."""
    return any(stage.look([wanted()]).blind == "" for _ in range(20))


def test_a_throttling_server_is_blind(stage: MakeStage, gate: Gate) -> None:
    """429 is an answer, and none that covers anything."""
    made = stage()
    gate.set("throttle")
    assert "429" in made.look([wanted()]).blind


def test_what_is_no_clickhouse_is_blind(stage: MakeStage) -> None:
    """A wrong port that answers 200 covers nothing."""
    with in_front(Page) as url:
        look = stage(url=url).look([wanted()])
    assert look.blind
    assert not look.asked


@pytest.mark.parametrize("table", ["nowhere", "x`; DROP TABLE events --"])
def test_a_table_that_is_not_there_is_named(stage: MakeStage, table: str) -> None:
    """Missing and hidden look the same from outside."""
    assert stage(table=table).look([wanted()]).blind == f"no table posthog.{table}, or no right to see it"


def test_a_column_that_is_not_there_is_named(stage: MakeStage) -> None:
    """The server's own words, on one line."""
    look = stage(match="identity").look([wanted()])
    assert "identity" in look.blind
    assert "\n" not in look.blind


def test_readonly_1_with_safe_values_sees(stage: MakeStage, front: ClickHouseFront) -> None:
    """A profile that is safe by itself is as good; that its limits hold instead of ours is told once."""
    one = wanted()
    front.insert("events", [row(one)])
    with in_front(readonly(front.url, "fallback_to_stale_replicas_for_distributed_queries=0&")) as url:
        made = stage(url=url)
        look = made.look([one])
        assert (look.blind, len(look.sightings)) == ("", 1)
        assert any("max_threads" in note for note in look.notes)
        time.sleep(0.002)
        assert made.look([one]).notes == ()


def test_readonly_1_with_unsafe_values_is_blind_and_says_which(
    stage: MakeStage, front: ClickHouseFront
) -> None:
    """Half an answer could not be told from a whole one."""
    unsafe = "skip_unavailable_shards=1&read_overflow_mode=break&"
    safe = "fallback_to_stale_replicas_for_distributed_queries=0&"
    with in_front(readonly(front.url, unsafe + safe)) as url:
        look = stage(url=url).look([wanted()])
    assert look.blind == (
        "setting skip_unavailable_shards, read_overflow_mode cannot be made safe (readonly=1)"
    )
    assert look.asked == ()


def test_a_shard_that_is_away_blinds(stage: MakeStage, front: ClickHouseFront) -> None:
    """The half that answers is not taken for the whole."""
    one = wanted()
    front.insert("events", [row(one)])
    look = stage(table="distributed_events_half").look([one])
    assert look.blind
    assert (look.asked, look.sightings) == ((), ())


def test_a_last_look_that_is_too_dear_is_over_budget(stage: MakeStage, front: ClickHouseFront) -> None:
    """The server refuses to read more than it may; nothing is covered."""
    front.insert("events", [row(wanted(n)) for n in range(50)])
    look = stage(last_look_bytes=10).last_look([wanted()])
    assert look.blind.startswith("over budget: ")
    assert look.asked == ()


def test_copies_that_are_too_dear_are_asked_for_by_name(stage: MakeStage, front: ClickHouseFront) -> None:
    """Given back unanswered once, which is no blindness; a table too dear even so is blind, and says why."""
    front.insert("events", [row(wanted(n)) for n in range(50)])
    made = stage(max_bytes_to_read=10)
    first = made.copies([wanted()])
    assert (first.asked, first.blind, first.counts["copies_over_budget"]) == ((), "", 1)
    second = made.copies([wanted()])
    assert second.blind
    assert (second.asked, second.counts.get("copies_over_budget")) == ((), None)
