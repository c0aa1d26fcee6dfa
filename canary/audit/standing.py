"""What the running audit tells: to the rules what is known now, to the metrics each audit as it is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from canary.audit.report import Cost, Report
from canary.traffic import AuditWindow


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a table's traffic now: reports still fresh, and why the last audit failed."""

    stage: str
    reports: Sequence[Report] = ()
    trouble: str = ""
    since: datetime | None = None


class OnReport(Protocol):
    """Hears of every audit, with what the one before it had found of the same window, and its verdict; and
    of every round that failed."""

    def __call__(self, report: Report, before: AuditWindow | None, verdict: str) -> None: ...
    def failed(self, stage: str) -> None: ...
    def looked_again(self, before: AuditWindow, after: AuditWindow, cost: Cost) -> None:
        """At what a closed window had lost."""
        ...

    def open(self, stage: str, counts: Mapping[str, int]) -> None:
        """Events, by fate, that are still asked for."""
        ...
