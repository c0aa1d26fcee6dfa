"""Secrets and files that the configuration names: are they there, readable, and readable by us alone?"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from canary.config.fields import Table, http_url
from canary.config.ledger import LedgerConfig
from canary.config.problems import Draft, plain
from canary.config.schema import Path
from canary.config.secret import Secret, SecretError, readable_by_all
from canary.config.tls import TlsConfig

_SHORTEST = 16
_MADE = ("canary", "secret_file")
"""The one secret that the first start makes by itself."""


def check_files(draft: Draft, tables: Mapping[Path, Table]) -> None:
    """Look at every file and secret once."""
    for path, table in tables.items():
        for at, value in _values(path, table):
            if isinstance(value, Secret):
                _secret(draft, at, value)
            elif isinstance(value, FilePath):
                _file(draft, at, value)
        if isinstance(table, LedgerConfig):
            _ledger(draft, table)


def _values(path: Path, table: Any) -> Iterator[tuple[Path, Any]]:
    for key, value in table if isinstance(table, Table) else table.items():
        if isinstance(value, Table) or key == "headers":
            yield from _values((*path, key), value)
        else:
            yield (*path, key), value


def _secret(draft: Draft, path: Path, secret: Secret) -> None:
    file = secret.path
    if path == _MADE and file is not None and not file.exists():
        if _used(draft):
            draft.note(path, "is not there yet; the first start makes it", got=f"got {plain(str(file))}")
        return
    try:
        text = secret()
    except SecretError as error:
        got = f"got {plain(str(file))}"
        draft.fault(path, str(error).removeprefix(f"{file}: "), got=got)
        return
    if file is not None and readable_by_all(file):
        got = f"got {plain(str(file))}"
        draft.warn(path, "every user of this machine can read it; chmod 600 would be safer", got=got)
    if what := _unfit(path, text):
        draft.fault(path, what, got=f"got {plain(str(file))}" if file else "got ***")


def _used(draft: Draft) -> bool:
    return "secret" not in draft.raw["canary"]


def _unfit(path: Path, text: str) -> str:
    """What is wrong with a secret's content, said without it."""
    key = str(path[-1]).removesuffix("_file")
    if path[0] == "canary":
        short = len(text.encode()) < _SHORTEST
        return f"must be at least {_SHORTEST} bytes, or ids could be forged" if short else ""
    if key == "headers":
        bad = next((line for line in text.splitlines() if not re.match(r"[A-Za-z0-9-]+:", line)), None)
        return "" if bad is None else 'each line must be "Name: value"'
    if any(ord(letter) < 32 for letter in text):
        return "must be one line without control characters"
    is_url = key == "webhook_url" or (key == "url" and path[0] in ("webhook", "heartbeat"))
    if is_url and not _is_address(text):
        return 'must be an address that begins with "https://" or "http://"'
    if path[0] == "probes" and key == "token" and text.startswith("phx_"):
        return "is a personal key (phx_), which no ingress takes; use the project's own"
    return ""


def _is_address(text: str) -> bool:
    try:
        http_url(text)
    except ValueError:
        return False
    return True


def _file(draft: Draft, path: Path, file: FilePath) -> None:
    got = f"got {plain(str(file))}"
    if not file.is_file():
        draft.fault(path, "is not a file" if file.exists() else "no such file", got=got)
    elif not os.access(file, os.R_OK):
        draft.fault(path, "we may not read it", got=got)
    elif path[-1] == "key_file" and readable_by_all(file):
        draft.warn(path, "every user of this machine can read it; chmod 600 would be safer", got=got)
    elif path[-1] == "payload_file" and not _is_object(file):
        draft.fault(path, "must hold one JSON object", got=got)


def _is_object(file: FilePath) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (ValueError, OSError, RecursionError):
        return False


def _ledger(draft: Draft, ledger: LedgerConfig) -> None:
    folder = FilePath(ledger.url.removeprefix("sqlite:///")).parent
    if not folder.is_dir():
        draft.fault(("ledger", "url"), "its folder is not there", got=f"got {plain(ledger.url)}")


def check_tls(draft: Draft, path: Path, tls: TlsConfig) -> None:
    """A key without its certificate, and trust in everybody."""
    if tls.key_file is not None and tls.cert_file is None:
        draft.fault((*path, "tls", "cert_file"), "is missing: key_file needs its certificate")
    if not tls.verify:
        draft.warn((*path, "tls", "verify"), "is off: anybody on the way can pose as this server")
