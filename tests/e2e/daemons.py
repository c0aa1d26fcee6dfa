"""Daemons as their users run them, beside a sandbox: what they decided, and what people were told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.running import Load, Running
from canary.sandbox.handle import Handle

OUTCOMES = ("rejected", "undelivered", "on_time", "late", "pending", "overdue", "lost", "unread")
TROUBLE = ("rejected", "undelivered", "late", "lost")


def load(name: str, rate: float = 5, **lines: str) -> Load:
    """A daemon that posts singly over every lane of the sandbox.

    Its objective is wide, as far as its grace allows: other work on the machine must not make canaries late.
    """
    wide = {"objective": '"6s"', **lines}
    return Load(name, rate=rate, lanes=4, pool=12, lines=tuple(wide.items()))


@dataclass(frozen=True, slots=True)
class Told:
    """What Slack got since this was made."""

    sandbox: Handle
    before: int

    def messages(self) -> list[str]:
        """As text, in the order in which they came."""
        return [str(message) for message in self.sandbox.slack_messages()[self.before :]]

    def pages(self) -> list[str]:
        """The titles of the messages that open something: resolving answers in their threads."""
        new = self.sandbox.slack_messages()[self.before :]
        return [str(message["text"]) for message in new if message["thread_ts"] is None]

    def about(self, words: str) -> list[str]:
        return [text for text in self.messages() if words in text]


def told(sandbox: Handle) -> Told:
    return Told(sandbox, len(sandbox.slack_messages()))


def on_time(running: Running) -> float:
    return running.metric("outcomes_total", outcome="on_time")


def works(running: Running, more: float = 5) -> bool:
    """Wait until so many more canaries are known to have arrived in time."""
    start = on_time(running)
    return running.until(lambda: on_time(running) >= start + more, within=60)


def trouble(running: Running) -> Mapping[str, float]:
    """Every outcome that is not the good one, with how often."""
    counts = {name: running.metric("outcomes_total", outcome=name) for name in TROUBLE}
    return {name: count for name, count in counts.items() if count}


def unbalanced(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The windows whose outcomes do not add up to what was sent."""
    return [one for one in status["windows"] if sum(one["outcomes"].values()) != one["sent"]]


def ready(running: Running) -> bool:
    """Wait until it sees every stage: for a moment a busy machine may hide one."""
    return running.until(lambda: running.get("/readyz") == "ok\n", within=60)


def keys(running: Running) -> list[str]:
    """What the daemon says is true now."""
    return [condition["key"] for condition in running.status()["conditions"]]
