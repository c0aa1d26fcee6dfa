"""Where a reader goes next: dashboard, runbook, status page."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from alerts.condition import Condition

KIND = "{kind}"
SAFE = "!#$%&'()*+,-./:;=?@[]_~"


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses, empty where there is none; `{kind}` in one stands for the kind of the condition."""

    dashboard: str = ""
    runbook: str = ""
    status: str = ""

    def of(self, content: Condition) -> tuple[tuple[str, str], ...]:
        """Name and address of each that there is, safe to stand in any markup."""
        return tuple(self._all(content.key.partition(":")[0]))

    def _all(self, kind: str) -> Iterator[tuple[str, str]]:
        for name in ("runbook", "dashboard", "status"):
            if address := getattr(self, name):
                yield name, quote(address.replace(KIND, quote(kind, safe="")), safe=SAFE)
