"""Who hears of comparisons of the real traffic, in tests."""

from dataclasses import dataclass, field

from canary.traffic import TrafficWindow


@dataclass
class Heard:
    """Windows, their lines, and each trouble once."""

    windows: list[TrafficWindow] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    trouble: str = ""

    def found(self, window: TrafficWindow, line: str) -> None:
        self.windows.append(window)
        if line:
            self.said.append(line)

    def blind(self, reason: str) -> None:
        if reason and reason != self.trouble:
            self.said.append(reason)
        self.trouble = reason
