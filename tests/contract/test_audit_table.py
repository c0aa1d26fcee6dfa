"""What a table answers to an audit: the one in memory and ClickHouse's engine say the same of the same."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from canary.edges.clickhouse import TableAudit, audit_sql
from canary.edges.clickhouse.audit import IDS_AT_ONCE
from canary.sandbox.clickhouse import ClickHouseFront
from canary.sandbox.gate import Gate
from canary.traffic import CannotAskError, Times
from reconcile.offsets import BLOCK, Block, Range, lacking, repeated, suspects
from tests.canary.audit.world import START, FakeTable, Row, World
from tests.contract.audit_kit import OFFSETS, PASSWORD, TABLE, TIMES, insert, random_world, table_audit

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def front() -> Iterator[ClickHouseFront]:
    running = ClickHouseFront(gate=Gate(), user="canary", password=PASSWORD)
    running.start()
    merging = "ReplacingMergeTree(_timestamp)"
    running.execute(TABLE.format(name="audited", more=OFFSETS, engine=merging))
    running.execute(
        TABLE.format(
            name="plain", more=OFFSETS + ", _topic String, at Nullable(DateTime('UTC'))", engine="MergeTree"
        )
    )
    running.execute(TABLE.format(name="bare", more="", engine=merging))
    running.execute(
        "CREATE TABLE posthog.letters (event_uuid UUID, error String) ENGINE = MergeTree ORDER BY event_uuid"
    )
    for table in ("audited", "plain", "bare"):
        running.execute(f"SYSTEM STOP MERGES posthog.{table}")
    yield running
    running.stop()


@pytest.fixture
def edge(front: ClickHouseFront) -> Iterator[TableAudit]:
    for table in ("audited", "plain", "bare", "letters"):
        front.execute(f"TRUNCATE TABLE posthog.{table}")
    made = table_audit(front, "audited", dead_letters=("letters", "missing"))
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(8))
def test_the_engine_says_what_the_table_in_memory_says(
    front: ClickHouseFront, edge: TableAudit, seed: int
) -> None:
    """Every question, of the same rows."""
    world = random_world(seed)
    insert(front, "audited", world.rows)
    fake = FakeTable(world)
    window = [Range(p, 3, len(entries) + 20) for p, entries in world.logs.items()]
    pieces = suspects(window, fake.blocks(window, TIMES))
    gaps, _ = fake.gaps(window, pieces, TIMES, most=1_000)
    ids = {row.id for row in world.rows[::2]} | {str(uuid4())}
    ends = [Range(p, 0, len(entries)) for p, entries in world.logs.items()]
    told, expected = edge.strays(ends, TIMES), fake.strays(ends, TIMES)

    for times in (TIMES, None):
        blocks = sorted(repeated(fake.blocks(window, times)))
        assert sorted(edge.blocks(window, times), key=str) == sorted(fake.blocks(window, times), key=str)
        assert edge.gaps(window, pieces, times, most=1_000) == fake.gaps(window, pieces, times, most=1_000)
        assert edge.furthest(window, times) == fake.furthest(window, times)
        assert edge.twice(window, blocks, times) == fake.twice(window, blocks, times)
    assert edge.present(gaps) == fake.present(gaps)
    assert edge.having(ids) == fake.having(ids)
    assert edge.having(ids, TIMES) == fake.having(ids, TIMES)
    assert (told.no_offset, told.no_partition, told.beyond) == (
        expected.no_offset,
        expected.no_partition,
        expected.beyond,
    )
    assert edge.count(TIMES) == fake.count(TIMES)
    assert edge.method().name == "offset"


def test_gaps_over_the_limit_are_not_searched(front: ClickHouseFront, edge: TableAudit) -> None:
    """What is told and what was not searched make up all that may be missing."""
    insert(front, "audited", [Row(0, offset, str(uuid4()), START) for offset in range(0, 40, 2)])
    window = [Range(0, 0, 40)]
    found, left = edge.gaps(window, window, TIMES, most=5)

    assert found == [Range(0, n, n + 1) for n in (1, 3, 5, 7, 9)]
    assert left == [Range(0, 11, 40)]


def test_blocks_are_cut_at_the_same_offsets_everywhere(front: ClickHouseFront, edge: TableAudit) -> None:
    """A window over the border of two blocks finds a gap over that border."""
    front.execute(
        f"""INSERT INTO posthog.audited (uuid, _timestamp, timestamp, _partition, _offset)
            SELECT generateUUIDv4(), toDateTime('{START:%Y-%m-%d %H:%M:%S}', 'UTC'), now(), 0, number
            FROM numbers({BLOCK - 50}, 100) WHERE number NOT BETWEEN {BLOCK - 2} AND {BLOCK + 1}"""
    )
    window = [Range(0, BLOCK - 50, BLOCK + 50)]
    blocks = edge.blocks(window, TIMES)
    found, left = edge.gaps(window, suspects(window, blocks), TIMES, most=10)

    assert (found, left) == ([Range(0, BLOCK - 2, BLOCK + 2)], [])
    assert lacking(window, blocks) == (found, [])


@pytest.mark.parametrize(("many", "size"), [(audit_sql.TOLD, 1), (1, audit_sql.LACKING)])
def test_a_block_that_lacks_much_leaves_its_gaps_to_a_search(
    front: ClickHouseFront, edge: TableAudit, many: int, size: int
) -> None:
    """As many gaps, and of such a size, as it tells by itself; and then more."""
    for gaps, wide, told in ((many, size, True), (many + (size == 1), size + (many == 1), False)):
        front.execute("TRUNCATE TABLE posthog.audited")
        rows = [Row(0, number * (wide + 1), str(uuid4()), START) for number in range(gaps)]
        insert(front, "audited", rows)
        [block] = edge.blocks([Range(0, 0, gaps * (wide + 1))], TIMES)
        lacks = tuple(
            Range(0, row.offset + 1, row.offset + 1 + wide) for row in rows if row.offset is not None
        )

        assert block.gaps == (lacks if told else None)


def test_a_whole_block_is_counted_as_one_and_its_ids_are_found_together(
    front: ClickHouseFront, edge: TableAudit
) -> None:
    """A block beside others, one row of it twice; and more ids at once than a parameter may hold."""

    def name(number: int) -> str:
        return f"00000000-0000-7000-8000-{number:012d}"

    uuid = "toUUID(concat('00000000-0000-7000-8000-', leftPad(toString(number), 12, '0')))"
    for many in (f"{BLOCK}, {BLOCK + 7}", f"{BLOCK + 5}, 1"):
        front.execute(
            f"""INSERT INTO posthog.audited (uuid, _timestamp, timestamp, _partition, _offset)
                SELECT {uuid}, toDateTime('{START:%Y-%m-%d %H:%M:%S}', 'UTC'), now(), 3, number
                FROM numbers({many})"""
        )
    ids = {name(number) for number in range(2 * BLOCK - 2, 2 * BLOCK + 2 * IDS_AT_ONCE)}
    found = edge.blocks([Range(3, BLOCK, 2 * BLOCK + 7)], TIMES)

    assert sorted(found, key=lambda block: block.number) == [
        Block(3, 1, BLOCK + 1, BLOCK, ()),
        Block(3, 2, 7, 7, ()),
    ]
    assert {id_: place for id_, [place] in edge.having(ids).items()} == {
        name(number): (3, number) for number in range(2 * BLOCK - 2, 2 * BLOCK + 7)
    }


@pytest.mark.parametrize("fraction", [0, 1, 500_000, 999_999])
def test_bounds_within_a_second_divide_whole_seconds(
    front: ClickHouseFront, edge: TableAudit, fraction: int
) -> None:
    """As the same bounds divide the same times anywhere else."""
    rows = [Row(0, second, str(uuid4()), START + timedelta(seconds=second)) for second in range(6)]
    insert(front, "audited", rows)
    within = timedelta(microseconds=fraction)
    bounds = Times(START + timedelta(seconds=1) + within, START + timedelta(seconds=4) + within)

    assert edge.count(bounds) == FakeTable(World(rows=list(rows))).count(bounds)


def test_a_sibling_maps_offsets_to_ids(front: ClickHouseFront) -> None:
    """The table has ids only: absent is what the sibling does not know, or the table does not have."""
    world = World()
    world.append(0, 30)
    world.consume(0)
    insert(front, "audited", [row for row in world.rows if row.offset != 4])
    insert(front, "bare", [row for row in world.rows if row.offset not in (9, 10)])
    edge = table_audit(front, "bare", siblings=("audited",))

    assert edge.method().name == "sibling"
    assert edge.absent([Range(0, 0, 30)], TIMES) == [Range(0, 4, 5), Range(0, 9, 11)]
    assert edge.having({world.rows[0].id}) == {world.rows[0].id: {(-1, -1)}}
    edge.close()


def test_without_partitions_and_siblings_there_are_only_counts(
    front: ClickHouseFront, edge: TableAudit
) -> None:
    """And without the record's time there is nothing."""
    bare = table_audit(front, "bare")

    assert bare.method().name == "count"
    assert edge.method().name == "offset"
    bare.close()


