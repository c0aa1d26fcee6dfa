"""One connection to a Kafka cluster that only reads, and never keeps its caller waiting past a deadline.

The library's event loop runs in a daemon thread of its own. What is asked of Kafka is handed to it and
waited for with a deadline, so neither a frozen broker nor a slow name server can hold up a look or an exit
(the library's own consumer blocks for up to 30 s there). It does not hide from us either when each request
was sent, which is what coverage rests on.
"""

import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import kafka.errors as kafka_errors
from kafka.net.selector import NetworkSelector

from canary.edges.kafka.connecting import Manager, tls_trouble
from canary.edges.kafka.security import Sasl, Tls, library_settings

T = TypeVar("T")

MAX_MESSAGE = 256 * 1024 * 1024
CLOSE_PATIENCE = 0.5


class TroubleError(Exception):
    """Kafka could not be asked; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the cluster is and how to get in. `timeout` in seconds bounds every request."""

    bootstrap: Sequence[str]
    client_id: str
    timeout: float
    tls: Tls | None = None
    sasl: Sasl | None = field(default=None, repr=False)


class Bell:
    """Wakes whoever waits for an answer: when one came, or when they shall wait no longer."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.interrupted = False

    def ring(self, _: object = None) -> None:
        self._event.set()

    def interrupt(self) -> None:
        """End the wait that is going on, or else the next one."""
        self.interrupted = True
        self._event.set()

    def wait(self, done: Callable[[], bool], *, until: float) -> bool:
        """Wait until `done()`, the monotonic time `until`, or an interruption; return whether done."""
        while not done():
            self._event.clear()
            left = until - time.monotonic()
            if done() or left <= 0 or self.interrupted:
                break
            self._event.wait(left)
        return done()


class Pending(Generic[T]):
    """An answer that may still be on its way."""

    def __init__(self, future: Any) -> None:
        self._future = future

    @property
    def done(self) -> bool:
        return bool(self._future.is_done)

    def result(self) -> T:
        """The answer. Raises `TroubleError` when it was a refusal or none came."""
        if not self._future.is_done:
            raise TroubleError("no answer yet")
        error = self._future.exception
        if error is not None:
            raise TroubleError(said(error)) from error
        value: T = self._future.value
        return value


def said(error: BaseException) -> str:
    """One line about an error of the library, without its class's decoration."""
    if isinstance(error, TroubleError):
        return str(error)
    known = {
        kafka_errors.SaslAuthenticationFailedError: "authentication failed",
        kafka_errors.TopicAuthorizationFailedError: "not authorized for the topic",
        kafka_errors.GroupAuthorizationFailedError: "not authorized for the group",
        kafka_errors.ClusterAuthorizationFailedError: "not authorized for the cluster",
        kafka_errors.UnsupportedSaslMechanismError: "authentication failed: the broker lacks the mechanism",
        kafka_errors.RequestTimedOutError: "no answer in time",
        kafka_errors.KafkaTimeoutError: "no answer in time",
        kafka_errors.NodeNotReadyError: "not connected",
    }
    name = next((text for kind, text in known.items() if isinstance(error, kind)), type(error).__name__)
    detail = " ".join(str(part) for part in error.args).strip()
    detail = " ".join(detail.replace("111 ECONNREFUSED", "connection refused").split())[:200]
    if error.args and isinstance(error.args[0], ssl.SSLError):
        return tls_trouble(error.args[0])
    if isinstance(error, kafka_errors.KafkaConnectionError):
        return detail or "connection lost"
    return f"{name}: {detail}" if detail and detail != name else name


class Client:
    """A session with one cluster. Not shared between threads; `close` may be called from any."""

    def __init__(self, access: Access, bell: Bell) -> None:
        self._access = access
        self._bell = bell
        secured = library_settings(access.tls, access.sasl)
        self._net = NetworkSelector(client_id=access.client_id, slow_task_threshold_secs=0)
        milliseconds = int(access.timeout * 1000)
        self._manager = Manager(
            self._net,
            bootstrap_servers=list(access.bootstrap),
            client_id=access.client_id,
            request_timeout_ms=milliseconds,
            socket_connection_setup_timeout_ms=milliseconds,
            socket_connection_setup_timeout_max_ms=milliseconds,
            reconnect_backoff_ms=100,
            reconnect_backoff_max_ms=1000,
            receive_message_max_bytes=MAX_MESSAGE,
            metadata_max_age_ms=3_600_000,
            proxy_url="direct://",
            **secured,
        )
        self._manager.cluster.config["allow_auto_create_topics"] = False
        self._net.start()
        self._thread = self._net._io_thread

    def begin(self, ask: Callable[..., Awaitable[T]], *args: object) -> Pending[T]:
        """Start asking; the answer comes while the caller does something else."""
        try:
            future = self._net.call_soon_with_future(ask, *args)
        except RuntimeError as error:
            raise TroubleError("the connection is closed") from error
        future.add_both(self._bell.ring)
        return Pending(future)

    def ask(self, ask: Callable[..., Awaitable[T]], *args: object, until: float) -> T:
        """Ask and wait for the answer. Raises `TroubleError`."""
        pending = self.begin(ask, *args)
        if not self._bell.wait(lambda: pending.done, until=until):
            if self._bell.interrupted:
                raise TroubleError("interrupted")
            raise TroubleError(f"no answer within {self._access.timeout:g} s")
        return pending.result()

    async def send(self, request: Any, node: object) -> Any:
        """One request to one broker, in the loop's thread."""
        connection = self._manager.get_connection(node, refresh_metadata_on_err=False)
        return await connection.send_request(request)

    @property
    def configured(self) -> Mapping[object, str]:
        """The configured brokers and where they are."""
        return {b.node_id: f"{b.host}:{b.port}" for b in self._manager.cluster.bootstrap_brokers()}

    async def connect(self, *first: object) -> object:
        """Reach one of these, or else any of the configured brokers; return the node to ask for metadata."""
        problems: list[str] = []
        nodes = {**dict.fromkeys(first, "broker"), **self.configured}
        for node, where in nodes.items():
            timeout = self._access.timeout * 1000 / len(nodes)
            try:
                await self._manager.get_connection(node, timeout_ms=timeout, refresh_metadata_on_err=False)
            except kafka_errors.KafkaError as error:
                problems.append(f"{where}: {said(error)}")
            else:
                return node
        raise TroubleError("; ".join(problems))

    def learn_brokers(self, metadata: Any) -> None:
        """Take the brokers' addresses from a metadata answer (in the loop's thread)."""
        self._manager.cluster.update_metadata(metadata)

    def addresses(self) -> Mapping[int, str]:
        """Where each broker says it is."""
        return {b.node_id: f"{b.host}:{b.port}" for b in self._manager.cluster.brokers()}

    def highest(self, request: Any) -> int:
        """The newest version of a request that both sides speak."""
        version: int = self._manager.broker_version_data.api_version(request)
        return version

    def close(self) -> None:
        """Hang up. Returns within half a second even when the loop is stuck in a name look-up."""
        try:
            self._net.call_soon_threadsafe(self._manager.close)
        except RuntimeError:
            return  # closed before
        self._net.stop(timeout_ms=CLOSE_PATIENCE * 1000)
        if self._thread is None or not self._thread.is_alive():
            self._net.close()
