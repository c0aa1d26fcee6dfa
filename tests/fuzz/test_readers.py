"""Whatever others wrote: no input raises past its edge, and what is rejected is counted with a reason."""

import json
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.config import ConfigError, load
from canary.content import HABITS, differences
from canary.edges.clickhouse.rows import Seeing, found
from canary.edges.clickhouse.schema import Column, Shape
from canary.edges.kafka.record import Recogniser, Spot
from canary.event import Payload
from canary.identity import Mint, Verifier
from canary.ledger import Ledger, LedgerError
from canary.values import Answer, Content, Judged, Marks, Owed, Seen, Sighting
from reconcile.outcome import Flag, Outcome, Receipt
from tests.contract.fake_topic import FakeRecord
from tests.fuzz.food import JSON, ODD, TIMES, altered, fuzzed, mutated

SECRET = b"a secret of at least thirty-two bytes"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OURS = Mint(SECRET, "p").mint(NOW)
MARKS = Marks(Verifier(SECRET, ["p"]).recognises, "ingestion_canary", "canary-")
EVENT = Payload(SECRET, "p").event(OURS, distinct_id="canary-p-0", sent_at=NOW)
INNER = {"event": "ingestion_canary", "properties": dict(EVENT.properties), "timestamp": NOW.isoformat()}
WRAPPED = json.dumps({"uuid": str(OURS), "distinct_id": "canary-p-0", "data": json.dumps(INNER)}).encode()
ROW: dict[str, Any] = {
    "id": str(OURS),
    "event": "ingestion_canary",
    "distinct_id": "canary-p-0",
    "timestamp": "2026-03-01 12:00:00",
    "properties": json.dumps(dict(EVENT.properties)),
    "at": "2026-03-01 12:00:01",
    "partition": "3",
    "offset": "42",
    "tenant": "1",
    "key": "k",
}
SEEING = Seeing("events", Shape("d", "events", {"id": Column("uuid", "UUID")}, merges=True), seen_at=NOW)
BYTES = mutated(WRAPPED) | st.binary(max_size=60) | JSON.map(lambda v: json.dumps(v).encode())


def _compared(content: Content | None) -> None:
    if content is not None:
        for difference in differences(EVENT, content, habits=HABITS["posthog"]):
            assert difference.field


@fuzzed
@given(
    value=st.none() | BYTES,
    key=st.none() | st.sampled_from([OURS.bytes, str(OURS).encode(), b"canary-p-0"]) | st.binary(max_size=40),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["uuid", "content-encoding", "dlq_reason", "x"]),
            st.none() | ODD | st.just(b"gzip") | st.just(str(OURS).encode()) | st.binary(max_size=20),
        ),
        max_size=3,
    ),
    side=st.sampled_from(["", "alternate", "dead_letter"]),
    timestamp=st.none() | st.integers(-(2**63), 2**63 - 1),
)
def test_a_kafka_record(value: Any, key: Any, headers: Any, side: str, timestamp: Any) -> None:
    """A sighting, a count, or somebody else's event; a sighting can be compared and written down."""
    reader = Recogniser(MARKS)
    sighting = reader.sighting(
        FakeRecord(7, key, value, headers, timestamp), Spot("raw", "topic", 3, side, NOW, None)
    )
    assert sighting is None or isinstance(sighting, Sighting)
    assert all(reason and count >= 0 for reason, count in reader.counts.items())
    _compared(sighting.content if sighting else None)


@fuzzed
@given(st.lists(altered(ROW).map(lambda row: {k: None if v is None else str(v) for k, v in row.items()})))
def test_a_clickhouse_row(rows: list[dict[str, str | None]]) -> None:
    """Every row is a sighting or counted, and none is lost on the way."""
    seen = found(rows, {OURS}, seeing=SEEING, rows_per_id=3)
    rejected = seen.counts.get("not_asked", 0) + seen.counts.get("rows_beyond_limit", 0)
    assert len(seen.sightings) + rejected == seen.counts["rows"] == len(rows)
    for sighting in seen.sightings:
        _compared(sighting.content)


