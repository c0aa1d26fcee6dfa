"""The ClickHouse front, as a plain HTTP caller sees it: formats, headers, and who may do what."""

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import urllib3
from clickhouse_connect.driver.exceptions import DatabaseError

from canary.sandbox.clickhouse import ClickHouseFront

pytestmark = pytest.mark.sandbox
USER, PASSWORD, ADMIN_PASSWORD = "canary", "pass:word", "root"
MakeEvent = Callable[..., dict[str, Any]]
Connect = Callable[..., Any]


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    pool = urllib3.PoolManager(retries=False, timeout=10)
    yield pool
    pool.clear()


def headers(user: str = USER, password: str = PASSWORD) -> dict[str, str]:
    return {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}


@pytest.mark.parametrize(
    ("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD), (USER, ""), ("default", PASSWORD)]
)
def test_wrong_credentials_are_refused(user: str, password: str, connect: Connect) -> None:
    """A wrong name and a wrong password look the same: 516."""
    with pytest.raises(DatabaseError) as raised:
        connect(username=user, password=password)
    assert raised.value.code == 516


def test_credentials_can_come_three_ways(front: ClickHouseFront, http: urllib3.PoolManager) -> None:
    """ClickHouse's headers, basic authentication and the URL all work; without any it is 516."""
    basic = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
    fields = {"query": "SELECT 1", "user": USER, "password": PASSWORD}
    answers = [
        http.request("POST", front.url, body=b"SELECT 1", headers=headers()),
        http.request("POST", front.url, body=b"SELECT 1", headers=basic),
        http.request("GET", front.url, fields=fields),
        http.request("POST", front.url, body=b"SELECT 1"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 403]
    assert answers[-1].headers["X-ClickHouse-Exception-Code"] == "516"
    assert answers[-1].data.startswith(b"Code: 516. DB::Exception: ")


def test_plain_http_answers_in_the_format_asked_for(
    front: ClickHouseFront, http: urllib3.PoolManager
) -> None:
    """FORMAT, default_format and the default are honoured; the query may stand in the URL or in the body."""
    get = http.request("GET", front.url, fields={"query": "SELECT 1 AS a, 'x' AS b"}, headers=headers())
    rows = http.request(
        "POST", f"{front.url}/?default_format=JSONEachRow", body=b"SELECT 1 AS a", headers=headers()
    )
    whole = http.request("POST", front.url, body=b"SELECT 1 AS a FORMAT JSON", headers=headers())
    assert get.data == b"1\tx\n"
    assert rows.json() == {"a": 1}
    assert whole.json()["data"] == [{"a": 1}]
    assert whole.headers["Content-Type"].startswith("application/json")


def test_summary_and_names_are_in_the_headers(
    front: ClickHouseFront, http: urllib3.PoolManager, make_event: MakeEvent
) -> None:
    """Rows read by a query are told, and its id is the caller's."""
    front.insert("events", [make_event(number) for number in range(10)])
    answer = http.request(
        "POST",
        f"{front.url}/?query_id=mine&database=posthog",
        body=b"SELECT sum(_offset) FROM events",
        headers=headers(),
    )
    summary = json.loads(answer.headers["X-ClickHouse-Summary"])
    assert (answer.data, summary["read_rows"], summary["result_rows"]) == (b"45\n", "10", "1")
    assert int(summary["elapsed_ns"]) > 0
    assert int(summary["read_bytes"]) >= 80
    assert answer.headers["X-ClickHouse-Query-Id"] == "mine"
    assert answer.headers["X-ClickHouse-Server-Display-Name"]
    assert answer.headers["X-ClickHouse-Timezone"]


def test_inserts_over_plain_http(front: ClickHouseFront, http: urllib3.PoolManager) -> None:
    """Rows may follow the statement in the body, or come alone, compressed, with the statement in the URL."""
    admin = headers("default", ADMIN_PASSWORD)
    statement = "INSERT INTO posthog.events (uuid, event) FORMAT JSONEachRow"
    row = b'{"uuid":"00000000-0000-0000-0000-000000000001","event":"a"}\n'
    http.request("POST", front.url, body=statement.encode() + b"\n" + row, headers=admin)
    url = f"{front.url}/?query={urllib3.util.parse_url('/?' + statement).query}"
    http.request("POST", url, body=gzip.compress(row), headers={**admin, "Content-Encoding": "gzip"})
    values = "INSERT INTO posthog.events (event) VALUES ('b;')"
    assert http.request("POST", front.url, body=values.encode(), headers=admin).status == 200
    counts = front.query("SELECT event, count() AS rows FROM posthog.events GROUP BY event ORDER BY event")
    assert counts == [{"event": "a", "rows": 2}, {"event": "b;", "rows": 1}]


def test_nobody_lifts_their_own_readonly(front: ClickHouseFront, http: urllib3.PoolManager) -> None:
    """The monitor's user may tighten readonly but not loosen it."""
    answers = [
        http.request("POST", f"{front.url}/?readonly={value}", body=b"SELECT 1", headers=headers())
        for value in (0, 1, 2)
    ]
    assert [answer.headers.get("X-ClickHouse-Exception-Code") for answer in answers] == ["164", None, None]


def test_a_get_never_writes(front: ClickHouseFront, http: urllib3.PoolManager) -> None:
    """As with ClickHouse, GET is read-only even for the administrator."""
    answer = http.request(
        "GET",
        front.url,
        fields={"query": "TRUNCATE TABLE posthog.events"},
        headers=headers("default", ADMIN_PASSWORD),
    )
    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO events (event) VALUES ('x')",
        "INSERT INTO events (event) SELECT 'x'",
        "CREATE TABLE mine (a UInt8) ENGINE = Memory",
        "TRUNCATE TABLE events",
        "ALTER TABLE events DELETE WHERE 1",
        "SYSTEM START MERGES",
        "KILL QUERY WHERE 1",
        "SELECT 1 INTO OUTFILE '/nowhere'",
        "SELECT * FROM file('/etc/hostname', 'LineAsString')",
        "SELECT * FROM default.mine",
        "/* SELECT */ DROP TABLE events",
    ],
)
def test_the_monitors_user_can_only_read(
    front: ClickHouseFront, client: Any, statement: str, make_event: MakeEvent
) -> None:
    """Writes, files and other databases are refused with ACCESS_DENIED, and nothing changes."""
    front.execute("CREATE TABLE IF NOT EXISTS default.mine (a UInt8) ENGINE = Memory")
    front.insert("events", [make_event()])
    with pytest.raises(DatabaseError) as raised:
        client.command(statement)
    assert raised.value.code == 497
    assert front.query("SELECT count() AS rows FROM posthog.events") == [{"rows": 1}]


