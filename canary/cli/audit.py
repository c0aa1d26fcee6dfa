"""`canary audit`: every offset of a topic against the table that is fed from it, over a stretch of time."""

import json
import signal
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from canary.cli import codes
from canary.cli.common import ConfigOption, fail, load_config
from canary.cli.times import in_order, in_past, moments

BACK = timedelta(hours=1)


class Output(StrEnum):
    """How the result is printed."""

    TEXT = "text"
    JSON = "json"


def audit(
    config: ConfigOption = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="2026-01-31T14:00, or how long ago: 2h. Default: 1h."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="The same, exclusive. Default: audit.delay ago."),
    ] = None,
    stage: Annotated[str | None, typer.Option(help="Which table. Default: all that a topic feeds.")] = None,
    output: Annotated[Output, typer.Option(help="What goes to stdout.")] = Output.TEXT,
    kept: Annotated[
        bool, typer.Option("--kept", help="What `canary run` has audited, beside its canaries; asks nobody.")
    ] = False,
    show_payloads: Annotated[
        bool, typer.Option("--show-payloads", help="Print the first lost events as they are in Kafka.")
    ] = False,
    left: Annotated[
        str | None,
        typer.Option(
            help="Compare two tables instead: [database.]table, or https://[user@]host/database/table."
        ),
    ] = None,
    right: Annotated[str | None, typer.Option(help="The other table.")] = None,
    left_password_file: Annotated[Path | None, typer.Option(help="For a server of its own.")] = None,
    right_password_file: Annotated[Path | None, typer.Option(help="The same.")] = None,
    columns: Annotated[str | None, typer.Option(help="Compare these only, with commas between.")] = None,
    ignore: Annotated[str | None, typer.Option(help="Compare all common columns but these.")] = None,
) -> int:
    """Prove that what Kafka holds is in ClickHouse. Exit codes: 0 ok, 1 degraded, 2 fault, 3 unknown."""
    from canary.auditing import auditors
    from canary.cli import show_audit
    from canary.traffic import CannotAskError

    now = datetime.now(UTC)
    begin, end = moments(now, {"--from": since, "--to": until})
    for_tables = {
        "--columns": columns,
        "--ignore": ignore,
        "--left-password-file": left_password_file,
        "--right-password-file": right_password_file,
    }
    for_traffic = {"--stage": stage, "--kept": kept or None, "--show-payloads": show_payloads or None}
    if left is None and right is None:
        _without(for_tables, "goes with --left and --right only")
    else:
        _without(for_traffic, "does not go with --left and --right")
    loaded = load_config(config)
    if left is not None or right is not None:
        from canary.cli import tables

        return tables.compare(
            loaded,
            tables.Side(_given("--left", left), left_password_file),
            tables.Side(_given("--right", right), right_password_file),
            since=begin,
            until=end,
            columns=columns,
            ignore=ignore,
            as_json=output is Output.JSON,
        )
    end = end or now - loaded.audit.delay
    begin = begin or end - BACK
    in_order(begin, end)
    in_past("--from", begin, now)
    if kept:
        from canary.cli import show_windows

        return show_windows.kept(loaded, begin, end, stage=stage, as_json=output is Output.JSON)
    stopped = threading.Event()
    chosen = auditors(loaded, stage=stage, wait=lambda span: stopped.wait(span.total_seconds()))
    if not chosen:
        known = ", ".join(one.name for one in loaded.stages if one.kind == "clickhouse") or "none"
        fail(codes.USAGE, f'--stage: must be a table behind a topic, of {known} (got "{stage or ""}")')
    results: list[Any] = []
    blind: dict[str, str] = {}
    with _Interrupts(stopped, chosen):
        for auditor in chosen:
            try:
                if not stopped.is_set():
                    results.append(auditor.audit(begin, end, payloads=show_payloads))
            except CannotAskError as error:
                blind[auditor.stage] = error.reason
            finally:
                auditor.close()
    result = show_audit.Result(results, blind, begin, end, loaded.canary.grace, stopped.is_set())
    if output is Output.JSON:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False, indent=2))
    else:
        show_audit.text(result)
    return result.exit_code


def _given(option: str, value: str | None) -> str:
    if value is None:
        fail(codes.USAGE, f"{option}: is missing, give both --left and --right")
    return value


def _without(options: Mapping[str, object], why: str) -> None:
    """End the command where an option was given that would do nothing."""
    if wrong := [name for name, value in options.items() if value is not None]:
        fail(codes.USAGE, *(f"{name}: {why}" for name in wrong))


class _Interrupts:
    """Ctrl-C and SIGTERM end the audit with what is known so far."""

    def __init__(self, stopped: threading.Event, auditors: list[Any]) -> None:
        self._stopped = stopped
        self._auditors = auditors
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self._stopped.set()
        for auditor in self._auditors:
            auditor.interrupt()
