"""A stand-in for Slack: as much of its Web API and incoming webhooks as a pager uses, refusals included."""

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from canary.sandbox.gate import Gate
from canary.sandbox.httpd import HttpServer, Request, Response, form_fields
from canary.sandbox.slack_limits import block_errors, message_error

_CHANNEL_ID = "C0SANDBOX01"
_WEBHOOK_PATH = "/services/T0SANDBOX/B0SANDBOX/"
_RATE_LIMITED = b'{"ok":false,"error":"ratelimited"}'
_JSON_ARGUMENTS = ("blocks", "metadata", "attachments")
_WEBHOOK_STATUS = {"invalid_auth": 403, "is_archived": 410, "channel_not_found": 404, "missing_scope": 403}

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


class SlackStandIn:
    """One workspace with one channel, one token and one webhook; it keeps what it got."""

    def __init__(self, *, gate: Gate, token: str, channel: str = "#canary", port: int = 0) -> None:
        self._gate, self._token = gate, token
        self._channel = channel.removeprefix("#")
        self._http = HttpServer(
            self._answer,
            gate=gate,
            port=port,
            name="slack",
            throttled=_RATE_LIMITED,
            ungated=frozenset({"/messages"}),
        )
        self._lock = threading.Lock()
        self._messages: list[Message] = []
        self._last_ts = 0
        self._refuse: str | None = None

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
        with self._lock:
            return list(self._messages)

    def start(self) -> None:
        self._http.start()

    def stop(self) -> None:
        self._gate.close()
        self._http.stop()

    def refuse(self, error: str | None) -> None:
        """Answer every call with this error (`invalid_auth`, `is_archived`, ...) until called with None."""
        self._refuse = error

    def _answer(self, request: Request) -> Response:
        if request.path == "/messages":
            return _json([asdict(message) for message in self.messages])
        if request.path.startswith("/services/"):
            return self._webhook(request)
        if request.path.startswith("/api/"):
            return _json(self._call(request.path.removeprefix("/api/"), request))
        return Response(404, b"not found\n")

    def _call(self, method: str, request: Request) -> Reply:
        methods: dict[str, Callable[[Arguments], Reply]] = {
            "api.test": lambda _: {},
            "auth.test": self._auth_test,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.info": self._info,
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
        # Posting takes a name or an id; every other method takes the id alone.
        if arguments.get("channel") not in (_CHANNEL_ID, self._channel, f"#{self._channel}"):
            raise Refusal("channel_not_found")
        message = self._keep(arguments, by="api")
        return {"channel": _CHANNEL_ID, "ts": message.ts, "message": _shown(message)}

    def _update(self, arguments: Arguments) -> Reply:
        self._check_channel(arguments)
        _check(arguments)
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
                    return {
                        "channel": _CHANNEL_ID,
                        "ts": changed.ts,
                        "text": changed.text,
                        "message": _shown(changed),
                    }
        raise Refusal("message_not_found")

    def _info(self, arguments: Arguments) -> Reply:
        self._check_channel(arguments)
        return {
            "channel": {
                "id": _CHANNEL_ID,
                "name": self._channel,
                "is_channel": True,
                "is_archived": False,
                "is_member": True,
            }
        }

    def _history(self, arguments: Arguments) -> Reply:
        self._check_channel(arguments)
        oldest, latest = str(arguments.get("oldest") or "0"), str(arguments.get("latest") or "inf")
        found = [
            message
            for message in reversed(self.messages)
            if message.thread_ts is None and float(oldest) <= float(message.ts) <= float(latest)
        ]
        limit = int(arguments.get("limit") or 100)
        start = int(arguments.get("cursor") or 0)
        more = len(found) > start + limit
        return {
            "messages": [_shown(message) for message in found[start : start + limit]],
            "has_more": more,
            "response_metadata": {"next_cursor": str(start + limit) if more else ""},
        }

    def _replies(self, arguments: Arguments) -> Reply:
        self._check_channel(arguments)
        thread = arguments.get("ts")
        found = [message for message in self.messages if thread in (message.ts, message.thread_ts)]
        if not found:
            raise Refusal("thread_not_found")
        return {"messages": [_shown(message) for message in found], "has_more": False}

    def _webhook(self, request: Request) -> Response:
        if not hmac.compare_digest(request.path.encode(), f"{_WEBHOOK_PATH}{self._token}".encode()):
            return Response(404, b"no_service")
        try:
            if self._refuse:
                raise Refusal(self._refuse)
            self._keep(_arguments(request), by="webhook")
        except Refusal as refusal:
            error = (
                "invalid_payload" if refusal.error.startswith(("invalid_json", "json_")) else refusal.error
            )
            return Response(_WEBHOOK_STATUS.get(error, 400), error.encode())
        return Response(200, b"ok", {"Content-Type": "text/html"})

    def _check_channel(self, arguments: Arguments) -> None:
        if arguments.get("channel") != _CHANNEL_ID:
            raise Refusal("channel_not_found")

    def _keep(self, arguments: Arguments, *, by: str) -> Message:
        _check(arguments)
        thread_ts = arguments.get("thread_ts")
        with self._lock:
            if thread_ts and not any(message.ts == thread_ts for message in self._messages):
                raise Refusal("cannot_reply_to_message")
            self._last_ts = max(self._last_ts + 1, time.time_ns() // 1000)
            message = Message(
                ts=f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}",
                channel=_CHANNEL_ID,
                text=str(arguments.get("text") or ""),
                blocks=arguments.get("blocks") or [],
                metadata=arguments.get("metadata"),
                thread_ts=thread_ts,
                by=by,
            )
            self._messages.append(message)
        return message


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


def _check(arguments: Arguments) -> None:
    if error := message_error(arguments):
        raise Refusal(error)
    if arguments.get("blocks") is not None and (errors := block_errors(arguments["blocks"])):
        raise Refusal("invalid_blocks", *errors)


def _shown(message: Message) -> Reply:
    shown: Reply = {"type": "message", "user": "U0CANARY", "bot_id": "B0CANARY", "ts": message.ts}
    shown |= {"text": message.text, "blocks": message.blocks}
    for name in ("metadata", "thread_ts"):
        if (value := getattr(message, name)) is not None:
            shown[name] = value
    return shown


def _json(value: object) -> Response:
    return Response(200, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})
