"""The sandbox's front door: takes PostHog's capture posts and answers when the broker has the events."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kafka.errors import KafkaError

from canary.sandbox.capture import PATHS, Post, RefusedError, read_post, record
from canary.sandbox.faults import CANARY, Fault, Subject
from canary.sandbox.gate import Down, Gate
from canary.sandbox.httpd import HttpServer, Request, Response
from canary.sandbox.kafka_clients import Message, Producer, StoppedError
from canary.sandbox.meddle import Item, Meddler, Plan
from canary.sandbox.produce_wire import partition_of

_ACK_WITHIN = timedelta(seconds=5)
_STORED_AFTER = timedelta(seconds=3)
_SILENCE = timedelta(seconds=20)
_TICK = 0.05
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}
_OK = Response(200, b'{"status":"Ok"}', {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class _Late:
    """Messages that the broker gets later."""

    due: float
    messages: tuple[Message, ...]


class Ingress:
    """Listens on this machine; faults at the ingress strike posts, those at `raw` the events behind it."""

    def __init__(self, producer: Producer, plan: Plan, *, gate: Gate, partitions: int) -> None:
        self._producer, self._plan, self._gate = producer, plan, gate
        self._partitions = partitions
        self._meddler = Meddler(plan, "raw")
        self._http = HttpServer(self._answer, gate=gate, name="ingress")
        self._stop = threading.Event()
        self._healed = threading.Event()
        self._late: list[_Late] = []
        self._lock = threading.Lock()
        self._ticker = threading.Thread(target=self._tick, name="ingress later", daemon=True)

    @property
    def port(self) -> int:
        return self._http.port

    def start(self) -> None:
        self._http.start()
        self._ticker.start()

    def stop(self) -> None:
        self._stop.set()
        self.heal()
        self._gate.close()
        self._http.stop()
        self._ticker.join(2)

    def restart(self, *, away: timedelta = timedelta(seconds=1)) -> None:
        self._http.stop()
        time.sleep(away.total_seconds())
        self._http.start()

    def heal(self) -> None:
        """Hang up on those whom a fault left without an answer; what it made late goes on at once."""
        self._healed.set()
        self._healed = threading.Event()
        with self._lock:
            self._late = [_Late(0.0, each.messages) for each in self._late]

    def _answer(self, request: Request) -> Response:
        if request.method == "GET" and request.path in ("/", "/_readiness", "/_liveness"):
            return Response(200, b"ok", _TEXT)
        if request.path.rstrip("/") not in PATHS:
            return Response(404, b"not found", _TEXT)
        try:
            post = read_post(request.body, request.headers.get("content-type", ""))
            healed = self._healed  # before a fault is chosen: the healing of that one is the one to wait for
            fault = self._plan.post(_subject(post))
            if fault is not None:
                return self._struck(fault, post, healed)
            self._store(post)
        except RefusedError as refused:
            return Response(refused.status, refused.words.encode(), _TEXT)
        except (KafkaError, StoppedError):
            return Response(503, b"transient error, please retry", _TEXT)
        return _OK

    def _struck(self, fault: Fault, post: Post, healed: threading.Event) -> Response:
        for event in post.events:
            self._plan.record(fault, event["uuid"], "the post was struck")
        answers: dict[str, Callable[[Post, threading.Event], Response]] = {
            "refuse": lambda *_: Response(400, b"failed to decode request", _TEXT),
            "error": lambda *_: Response(500, b"internal server error", _TEXT),
            "throttle": lambda *_: Response(429, b"rate limited", {**_TEXT, "Retry-After": "1"}),
            "accept-and-drop": lambda *_: _OK,
            "error-stored": self._error_stored,
            "timeout-stored": self._timeout_stored,
            "timeout-lost": self._silence,
        }
        return answers[fault.kind](post, healed)

    def _error_stored(self, post: Post, healed: threading.Event) -> Response:
        self._later(_STORED_AFTER, self._messages(post.events, post), healed)
        return Response(503, b"transient error, please retry", _TEXT)

    def _timeout_stored(self, post: Post, healed: threading.Event) -> Response:
        self._store(post)
        return self._silence(post, healed)

    def _silence(self, post: Post, healed: threading.Event) -> Response:  # noqa: ARG002 - one signature for all
        healed.wait(_SILENCE.total_seconds())
        raise Down("no answer, as asked for")

    def _store(self, post: Post) -> None:
        """As the real one: events before one that is too big are stored though the post is refused."""
        messages: list[Message] = []
        try:
            for event in post.events:
                messages += self._passed(event, post)
        finally:
            self._producer.send(messages, within=_ACK_WITHIN)

    def _passed(self, event: dict[str, object], post: Post) -> list[Message]:
        """What of this event goes on now; a delay holds up the answer too, as a slow broker does."""
        key = f"{post.token}:{event['distinct_id']}".encode("utf-8", "replace")
        item = Item(
            uuid=str(event["uuid"]),
            canary=event["event"] == CANARY,
            lane=partition_of(key, self._partitions),
            body=event,
            context=post,
        )
        healed = self._healed
        passage = self._meddler.meddle(item)
        for delay, _ in passage.later:
            healed.wait(delay.total_seconds())
        return self._written((*passage.now, *(late for _, late in passage.later)))

    def _written(self, items: Sequence[Item]) -> list[Message]:
        return [message for item in items for message in self._messages((item.body,), item.context)]

    def _messages(self, events: Sequence[dict[str, object]], post: Post) -> list[Message]:
        now = datetime.now(UTC) + self._plan.skew("ingress") + self._plan.skew("raw")
        return [record(event, post, ip="127.0.0.1", now=now) for event in events]

    def _later(self, delay: timedelta, messages: Sequence[Message], healed: threading.Event) -> None:
        with self._lock:
            due = 0.0 if healed.is_set() else time.monotonic() + delay.total_seconds()
            self._late.append(_Late(due, tuple(messages)))

    def _tick(self) -> None:
        while not self._stop.wait(_TICK):
            now = time.monotonic()
            with self._lock:
                due = [each for each in self._late if each.due <= now]
                self._late = [each for each in self._late if each.due > now]
            messages = [message for each in due for message in each.messages]
            messages += self._written(self._meddler.overdue())
            try:
                self._producer.write(messages, stop=self._stop)
            except StoppedError:
                return


def _subject(post: Post) -> Subject:
    return Subject(post.events[0]["uuid"], any(event["event"] == CANARY for event in post.events))
