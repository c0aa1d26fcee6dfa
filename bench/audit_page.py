"""What the audit's benchmark prints and writes: one way beside the others, and each aim beside its figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import figures
from bench.audit_readers import Read
from bench.figures import Figure

AIMS = {"reading back with kafka-python": 100, "reading back with librdkafka": 20}
"""How many times faster the audit should be."""

TITLE = "# The audit against reading everything back\n\nMade by `make bench-audit`."
HOW = (
    "An audit's seconds are those that it tells itself, as a reader's are without the start of its process;"
    " what the whole command took stands behind them. CPU is that of whoever asks and of ClickHouse, user"
    " and system, without the broker's."
)


@dataclass(frozen=True, slots=True)
class Took:
    """One way to look for what is missing. Seconds of the wall and of CPU."""

    what: str
    seconds: float
    cpu: float
    read: Read


@dataclass(frozen=True, slots=True)
class Audited:
    """One run of the command: its report, the seconds of its whole process, CPU of it and of the server."""

    report: dict[str, Any]
    command: float
    cpu_command: float
    cpu_server: float

    @property
    def seconds(self) -> float:
        """Of the audit itself."""
        return float(self.report["cost"]["seconds"])

    @property
    def took(self) -> Took:
        """Beside the others."""
        cost = self.report["cost"]
        read = Read(cost["messages_fetched"], cost["rows_read"], self.report["counts"]["lost"])
        return Took("canary audit", self.seconds, self.cpu_command + self.cpu_server, read)

    @property
    def line(self) -> str:
        """All of it for a terminal."""
        cost = self.report["cost"]
        return (
            f"canary audit: {self.seconds:.2f} s, {self.command:.2f} s with the start of the command; CPU"
            f" {self.cpu_server:.2f} s of ClickHouse, {self.cpu_command:.2f} s of the command;"
            f" {cost['queries']} queries, {cost['rows_read']:,} rows, {cost['bytes_read'] / 1e6:.1f} MB,"
            f" {cost['messages_fetched']:,} messages, {self.report['counts']['lost']:,} lost"
        )


def median(audits: Sequence[Audited]) -> Audited:
    """Neither the quickest nor the slowest."""
    return sorted(audits, key=lambda one: one.seconds)[len(audits) // 2]


def compared(audit: Audited, readers: Sequence[Took]) -> list[Figure]:
    """The aims and what was measured."""
    fetched = 100 * audit.took.read.messages / audit.report["appended"]
    found = [figures.under("messages fetched by the audit", fetched, aim=0.2, unit="%")]
    for row in readers:
        whole = f"{row.seconds / audit.command:.1f} times with the start of the command"
        cpu = f"{row.cpu / audit.took.cpu:.0f} times the CPU"
        found.append(
            figures.at_least(
                f"the audit is faster than {row.what}",
                row.seconds / audit.seconds,
                aim=AIMS[row.what],
                unit="times",
                note=f"{whole}; {cpu}",
            )
        )
    return found


def table(audits: Sequence[Audited], readers: Sequence[Took]) -> str:
    """Each way with what it took, side by side."""
    chosen = median(audits)
    rows = [
        "| what | seconds | CPU seconds | messages fetched | rows read | missing |",
        "|---|---|---|---|---|---|",
    ]
    for row in (chosen.took, *readers):
        share = 100 * row.read.messages / chosen.report["appended"]
        rows.append(
            f"| {row.what} | {row.seconds:.2f} | {row.cpu:.1f} | {row.read.messages:,} ({share:.2f} %)"
            f" | {row.read.rows:,} | {row.read.missing:,} |"
        )
    return "\n".join(rows)


def printed(audits: Sequence[Audited], readers: Sequence[Took]) -> str:
    """For a terminal."""
    return f"\n{table(audits, readers)}\n\n{figures.text(compared(median(audits), readers))}"


def page(lines: Sequence[str], audits: Sequence[Audited], readers: Sequence[Took], verdict: str) -> str:
    """The document."""
    said = "\n".join(lines)
    aims = figures.quoted(compared(median(audits), readers), figures.setting(HOW))
    found = f"{verdict[0].upper()}{verdict[1:]}."
    return f"{TITLE}\n\n{table(audits, readers)}\n\n{found}\n\n{aims}\n```\n{said}\n```\n"