def test_rights_can_be_taken_away_and_given_back(
    front: ClickHouseFront, client: Any, make_event: MakeEvent
) -> None:
    """The monitor's user is refused everything while the pipeline goes on writing."""
    front.deny(True)
    with pytest.raises(DatabaseError) as raised:
        client.query("SELECT 1")
    assert raised.value.code == 497
    front.insert("events", [make_event()])
    front.deny(False)
    assert client.query("SELECT count() FROM events").result_rows == [(1,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SHOW TABLES FROM posthog",
        "DESCRIBE TABLE events",
        "EXPLAIN SELECT 1",
        "SELECT count() FROM system.tables",
        "SELECT count() FROM system.distribution_queue",
        "WITH x AS (SELECT 'INSERT; DROP') SELECT * FROM x -- ; no",
        "SELECT count() FROM numbers(3);",
        "SELECT create_table_query FROM system.tables WHERE name = 'events'",
    ],
)
def test_the_monitors_user_can_look_around(client: Any, statement: str) -> None:
    """Metadata and system tables are open to it."""
    assert client.query(statement).result_rows


def test_ping_answers_without_a_password(front: ClickHouseFront, http: urllib3.PoolManager) -> None:
    """Health checks need no rights."""
    assert http.request("GET", f"{front.url}/ping").data == b"Ok.\n"
