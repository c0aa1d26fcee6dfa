"""The way out through Slack's Web API: one thread an incident, whose first message is kept up to date."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.client import WebClient

from alerts.blocks import Message, render
from alerts.condition import Kind, Notice
from alerts.delivery import DeliveryError, Receipt
from alerts.slack_errors import DEADLINE, TO_FIX, called, refused, secret, silent_logger
from alerts.tables import to_micros

URL = "https://slack.com/api/"
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
UNEDITABLE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "unknown_method"})
UNREPLIABLE = frozenset({"thread_not_found", "cannot_reply_to_message", "invalid_thread_ts"})
EVENT_TYPE = "alert_notice"


class SlackSender:
    """Posts with a bot token, read anew for each message so that a changed one is taken up."""

    def __init__(
        self, token: Callable[[], str], *, channel: str, url: str = URL, timeout: int = DEADLINE
    ) -> None:
        """`channel` is an ID or a name; with an ID, `check` can say more. `timeout` is in seconds."""
        self._token, self._channel, self._url, self._timeout = token, channel, url, timeout

    def __repr__(self) -> str:
        return f"SlackSender(channel={self._channel!r})"

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Open a thread, or edit its first message and answer in it."""
        client = self._client()
        if thread is None or not thread.thread:
            return _post(client, self._channel, notice)
        # The edit comes first: it may be done twice unseen, while a second answer would be a second message.
        _edit(client, thread, notice)
        try:
            return _post(client, thread.channel or self._channel, notice, thread=thread.thread)
        except DeliveryError as error:
            if error.code not in UNREPLIABLE:
                raise
        return _post(client, self._channel, notice)

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
        if not CHANNEL_ID.fullmatch(self._channel):
            return []
        try:
            answer = _call(client, "conversations.info", {"channel": self._channel}, form=True)
        except DeliveryError as error:
            # Posting needs no right to look at channels; without it there is nothing more to say here.
            return [] if error.code in ("missing_scope", "unknown_method") else [error.reason]
        info = answer.get("channel")
        if not isinstance(info, Mapping):
            return []
        if info.get("is_archived"):
            return [f"slack: {TO_FIX['is_archived']} (is_archived)"]
        if info.get("is_member") is False and "chat:write.public" not in scopes:
            return [f"slack: {TO_FIX['not_in_channel']} (not_in_channel)"]
        return []

    def _client(self) -> WebClient:
        # No retries of the library's own: the outbox knows better when, and marks what may be a repeat.
        token = secret(self._token, "slack.token")
        return WebClient(
            token, base_url=self._url, timeout=self._timeout, retry_handlers=[], logger=silent_logger()
        )


def _post(client: WebClient, channel: str, notice: Notice, *, thread: str = "") -> Receipt:
    message = render(notice)
    body: dict[str, Any] = {"channel": channel, "unfurl_links": False, "unfurl_media": False}
    if thread:
        body["thread_ts"] = thread
    payload = {"notice": notice.id, "kind": notice.kind.value, "made_at": to_micros(notice.made_at)}
    answer = _with_fallback(
        client,
        "chat.postMessage",
        body | {"metadata": {"event_type": EVENT_TYPE, "event_payload": payload}},
        message=message,
    )
    return Receipt(str(answer.get("channel") or channel), thread or str(answer.get("ts") or ""))


def _edit(client: WebClient, thread: Receipt, notice: Notice) -> None:
    if notice.kind is Kind.OPENED:
        return
    body = {"channel": thread.channel, "ts": thread.thread}
    try:
        _with_fallback(client, "chat.update", body, message=render(notice, edited=True))
    except DeliveryError as error:
        # A first message that was deleted, or is too old to edit, must not keep the answer back.
        if not error.permanent and error.code not in UNEDITABLE:
            # Nothing was posted yet, so a next try is no repeat.
            raise DeliveryError(error.reason, retry_after=error.retry_after) from None


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
