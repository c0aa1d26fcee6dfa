"""What the Slack stand-in holds: one channel with its messages, the app's rights, and a list of bad calls."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canary.sandbox.slack_limits import MAX_UPDATE, block_errors, message_error

CHANNEL_ID = "C0SANDBOX01"
SCOPES = frozenset({"chat:write", "channels:read", "channels:history"})
BURST, PER_SECOND = 3, 1.0
"""One message a second a channel, and short bursts, as documented."""

Arguments = Mapping[str, Any]
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands now; `updates` counts how often it was changed."""

    ts: str
    channel: str
    text: str
    blocks: list[Any]
    metadata: Mapping[str, Any] | None = None
    thread_ts: str | None = None
    updates: int = 0
    by: str = "api"


class Refusal(Exception):  # noqa: N818 - it is Slack's answer, not a fault of ours
    """Slack's `"ok": false` with an error code, and the details of it."""

    def __init__(self, error: str, *details: str) -> None:
        super().__init__(error)
        self.error, self.details = error, details


class Limited(Exception):  # noqa: N818 - reads as a state
    """Too many messages: 429."""


class Room:
    """One channel. With `limits` on, it refuses more than a message a second, as Slack does."""

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.archived = False
        self.scopes = set(SCOPES)
        self.limits = False
        self.broken: list[str] = []
        """Every call that broke a documented limit, whether or not the caller tried again in another way."""
        self._clock = clock
        self._tokens, self._at = float(BURST), clock()
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self.posted: list[Message] = []
        """Every message as it was when it came, whatever was made of it later."""
        self._last_ts = 0

    @property
    def messages(self) -> list[Message]:
        """All that was posted, in order, each as last updated."""
        with self._lock:
            return list(self._messages)

    def may(self, scope: str) -> None:
        """Refuse what the app has no right to."""
        if scope not in self.scopes:
            raise Refusal("missing_scope", f"needed: {scope}")

    def post(self, arguments: Arguments, *, by: str) -> Message:
        """Keep a new message."""
        self._check(arguments)
        if self.archived:
            raise Refusal("is_archived")
        thread_ts = arguments.get("thread_ts")
        with self._lock:
            if thread_ts and not any(message.ts == thread_ts for message in self._messages):
                raise Refusal("cannot_reply_to_message")
            self._pace()
            self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
            message = Message(
                ts=f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}",
                channel=CHANNEL_ID,
                text=str(arguments.get("text") or ""),
                blocks=arguments.get("blocks") or [],
                metadata=arguments.get("metadata"),
                thread_ts=thread_ts,
                by=by,
            )
            self._messages.append(message)
            self.posted.append(message)
        return message

    def update(self, arguments: Arguments) -> Message:
        """Change a message that is there."""
        self._check(arguments, longest=MAX_UPDATE)
        if self.archived:
            raise Refusal("is_archived")
        with self._lock:
            for index, message in enumerate(self._messages):
                if message.ts == arguments.get("ts"):
                    changed = replace(
                        message,
                        text=str(arguments.get("text") or ""),
                        blocks=arguments.get("blocks") or [],
                        metadata=arguments.get("metadata", message.metadata),
                        updates=message.updates + 1,
                    )
                    self._messages[index] = changed
                    return changed
        raise Refusal("message_not_found")

    def info(self) -> Reply:
        """The channel as `conversations.info` and `conversations.list` show it."""
        return {
            "id": CHANNEL_ID,
            "name": self.name,
            "is_channel": True,
            "is_archived": self.archived,
            "is_member": True,
        }

    def history(self, arguments: Arguments) -> Reply:
        """First messages, newest first."""
        found = [message for message in reversed(self.messages) if message.thread_ts is None]
        return _page(found, arguments)

    def replies(self, arguments: Arguments) -> Reply:
        """A thread, oldest first; its first message is always there."""
        thread = arguments.get("ts")
        found = [message for message in self.messages if thread in (message.ts, message.thread_ts)]
        if not found:
            raise Refusal("thread_not_found")
        return _page(found, arguments, always=str(thread))

    def _pace(self) -> None:
        now = self._clock()
        self._tokens = min(float(BURST), self._tokens + (now - self._at) * PER_SECOND)
        self._at = now
        if not self.limits:
            return
        if self._tokens < 1:
            raise Limited
        self._tokens -= 1

    def _check(self, arguments: Arguments, *, longest: int | None = None) -> None:
        error = message_error(arguments, longest=longest)
        details: Sequence[str] = ()
        if not error and arguments.get("blocks") is not None:
            details = block_errors(arguments["blocks"])
            error = "invalid_blocks" if details else None
        if error:
            if error != "no_text":  # that is how a webhook is asked whether it is there
                self.broken.append(f"{error} {'; '.join(details)}")
            raise Refusal(error, *details)


def _page(found: Sequence[Message], arguments: Arguments, *, always: str = "") -> Reply:
    oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
    there = [one for one in found if one.ts == always or oldest <= float(one.ts) <= latest]
    limit, start = int(arguments.get("limit") or 100), int(arguments.get("cursor") or 0)
    more = len(there) > start + limit
    metadata = str(arguments.get("include_all_metadata")).lower() in ("true", "1")
    return {
        "messages": [shown(message, metadata=metadata) for message in there[start : start + limit]],
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + limit) if more else ""},
    }


def shown(message: Message, *, metadata: bool = True) -> Reply:
    """A message as answers show it; its metadata only to who asks for it."""
    found: Reply = {"type": "message", "user": "U0CANARY", "bot_id": "B0CANARY", "ts": message.ts}
    found |= {"text": message.text, "blocks": message.blocks}
    if metadata and message.metadata is not None:
        found["metadata"] = message.metadata
    if message.thread_ts is not None:
        found["thread_ts"] = message.thread_ts
    return found