def eight_and_two(front: ClickHouseFront, other: str) -> None:
    """Ten offsets, of which the last two are another topic's."""
    front.execute("TRUNCATE TABLE posthog.plain")
    for topic, offsets in (("topic", range(8)), (other, range(8, 10))):
        rows = [Row(0, offset, str(uuid4()), START) for offset in offsets]
        insert(front, "plain", rows, _topic=topic)


def test_rows_of_another_topic_are_told_apart(front: ClickHouseFront) -> None:
    """Where a column names the topic, another topic's rows stand for nothing, and are a finding."""
    eight_and_two(front, "other")
    edge = table_audit(front, "plain")
    window = [Range(0, 0, 10)]

    assert edge.gaps(window, window, TIMES, most=10) == ([Range(0, 8, 10)], [])
    assert edge.strays(window, TIMES).other_topic == 2
    edge.close()


def test_rows_of_an_alternate_topic_stand_for_none_of_its_offsets(front: ClickHouseFront) -> None:
    """They may be there, and are no strays; the same offset of the audited topic is missing all the same."""
    eight_and_two(front, "overflow")
    insert(front, "plain", [Row(5, 999, str(uuid4()), START)], _topic="overflow")
    edge = table_audit(front, "plain", topics=("topic", "overflow"))
    window = [Range(0, 0, 10)]
    strays = edge.strays(window, TIMES)

    assert edge.gaps(window, window, TIMES, most=10) == ([Range(0, 8, 10)], [])
    assert (strays.other_topic, strays.no_partition, strays.beyond, strays.highest) == (0, 0, {}, {0: 7})
    edge.close()


