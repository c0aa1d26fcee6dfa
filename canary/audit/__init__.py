"""The audit of the real traffic: offset by offset, what a topic holds against what a table has."""

from canary.audit.protocols import Table, Topic
from canary.audit.report import Report, Verdict
from canary.audit.steps import Auditor
from canary.audit.work import Limits, Start

__all__ = ["Auditor", "Limits", "Report", "Start", "Table", "Topic", "Verdict"]
