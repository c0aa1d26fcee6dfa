"""The window report: what a running audit kept, with the canaries of the same time side by side."""

import json
from datetime import datetime
from typing import Any

import typer

from canary.audit.joined import gravest, joined, lines
from canary.cli import codes
from canary.cli.common import fail
from canary.config.models import Config
from canary.config.render import printable
from canary.ledger import Ledger, LedgerError, LedgerUnusable
from canary.traffic import TrafficWindow

CODES = {"ok": codes.OK, "degraded": codes.DEGRADED, "fault": codes.FAULT, "unknown": codes.UNKNOWN}


def kept(config: Config, since: datetime, until: datetime, *, stage: str | None, as_json: bool) -> int:
    """Print the kept windows that start in a stretch of time; the exit code of the gravest."""
    try:
        with Ledger.open(config.ledger.url, read_only=True) as ledger:
            audits = ledger.audits(since, until, stage=stage)
            canaries = ledger.windows(since, until)
            traffic = ledger.traffic(since, until)
    except (LedgerUnusable, LedgerError) as error:
        fail(codes.CANNOT_MAKE, str(error))
    names = [one.name for one in config.stages]
    rows = [joined(one, canaries, traffic, _up_to(names, one.stage)) for one in audits]
    if as_json:
        beside = [_beside(one) for one in traffic]
        typer.echo(json.dumps({"schema": 1, "windows": rows, "beside": beside}, ensure_ascii=False, indent=2))
    else:
        for text in (text for one in rows for text in lines(one)):
            typer.echo(printable(text))
    if not audits and stage is not None and stage not in names:
        fail(codes.USAGE, f'--stage: is no stage, and no window of it is kept of this time (got "{stage}")')
    if not audits:
        typer.echo("no audited window is kept of this time", err=True)
        return codes.UNKNOWN
    return CODES[gravest([*(one.verdict for one in audits), *(one.verdict for one in traffic)])]


def _up_to(names: list[str], stage: str) -> list[str]:
    """The stages up to one; a stage that the configuration has no longer stands alone."""
    return names[: names.index(stage) + 1] if stage in names else [stage]


def _beside(window: TrafficWindow) -> dict[str, Any]:
    return {
        "kind": window.kind,
        "place": window.place,
        "since": window.start.isoformat(),
        "until": window.end.isoformat(),
        "told_at": window.told_at.isoformat(),
        "verdict": window.verdict,
        **window.report,
    }