def test_an_id_is_found_whatever_the_time_of_its_row_or_without_one(front: ClickHouseFront) -> None:
    """Every row is either of a window's times or elsewhere."""
    front.execute("TRUNCATE TABLE posthog.plain")
    ids = [str(uuid4()) for _ in range(5)]
    ends = (TIMES.since, TIMES.until)
    moments = ["NULL", *(f"toDateTime({at.timestamp():.0f}) - {by}" for at in ends for by in (0, 1))]
    for offset, (one, at) in enumerate(zip(ids, moments, strict=True)):
        front.execute(
            f"INSERT INTO posthog.plain (uuid, _partition, _offset, at) SELECT '{one}', 0, {offset}, {at}"
        )
    for time in ("at", "toDateTime64(at, 3)"):  # of an expression nobody tells us the type
        edge = table_audit(front, "plain", kafka_time=time)
        found = edge.having(set(ids), TIMES)
        edge.close()
        assert found == {one: {(0, offset)} for offset, one in enumerate(ids)}


def test_an_id_is_found_however_text_spells_it(front: ClickHouseFront) -> None:
    """A column of text has ids as their senders wrote them; an audit knows them in one spelling."""
    for table in ("spelt", "spelt_letters"):
        made = TABLE.replace("uuid UUID", "uuid String").format(name=table, more=OFFSETS, engine="MergeTree")
        front.execute(made)
    ids = [str(uuid4()) for _ in range(5)]
    spelt = [ids[0], ids[1].upper(), ids[2].replace("-", ""), ids[3].replace("-", "").upper()]
    for offset, text in enumerate(spelt):
        for table in ("spelt", "spelt_letters"):
            front.execute(
                f"INSERT INTO posthog.{table} (uuid, _partition, _offset) VALUES ('{text}', 0, {offset})"
            )
    edge = table_audit(front, "spelt", dead_letters=("spelt_letters",))

    assert edge.having(set(ids), TIMES) == {one: {(0, offset)} for offset, one in enumerate(ids[:4])}
    assert edge.letters(set(ids)) == (dict.fromkeys(ids[:4], ""), "")
    edge.close()


def test_dead_letters_are_told_with_their_reasons(front: ClickHouseFront, edge: TableAudit) -> None:
    """And a table of them that cannot be asked is named."""
    one = str(uuid4())
    front.execute(f"INSERT INTO posthog.letters VALUES ('{one}', 'no such team')")
    found, trouble = edge.letters({one, str(uuid4())})

    assert found == {one: "no such team"}
    assert "missing" in trouble


def test_what_no_row_can_be_made_of(edge: TableAudit) -> None:
    """By the types of the columns; the value itself is not told."""
    refuses = edge.holds().refuses

    assert refuses({"uuid": str(uuid4()), "timestamp": "2026-01-01 00:00:00", "team_id": "7"}) == ""
    assert refuses({"uuid": "secret"}) == "field uuid: this text is no UUID"
    assert refuses({"timestamp": "soon"}) == "field timestamp: this text is no DateTime64(6, 'UTC')"
    assert refuses({"team_id": {"a": 1}}) == "field team_id: an object or a list is no Int64"


def test_a_question_over_its_budget_is_said_to_be(front: ClickHouseFront) -> None:
    """So that a window can be halved."""
    front.execute(
        "INSERT INTO posthog.audited (uuid, _offset) SELECT generateUUIDv4(), number FROM numbers(500000)"
    )
    edge = table_audit(front, "audited", max_bytes_to_read=1_000)
    with pytest.raises(CannotAskError) as refused:
        edge.blocks([Range(0, 0, 500_000)], None)

    assert refused.value.over_budget
    edge.close()
