"""Two tables of a real engine against each other, also with other types, another order and another server."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from canary.cli import codes
from canary.cli.common import Exit
from canary.cli.tables import Side, compare
from canary.config import load
from canary.config.models import Config
from canary.sandbox.clickhouse import ClickHouseFront
from tests.canary.config.samples import GOOD
from tests.canary.edges.clickhouse.bench import PASSWORD, row, wanted

pytestmark = pytest.mark.sandbox
NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@dataclass
class Two:
    """Both tables, and the configuration that knows the server."""

    front: ClickHouseFront
    config: Config
    password: Path

    def put(self, table: str, rows: list[dict[str, object]]) -> None:
        self.front.insert(table, rows)

    def run(
        self, capsys: pytest.CaptureFixture[str], right: str = "copied", **more: str
    ) -> dict[str, object]:
        sides = Side("events"), Side(right)
        code = compare(self.config, *sides, as_json=True, **more)  # type: ignore[arg-type]
        report = dict(json.loads(capsys.readouterr().out))
        assert report["exit_code"] == code
        return report


@pytest.fixture
def two(front: ClickHouseFront, tmp_path: Path) -> Iterator[Two]:
    """`copied` holds the same with other types, keys and engine."""
    front.execute("DROP TABLE IF EXISTS posthog.copied")
    front.execute(
        "CREATE TABLE posthog.copied (distinct_id LowCardinality(String), event Nullable(String),"
        " uuid String,"
        " timestamp DateTime64(3, 'Europe/Berlin'), properties String, team_id Int32, extra String)"
        " ENGINE = MergeTree PARTITION BY toDate(timestamp) ORDER BY uuid"
    )
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    file = tmp_path / "canary.toml"
    text = GOOD.replace("https://clickhouse.test:8123", front.url)
    text += f'user = "canary"\npassword_file = "{password}"\n'
    text += 'database = "posthog"\nmax_queries_per_second = 20.0\n'
    file.write_text(text)
    yield Two(front, load(file, env={}).config, password)
    front.execute("DROP TABLE IF EXISTS posthog.copied")


def rows(count: int) -> list[dict[str, object]]:
    found = []
    for number in range(count):
        at = NOW + timedelta(hours=number, milliseconds=number)
        found.append(row(wanted(number), timestamp=at, _timestamp=at))
    return found


def copied(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {name: value for name, value in one.items() if not name.startswith("_")}
        | {"uuid": str(one["uuid"]).upper()}
        for one in rows
    ]


def counts(report: dict[str, object]) -> dict[str, int]:
    found = report["differences"]
    assert isinstance(found, dict)
    return {name: told["count"] for name, told in found.items() if told["count"]}


def test_a_faithful_copy_is_the_same(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    """Other types, precision, zone, case of ids and order of rows are no difference."""
    made = rows(60)
    two.put("events", made)
    two.put("copied", copied(made)[::-1])

    report = two.run(capsys)

    assert (counts(report), report["exit_code"]) == ({}, 0)
    assert report["rows"] == {"left": 60, "right": 60}
    columns = ["event", "properties", "timestamp", "team_id", "distinct_id"]
    assert report["columns"] == columns


def test_each_planted_difference_is_found(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    """One missing on either side, one altered, one twice, one on another day: named, and nothing else."""
    made = rows(60)
    there = copied(made)
    extra = copied(rows(1))[0] | {"uuid": str(uuid.uuid4())}
    altered = there[5] | {"properties": '{"a": 2}'}
    moved = there[7] | {"timestamp": NOW + timedelta(days=40)}
    two.put("events", made)
    two.put("copied", [one for number, one in enumerate(there) if number not in (3, 5, 7)])
    two.put("copied", [extra, altered, moved, there[9]])

    report = two.run(capsys)

    assert report["exit_code"] == codes.FAULT
    assert counts(report) == {"missing_left": 1, "missing_right": 1, "content": 1, "copies": 1, "moved": 1}
    found = report["differences"]
    assert isinstance(found, dict)
    assert found["missing_right"]["ids"] == [made[3]["uuid"]]
    assert found["missing_left"]["ids"] == [extra["uuid"]]
    assert found["content"]["ids"] == [made[5]["uuid"]]
    assert found["moved"]["ids"] == [made[7]["uuid"]]
    assert report["fields"] == {"properties": 1}
    assert two.run(capsys, ignore="properties")["fields"] == {}


def test_a_table_on_another_server_is_given_by_its_address(
    two: Two, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a password file of its own; the password of our own server does not go there."""
    two.put("events", rows(3))
    url = two.front.url.replace("http://", "http://canary@").replace("127.0.0.1", "localhost")
    other = f"{url.rstrip('/')}/posthog/events"

    code = compare(two.config, Side("posthog.events"), Side(other, two.password), as_json=True)
    assert code == 0
    with pytest.raises(Exit) as end:
        compare(two.config, Side("events"), Side(other))
    assert (end.value.code, "authentication failed" in end.value.messages[0]) == (codes.UNKNOWN, True)
    capsys.readouterr()


@pytest.mark.parametrize(
    ("left", "code", "words"),
    [
        ("https://me:secret@host/db/t", codes.USAGE, "must not hold a password"),
        ("https://host/t", codes.USAGE, "must be like https://"),
        ("", codes.USAGE, "must be a table"),
        ("nowhere", codes.UNKNOWN, "no table posthog.nowhere"),
    ],
)
def test_a_side_that_cannot_be_is_refused(two: Two, left: str, code: int, words: str) -> None:
    """With what is wrong, and without the secret."""
    with pytest.raises(Exit) as end:
        compare(two.config, Side(left), Side("events"))

    assert end.value.code == code
    assert words in end.value.messages[0]
    assert "secret" not in end.value.messages[0]


def test_rows_of_any_year_are_compared(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    """Clocks of senders tell any time; a day of 1965 or of 2200 is that day, and no other one."""
    some = rows(4)
    for number, year in ((1, 1965), (2, 2200)):
        some[number] |= {"timestamp": NOW.replace(year=year)}
    two.put("events", some)
    two.put("copied", copied([some[0], some[3]]))
    report = two.run(capsys)

    assert report["exit_code"] == codes.FAULT
    assert counts(report) == {"missing_right": 2}
    two.put("copied", copied(some[1:3]))
    assert two.run(capsys)["exit_code"] == codes.OK


def test_rows_without_id_or_time_hide_nothing(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    """Those without a time are told as not compared; those without an id are compared as one."""
    two.front.execute(
        "CREATE TABLE posthog.loose (uuid Nullable(String), timestamp Nullable(DateTime64(3, 'UTC')),"
        " event String) ENGINE = MergeTree ORDER BY event"
    )
    two.front.execute("CREATE TABLE posthog.other AS posthog.loose")
    for table, most in (("loose", 3), ("other", 2)):
        two.front.execute(
            f"""INSERT INTO posthog.{table} SELECT NULL, toDateTime64('2026-03-04 05:06:07', 3, 'UTC'), 'x'
                FROM numbers({most})"""
        )
    try:
        code = compare(two.config, Side("loose"), Side("other"), as_json=True)
        report = json.loads(capsys.readouterr().out)
        two.front.execute("INSERT INTO posthog.loose (event) VALUES ('x')")
        again = compare(two.config, Side("loose"), Side("loose"))
        told = capsys.readouterr().out
    finally:
        two.front.execute("DROP TABLE posthog.loose")
        two.front.execute("DROP TABLE posthog.other")

    assert (code, counts(report)) == (codes.DEGRADED, {"copies": 1})
    assert again == codes.UNKNOWN
    assert "2 rows of both have no time" in told
