"""The ClickHouse engine in this process (chDB): runs statements with their settings, and knows no HTTP."""

import atexit
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from chdb.state.sqlitelike import Connection

_ERROR = re.compile(r"Code: (\d+)\.\s+DB::Exception: ", re.DOTALL)
_CODE_NAME = re.compile(r"\(([A-Z_]+)\)\s*$")
_VERSION_TRAILER = re.compile(r"\s*\([A-Z_]+\)(\s*\(version [^)]*\))?")
_UNKNOWN_EXCEPTION = 1002
_LEAVES_NOTHING = re.compile(r"\s*(SELECT|WITH|INSERT|EXPLAIN|SHOW|DESC|EXISTS)\b", re.IGNORECASE)
_IDLE_CONNECTIONS = 16

_Key = tuple[bool, str, tuple[tuple[str, str], ...]]

# chDB fixes its servers at start, so the clusters that Distributed tables need come from a file.
_CONFIG = """<clickhouse><tcp_port>9000</tcp_port>{users}<remote_servers>
<posthog><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></posthog>
<posthog_half><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
<shard><replica><host>127.0.0.1</host><port>1</port></replica></shard></posthog_half>
</remote_servers></clickhouse>
"""


_USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default>
<password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<databases><posthog>{tables}</posthog></databases></default></users></clickhouse>
"""


def _users(policies: Mapping[str, str]) -> str:
    """Row policies by table."""
    tables = [f"<{table}><filter>{escape(told)}</filter></{table}>" for table, told in policies.items()]
    return _USERS.format(tables="".join(tables))


class EngineError(Exception):
    """ClickHouse refused: its numeric code, the code's name, and its words."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(f"Code: {code}. DB::Exception: {text} ({name})")
        self.code, self.name, self.text = code, name, text


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement and everything that applies to it alone."""

    sql: str
    data: bytes | None = None
    format: str = "TabSeparated"
    database: str = "default"
    settings: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came back, and what it cost."""

    body: bytes
    elapsed: timedelta
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    rows: int = 0


class Engine:
    """Lends each statement a connection that has exactly its settings: none can leak, no thread need queue.

    A fresh connection makes its first query three times slower, hence the pool. chDB has one set of data in a
    process: two engines at once must share a path, and see the same tables.
    """

    def __init__(self, path: Path | None = None, *, policies: Mapping[str, str] | None = None) -> None:
        self._config = tempfile.TemporaryDirectory(prefix="canary-clickhouse-")
        config, users = Path(self._config.name, "config.xml"), Path(self._config.name, "users.xml")
        users.write_text(_users(policies or {}))
        told = f"<users_config>{users}</users_config>" if policies else ""
        config.write_text(_CONFIG.format(users=told))
        self._address = f"{path or ':memory:'}?config-file={config}"
        # Data in memory lives as long as any connection does: this one stays.
        self._anchor = Connection(self._address)
        # An interpreter that ends with the engine open takes a segmentation fault.
        atexit.register(self.close)
        self._idle: list[tuple[_Key, Connection]] = []
        self._lock = threading.Lock()
        version, timezone = self.run(Statement("SELECT version(), timezone()")).body.decode().split()
        self.version, self.timezone = version, timezone

    def close(self) -> None:
        """Ends the data too, when it is in memory."""
        with self._lock:
            for _, connection in self._idle:
                connection.close()
            self._idle.clear()
        self._anchor.close()
        atexit.unregister(self.close)
        self._config.cleanup()

    def run(self, statement: Statement) -> Result:
        """Raises EngineError with ClickHouse's own code."""
        started = time.perf_counter()
        key = (statement.readonly, statement.database, tuple(sorted(statement.settings.items())))
        connection = self._take(key)
        try:
            if connection is None:
                connection = Connection(self._address)
                _prepare(connection, statement)
            result = (
                _query(connection, statement)
                if statement.data is None
                else _insert(connection, statement, started)
            )
        except RuntimeError as refused:
            self._drop(connection)
            raise _error(str(refused)) from None
        except EngineError:
            self._drop(connection)
            raise
        self._give_back(key, connection, clean=_LEAVES_NOTHING.match(statement.sql) is not None)
        return result

    def _take(self, key: _Key) -> Connection | None:
        with self._lock:
            for index in range(len(self._idle) - 1, -1, -1):
                if self._idle[index][0] == key:
                    return self._idle.pop(index)[1]
        return None

    def _give_back(self, key: _Key, connection: Connection, *, clean: bool) -> None:
        with self._lock:
            if clean:
                self._idle.append((key, connection))
                if len(self._idle) <= _IDLE_CONNECTIONS:
                    return
                _, connection = self._idle.pop(0)
        connection.close()

    @staticmethod
    def _drop(connection: Connection | None) -> None:
        if connection is not None:
            connection.close()


def _prepare(connection: Connection, statement: Statement) -> None:
    settings = {"implicit_select": "0", **statement.settings}
    asked = settings.pop("readonly", None)
    connection.query("SET " + ", ".join(f"{_name(key)} = {quote(value)}" for key, value in settings.items()))
    if statement.database != "default":
        connection.query(f"USE `{statement.database.replace('`', '')}`")
    if asked is not None and asked not in ("1", "2") and statement.readonly:
        raise EngineError(164, "READONLY", "Cannot modify 'readonly' setting in readonly mode.")
    if asked is not None or statement.readonly:
        connection.query(f"SET readonly = {quote(asked or '2')}")


def _query(connection: Connection, statement: Statement) -> Result:
    result: Any = connection.query(statement.sql, statement.format, params=dict(statement.params))
    return Result(
        body=bytes(result.bytes()),
        elapsed=timedelta(seconds=result.elapsed()),
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        rows=result.rows_read(),
    )


def _insert(connection: Connection, statement: Statement, started: float) -> Result:
    with connection.send_insert(statement.sql, statement.format) as inserter:
        inserter.append(statement.data or b"")
        written = inserter.finish()
    return Result(
        body=b"",
        elapsed=timedelta(seconds=time.perf_counter() - started),
        written_rows=written.rows_written,
        written_bytes=written.bytes_written,
    )


def quote(value: str) -> str:
    """A string literal of ClickHouse's SQL."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _name(setting: str) -> str:
    if not re.fullmatch(r"\w+", setting):
        raise EngineError(115, "UNKNOWN_SETTING", f"Unknown setting {quote(setting)}.")
    return setting


def _error(message: str) -> EngineError:
    found = list(_ERROR.finditer(message))
    if not found:
        return EngineError(_UNKNOWN_EXCEPTION, "UNKNOWN_EXCEPTION", message)
    name = _CODE_NAME.search(message)
    text = _VERSION_TRAILER.sub("", message[found[-1].end() :])
    return EngineError(int(found[0][1]), name[1] if name else "UNKNOWN_EXCEPTION", text)
