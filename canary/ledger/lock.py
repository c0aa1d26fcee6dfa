"""One process a ledger: a lock that ends with the process that holds it, and the words for who that is."""

import errno
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, text

from canary.ledger.errors import LedgerInUse, LedgerUnusable

ADVISORY = 0x0CA9A97


class FileLock:
    """An exclusive `flock` on a file of its own beside the ledger, which names its holder."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerUnusable(f"{path}: cannot be made ({error.strerror})") from error
        try:
            self._hold(path)
        except BaseException:
            os.close(self._file)
            raise

    def _hold(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LedgerInUse(f"{path}: {_holder(os.pread(self._file, 4096, 0))}") from error
        except OSError as error:
            raise LedgerUnusable(f"{path}: cannot be locked ({error.strerror})") from error
        note = {"pid": os.getpid(), "host": socket.gethostname(), "since": _now()}
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps(note).encode(), 0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):  # a full disk spoils the name, not the lock
                raise LedgerUnusable(f"{path}: cannot be written ({error.strerror})") from error

    def release(self) -> None:
        """Let others have it. The file stays: removing it could take a lock from under somebody."""
        os.close(self._file)


def _holder(note: bytes) -> str:
    try:
        told = json.loads(note)
        return f"in use by process {told['pid']} on {told['host']} since {told['since']}"
    except (ValueError, KeyError, TypeError):
        return "in use by another process (it left no name)"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hold_advisory(connection: Connection) -> None:
    """PostgreSQL's counterpart, held by the writing connection for as long as it lives."""
    name = f"ingestion-canary {os.getpid()}@{socket.gethostname()}"
    connection.execute(text("SELECT set_config('application_name', :name, false)"), {"name": name[:63]})
    held = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY}).scalar_one()
    if not held:
        who = connection.execute(
            text(
                "SELECT application_name, backend_start FROM pg_stat_activity WHERE pid IN (SELECT pid "
                "FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = :key)"
            ),
            {"key": ADVISORY},
        ).first()
        told = f"{who[0]} since {who[1]:%Y-%m-%dT%H:%M:%S%z}" if who else "another process"
        connection.rollback()
        raise LedgerInUse(f"in use by {told}")
    connection.commit()
