"""The way out through Slack's Web API: one thread an incident, whose first message is kept up to date."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from alerts.blocks import Message, render
from alerts.condition import Kind, Notice
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.posting import secret
from alerts.slack_errors import DEADLINE, TO_FIX, called, refused, silent_logger
from alerts.tables import to_micros

URL = "https://slack.com/api/"
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
UNEDITABLE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "unknown_method"})
UNREPLIABLE = frozenset({"thread_not_found", "cannot_reply_to_message", "invalid_thread_ts"})
EVENT_TYPE = "alert_notice"
SKEW = 60_000_000
"""Microseconds that Slack's clock may be behind ours."""
MOST_PAGES = 10


class SlackSender:
    """Posts with a bot token, read anew for each message so that a changed one is taken up."""

    def __init__(
        self,
        token: Callable[[], str],
        *,
        channel: str,
        url: str = URL,
        timeout: int = DEADLINE,
        links: Links | None = None,
    ) -> None:
        """`channel` is an ID or a name; with an ID, `check` needs fewer rights. `timeout` is in seconds."""
        self._token, self._channel, self._url, self._timeout = token, channel, url, timeout
        self._links = links or Links()
        self._known_id = channel if CHANNEL_ID.fullmatch(channel) else ""

    def __repr__(self) -> str:
        return f"SlackSender(channel={self._channel!r})"

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Open a thread, or edit its first message and answer in it."""
        client = self._client()
        if thread is None or not thread.thread:
            return self._post(client, self._channel, notice)
        # The edit comes first: it may be done twice unseen, while a second answer would be a second message.
        self._edit(client, thread, notice)
        try:
            return self._post(client, thread.channel or self._channel, notice, thread=thread.thread)
        except DeliveryError as error:
            if error.code not in UNREPLIABLE:
                raise
        return self._post(client, self._channel, notice)

    def find(self, notice: Notice, thread: Receipt | None) -> Receipt | None:
        """Look for a message with this notice's id in its metadata; needs the right channels:history.

        Raises DeliveryError, `broken` where we may not look, or do not know the channel's ID yet.
        """
        channel = (thread.channel if thread is not None else "") or self._known_id
        if not channel:
            raise DeliveryError("slack: the channel's ID is not known", broken=True)
        client = self._client()
        oldest = f"{(to_micros(notice.made_at) - SKEW) / 1e6:.6f}"
        asked: dict[str, Any] = {"channel": channel, "oldest": oldest, "include_all_metadata": True}
        answers = {**asked, "ts": thread.thread} if thread is not None and thread.thread else None
        if answers is not None and _among(client, "conversations.replies", answers, notice):
            return thread
        found = _among(client, "conversations.history", asked, notice)
        return Receipt(channel, found) if found else None

    def check(self) -> list[str]:
        """Ask who the token is, what it may do, and about the channel where its ID is known."""
        try:
            client = self._client()
            scopes = _scopes(_call(client, "auth.test", {}))
        except DeliveryError as error:
            return [error.reason]
        if scopes and not {"chat:write", "bot"} & scopes:
            return [f"slack: {TO_FIX['missing_scope']} (it has {', '.join(sorted(scopes))})"]
        return self._check_channel(client, scopes)

    def _check_channel(self, client: WebClient, scopes: frozenset[str]) -> list[str]:
        try:
            info = self._channel_info(client)
        except DeliveryError as error:
            # Posting needs no right to look at channels; without it there is nothing more to say here.
            return [] if error.code in ("missing_scope", "unknown_method") else [error.reason]
        if info.get("is_archived"):
            return [f"slack: {TO_FIX['is_archived']} (is_archived)"]
        if info.get("is_member") is False and "chat:write.public" not in scopes:
            return [f"slack: {TO_FIX['not_in_channel']} (not_in_channel)"]
        return []

    def _channel_info(self, client: WebClient) -> Mapping[str, Any]:
        """What Slack says of the channel; a name is looked for among all that the app may see."""
        if CHANNEL_ID.fullmatch(self._channel):
            info = _call(client, "conversations.info", {"channel": self._channel}, form=True).get("channel")
            return info if isinstance(info, Mapping) else {}
        body = {"limit": 1000, "types": "public_channel,private_channel"}
        for page in _pages(client, "conversations.list", body, "channels"):
            for channel in page:
                if channel.get("name") == self._channel.removeprefix("#"):
                    self._known_id = str(channel.get("id") or "")
                    return channel
        raise DeliveryError(f"slack: {TO_FIX['channel_not_found']} (channel_not_found)", broken=True)

    def _post(self, client: WebClient, channel: str, notice: Notice, *, thread: str = "") -> Receipt:
        message = render(notice, links=self._links)
        body: dict[str, Any] = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
        if thread:
            body["thread_ts"] = thread
        metadata = {"event_type": EVENT_TYPE, "event_payload": _payload(notice)}
        answer = _with_fallback(client, "chat.postMessage", {**body, "metadata": metadata}, message=message)
        found = str(answer.get("channel") or channel)
        if channel == self._channel:
            self._known_id = found
        return Receipt(found, thread or str(answer.get("ts") or ""))

    def _edit(self, client: WebClient, thread: Receipt, notice: Notice) -> None:
        if notice.kind is Kind.OPENED:
            return
        body = {"channel": thread.channel, "ts": thread.thread}
        message = render(notice, links=self._links, edited=True)
        try:
            _with_fallback(client, "chat.update", body, message=message)
        except DeliveryError as error:
            # A first message that was deleted, or is too old to edit, must not keep the answer back.
            if not error.permanent and error.code not in UNEDITABLE:
                # Nothing was posted yet, so a next try is no repeat.
                raise DeliveryError(
                    error.reason, retry_after=error.retry_after, broken=error.broken, code=error.code
                ) from None

    def _client(self) -> WebClient:
        # No retries of the library's own: the outbox knows better when, and marks what may be a repeat.
        token = secret(self._token, "slack.token")
        return WebClient(
            token, base_url=self._url, timeout=self._timeout, retry_handlers=[], logger=silent_logger()
        )


def _payload(notice: Notice) -> dict[str, Any]:
    return {"notice": notice.id, "kind": notice.kind.value, "made_at": to_micros(notice.made_at)}


def _among(client: WebClient, method: str, body: dict[str, Any], notice: Notice) -> str:
    """The `ts` of the message that carries this notice; "" where there is none."""
    try:
        for page in _pages(client, method, {**body, "limit": 200}, "messages"):
            for message in page:
                carried = message.get("metadata")
                if isinstance(carried, Mapping) and carried.get("event_payload") == _payload(notice):
                    return str(message.get("ts") or "")
    except DeliveryError as error:
        if error.code not in UNREPLIABLE:  # a thread that is gone has no messages
            raise
    return ""


def _pages(
    client: WebClient, method: str, body: dict[str, Any], key: str
) -> Iterator[Sequence[Mapping[str, Any]]]:
    cursor = ""
    for _ in range(MOST_PAGES):
        answer = _call(client, method, {**body, "cursor": cursor} if cursor else body, form=True)
        items = answer.get(key)
        yield [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        told = answer.get("response_metadata")
        cursor = str(told.get("next_cursor") or "") if isinstance(told, Mapping) else ""
        if not cursor:
            return


def _with_fallback(
    client: WebClient, method: str, body: Mapping[str, Any], *, message: Message
) -> Mapping[str, Any]:
    """With the blocks, or, where Slack does not take them, as plain text: plain is better than never."""
    try:
        return _call(client, method, {**body, "text": message.text, "blocks": list(message.blocks)})
    except DeliveryError as error:
        if not error.permanent:
            raise
    bare = {name: value for name, value in body.items() if name != "metadata"}
    return _call(client, method, {**bare, "text": message.text})


def _call(client: WebClient, method: str, body: dict[str, Any], *, form: bool = False) -> Mapping[str, Any]:
    def call() -> Mapping[str, Any]:
        try:
            answer = client.api_call(method, params=body) if form else client.api_call(method, json=body)
        except SlackApiError as error:
            answer = error.response
            code = str(answer.get("error") or "no reason given")
            raise refused(code, status=answer.status_code, headers=_flat(answer.headers)) from None
        if isinstance(answer.data, bytes):
            raise TypeError("a packed answer")
        return {**answer.data, "headers": _flat(answer.headers)}

    return called(call)


def _flat(headers: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers.items()}


def _scopes(answer: Mapping[str, Any]) -> frozenset[str]:
    headers = answer["headers"]
    text = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), "")
    return frozenset(scope.strip() for scope in text.split(",") if scope.strip())