@fuzzed
@given(TIMES, TIMES)
def test_a_row_with_any_time(at: str, timestamp: str) -> None:
    """A time at the edge of the calendar is a wrong type, not an exception."""
    [sighting] = found(
        [{**ROW, "at": at, "timestamp": timestamp}], {OURS}, seeing=SEEING, rows_per_id=3
    ).sightings
    _compared(sighting.content)


CONFIG = (Path(__file__).parents[2] / "config.example.toml").read_bytes().replace(b"\n#", b"\n")


@fuzzed
@given(mutated(CONFIG) | mutated(b'[canary]\nwindow = "60s"\n') | st.binary(max_size=80))
def test_a_configuration(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    """It is sound, or refused with what is wrong."""
    path = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    path.write_bytes(text)
    with suppress(ConfigError):
        load(path, env={})


@fuzzed
@given(st.text(max_size=60) | st.just(str(OURS)))
def test_the_id_that_explain_is_given(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """It ends in words and a code, never in a traceback."""
    from canary.cli.common import Exit
    from canary.cli.explain import explain

    path = tmp_path_factory.getbasetemp() / "explained.db"
    if not path.exists():
        Ledger.open(f"sqlite:///{path}").close()
    with pytest.raises(Exit) as ended:
        explain(text, None, path)
    assert ended.value.code in (1, 64)


def _a_ledger(path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger, ledger.step() as step:
        step.record_sent([Owed(OURS, "p", 0, "canary-p-0", NOW, NOW, NOW + timedelta(seconds=60), 1, "h")])
        step.record_answers([(OURS, Answer(Receipt.ACCEPTED, NOW, NOW, 1, 200, "ok"))])
        step.record_look("raw", seen=[Seen(OURS, "raw", "topic", NOW, None, 1, 2)])
        flags = frozenset({Flag.DUPLICATED})
        step.record_judged([Judged(OURS, Outcome.LOST, True, NOW, ("raw", "processed"), (), flags, "why")])


@fuzzed
@given(
    where=st.sampled_from(
        [("canary", c) for c in ("outcome", "receipt", "hop", "flags", "sent_at", "window_start", "spanned")]
        + [("sighting", c) for c in ("seen_at", "differences", "copy_kinds", "place")]
    ),
    value=st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=12) | st.binary(max_size=6)
    | JSON.map(json.dumps),
)  # fmt: skip
def test_a_row_of_the_ledger(
    tmp_path_factory: pytest.TempPathFactory, where: tuple[str, str], value: Any
) -> None:
    """A row that somebody else changed is read, or the ledger says that it cannot be."""
    table, column = where
    sound = tmp_path_factory.getbasetemp() / "sound.db"
    if not sound.exists():
        _a_ledger(sound)
    path = tmp_path_factory.getbasetemp() / "altered.db"
    path.write_bytes(sound.read_bytes())
    with sqlite3.connect(path) as raw:
        try:
            raw.execute(f"UPDATE {table} SET {column} = ?", (value,))  # names are ours
        except (sqlite3.IntegrityError, UnicodeEncodeError):
            return
    raw.close()
    with Ledger.open(f"sqlite:///{path}", read_only=True) as ledger:
        for read in (lambda: ledger.find(OURS), lambda: ledger.open_tracks(NOW)):
            with suppress(LedgerError):
                read()


def test_ids_are_what_they_seem() -> None:
    """The sound inputs are sound: otherwise fuzzing would only ever see refusals."""
    assert isinstance(OURS, UUID)
    reader = Recogniser(MARKS)
    whole = reader.sighting(FakeRecord(7, None, WRAPPED, (), 1000), Spot("raw", "t", 3, "", NOW, None))
    assert whole is not None
    assert whole.content is not None
    assert differences(EVENT, whole.content, habits=HABITS["posthog"]) == ()
