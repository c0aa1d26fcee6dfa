"""A stand-in for Slack: as much of its Web API and incoming webhooks as a pager uses, refusals included."""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from canary.sandbox.gate import Down, Gate
from canary.sandbox.httpd import HttpServer, Request, Response, form_fields
from canary.sandbox.slack_room import (
    CHANNEL_ID,
    Arguments,
    Limited,
    Message,
    Refusal,
    Reply,
    Room,
    shown,
)

_WEBHOOK_PATH = "/services/T0SANDBOX/B0SANDBOX/"
_RATE_LIMITED = b'{"ok":false,"error":"ratelimited"}'
_JSON_ARGUMENTS = ("blocks", "metadata", "attachments")
_WEBHOOK_STATUS = {"invalid_auth": 403, "is_archived": 410, "channel_not_found": 404, "missing_scope": 403}


class SlackStandIn:
    """One workspace with one channel, one token and one webhook; it keeps what it got."""

    def __init__(
        self,
        *,
        gate: Gate,
        token: str,
        channel: str = "#canary",
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`, in seconds, is what messages a second are counted by."""
        self._gate, self._token = gate, token
        self.room = Room(channel.removeprefix("#"), clock=clock)
        self._http = HttpServer(
            self._answer,
            gate=gate,
            port=port,
            name="slack",
            throttled=_RATE_LIMITED,
            ungated=frozenset({"/messages", "/posted"}),
        )
        self._refuse: str | None = None
        self._lose = 0

    @property
    def port(self) -> int:
        return self._http.port

    @property
    def api_url(self) -> str:
        """What slack-sdk's WebClient takes as its base_url."""
        return f"{self._http.url}/api/"

    @property
    def webhook_url(self) -> str:
        """Secret in its last part, as Slack's are: here that part is the token."""
        return f"{self._http.url}{_WEBHOOK_PATH}{self._token}"

    @property
    def messages(self) -> list[Message]:
        """All that was posted, in order, each as last updated."""
        return self.room.messages

    def start(self) -> None:
        self._http.start()

    def stop(self) -> None:
        self._gate.close()
        self._http.stop()

    def refuse(self, error: str | None) -> None:
        """Answer every call with this error (`invalid_auth`, `is_archived`, ...) until called with None."""
        self._refuse = error

    def lose_answers(self, count: int) -> None:
        """Take the next so many messages, and hang up instead of answering."""
        self._lose = count

    def _answer(self, request: Request) -> Response:
        if request.path == "/messages":
            return _json([asdict(message) for message in self.messages])
        if request.path == "/posted":
            return _json([asdict(message) for message in self.room.posted])
        try:
            if request.path.startswith("/services/"):
                return self._webhook(request)
            if request.path.startswith("/api/"):
                reply = self._call(request.path.removeprefix("/api/"), request)
                scopes = ",".join(sorted(self.room.scopes))
                return _json(reply, {"X-OAuth-Scopes": scopes})
        except Limited:
            return Response(429, _RATE_LIMITED, {"Retry-After": "1", "Content-Type": "application/json"})
        return Response(404, b"not found\n")

    def _taken(self) -> None:
        if self._lose > 0:
            self._lose -= 1
            raise Down("the answer is lost")

    def _call(self, method: str, request: Request) -> Reply:
        methods: dict[str, Callable[[Arguments], Reply]] = {
            "api.test": lambda _: {},
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.info": self._info,
            "conversations.list": self._list,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        try:
            arguments = _arguments(request)
            if method not in methods:
                raise Refusal("unknown_method")
            self._authorise(request, arguments)
            if self._refuse:
                raise Refusal(self._refuse)
            return {"ok": True, **methods[method](arguments)}
        except Refusal as refusal:
            reply: Reply = {"ok": False, "error": refusal.error}
            if refusal.details:
                reply["errors"] = list(refusal.details)
                reply["response_metadata"] = {"messages": [f"[ERROR] {text}" for text in refusal.details]}
            return reply

    def _authorise(self, request: Request, arguments: Arguments) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        token = token or str(arguments.get("token") or "")
        if not token:
            raise Refusal("not_authed")
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise Refusal("invalid_auth")

    def _auth_test(self, _: Arguments) -> Reply:
        return {
            "url": f"{self._http.url}/",
            "team": "sandbox",
            "team_id": "T0SANDBOX",
            "user": "canary",
            "user_id": "U0CANARY",
            "bot_id": "B0CANARY",
        }

    def _post(self, arguments: Arguments) -> Reply:
        self.room.may("chat:write")
        # Posting takes a name or an id; every other method takes the id alone.
        if arguments.get("channel") not in (CHANNEL_ID, self.room.name, f"#{self.room.name}"):
            raise Refusal("channel_not_found")
        message = self.room.post(arguments, by="api")
        self._taken()
        return {"channel": CHANNEL_ID, "ts": message.ts, "message": shown(message)}

    def _update(self, arguments: Arguments) -> Reply:
        self.room.may("chat:write")
        _check_channel(arguments)
        changed = self.room.update(arguments)
        return {"channel": CHANNEL_ID, "ts": changed.ts, "text": changed.text, "message": shown(changed)}

    def _info(self, arguments: Arguments) -> Reply:
        self.room.may("channels:read")
        _check_channel(arguments)
        return {"channel": self.room.info()}

    def _list(self, arguments: Arguments) -> Reply:
        """In pages of one, so that who does not turn the page sees nothing of ours."""
        self.room.may("channels:read")
        if not arguments.get("cursor"):
            other = {"id": "C0OTHER0001", "name": "other", "is_archived": False, "is_member": False}
            return {"channels": [other], "response_metadata": {"next_cursor": "2"}}
        return {"channels": [self.room.info()], "response_metadata": {"next_cursor": ""}}

    def _history(self, arguments: Arguments) -> Reply:
        self.room.may("channels:history")
        _check_channel(arguments)
        return self.room.history(arguments)

    def _replies(self, arguments: Arguments) -> Reply:
        self.room.may("channels:history")
        _check_channel(arguments)
        return self.room.replies(arguments)

    def _webhook(self, request: Request) -> Response:
        if not hmac.compare_digest(request.path.encode(), f"{_WEBHOOK_PATH}{self._token}".encode()):
            return Response(404, b"no_service")
        try:
            if self._refuse:
                raise Refusal(self._refuse)
            self.room.post(_arguments(request), by="webhook")
            self._taken()
        except Refusal as refusal:
            error = (
                "invalid_payload" if refusal.error.startswith(("invalid_json", "json_")) else refusal.error
            )
            return Response(_WEBHOOK_STATUS.get(error, 400), error.encode())
        return Response(200, b"ok", {"Content-Type": "text/html"})


def _check_channel(arguments: Arguments) -> None:
    if arguments.get("channel") != CHANNEL_ID:
        raise Refusal("channel_not_found")


def _arguments(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = json.loads(request.body or b"{}")
        except ValueError:
            raise Refusal("invalid_json") from None
        if not isinstance(body, dict):
            raise Refusal("json_not_object")
        arguments = {**request.args, **body}
    else:
        arguments = {**request.args, **form_fields(request)}
    for name in _JSON_ARGUMENTS:
        if isinstance(value := arguments.get(name), str):
            try:
                arguments[name] = json.loads(value)
            except ValueError:
                raise Refusal(f"invalid_{name}_format") from None
    return arguments


def _json(value: object, headers: Mapping[str, str] | None = None) -> Response:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Response(200, json.dumps(value).encode(), {**kind, **(headers or {})})
