"""The window report: what a running audit kept, with the canaries of the same time side by side."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import typer

from canary.cli import codes
from canary.cli.common import fail
from canary.config.models import Config
from canary.ledger import Ledger, LedgerError, LedgerUnusable
from canary.traffic import AuditWindow
from canary.values import WindowReport

GRAVEST = ("fault", "unknown", "degraded", "ok")
CODES = {"ok": codes.OK, "degraded": codes.DEGRADED, "fault": codes.FAULT, "unknown": codes.UNKNOWN}


def kept(config: Config, since: datetime, until: datetime, *, stage: str | None, as_json: bool) -> int:
    """Print the kept windows that start in a stretch of time; the exit code of the gravest."""
    try:
        with Ledger.open(config.ledger.url, read_only=True) as ledger:
            audits = ledger.audits(since, until, stage=stage)
            canaries = ledger.windows(since, until)
    except (LedgerUnusable, LedgerError) as error:
        fail(codes.CANNOT_MAKE, str(error))
    rows = [row(window, canaries) for window in audits]
    if as_json:
        typer.echo(json.dumps({"schema": 1, "windows": rows}, ensure_ascii=False, indent=2))
    else:
        for one in rows:
            typer.echo(line(one))
    if not audits:
        typer.echo("no audited window is kept of this time", err=True)
        return codes.UNKNOWN
    return CODES[next(one for one in GRAVEST if any(window.verdict == one for window in audits))]


def row(window: AuditWindow, canaries: Sequence[WindowReport]) -> dict[str, Any]:
    """One window: real events by fate, and the canaries of the probes' windows that start within it."""
    outcomes: Counter[str] = Counter()
    sent = 0
    for report in canaries:
        if window.start <= report.start < window.end:
            sent += report.sent
            outcomes.update({outcome.value: number for outcome, number in report.outcomes.items() if number})
    return {
        "stage": window.stage,
        "since": window.start.isoformat(),
        "until": window.end.isoformat(),
        "audited_at": window.audited_at.isoformat(),
        "verdict": window.verdict,
        "open": window.open,
        "amendments": window.amendments,
        "appended": sum(end - first for first, end in window.offsets.values()),
        "real": {fate: number for fate, number in window.counts.items() if number},
        "replay": window.report.get("lost", {}).get("replay", []),
        "canaries": {"sent": sent, **outcomes},
    }


def line(one: dict[str, Any]) -> str:
    """The same in a line."""
    times = f"{one['since'][:19].replace('T', ' ')} to {one['until'][11:19]}Z"
    real = ", ".join(f"{number} {fate.replace('_', ' ')}" for fate, number in one["real"].items())
    canaries = {name: number for name, number in one["canaries"].items() if name != "sent"}
    ours = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in canaries.items())
    state = f"{one['verdict']}{', open' if one['open'] else ''}"
    amended = f", amended {one['amendments']} times" if one["amendments"] else ""
    told = f"real {one['appended']}: {real or 'none'}; canaries {one['canaries']['sent']}: {ours or 'none'}"
    replay = f"; replay {' '.join(one['replay'][:5])}" if one["replay"] else ""
    return f"{one['stage']} {times} {state}{amended}: {told}{replay}"
