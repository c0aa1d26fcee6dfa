"""Where the pager's messages go."""

from alerts.condition import Notice
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
