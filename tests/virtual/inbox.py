"""Where the pager's messages go."""

from alerts.condition import Kind, Notice
from alerts.delivery import Receipt as Delivered
from tests.virtual.clock import VirtualClock


class Inbox:
    """Where the pager's messages go."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.notices: list[Notice] = []
        self.told_at: list[float] = []

    def send(self, notice: Notice, thread: Delivered | None = None) -> Delivered:
        del thread
        self.notices.append(notice)
        self.told_at.append(self.clock.monotonic())
        return Delivered("channel", f"{len(self.notices)}")

    def check(self) -> list[str]:
        return []

    def muted(self) -> set[str]:
        """Keys that were named in a message as following from what it tells."""
        return {key for notice in self.notices for key in notice.content.muted}

    def unresolved(self) -> list[str]:
        """Keys that were opened more often than resolved."""
        keys = [n.key for n in self.notices if n.kind is Kind.OPENED]
        for notice in self.notices:
            if notice.kind is Kind.RESOLVED:
                keys.remove(notice.key)
        return keys
