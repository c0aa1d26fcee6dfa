"""Faults of the ingress on a real wire: the program's own HTTP edge against a server on this machine."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from canary.clock import Line
from canary.courier import Ingress
from canary.edges.http import HttpIngress, Settings
from canary.values import Answer, Event, Now
from reconcile.outcome import Receipt
from tests.contract.fake_ingress import (
    OK,
    Behaviour,
    FakeIngress,
    answer,
    drips,
    fake_ingress,
    half_closes,
    says,
)
from tests.virtual.faults_pipeline import HOPS
from tests.virtual.naming import Deed, Named
from tests.virtual.pipeline import RAW
from tests.virtual.world import World

TIMEOUT = timedelta(seconds=0.5)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
DRIP = drips(OK, every=0.05)
STORM = says(answer("429 Too Many Requests", b"", "Retry-After: 0"))

FINELY = says(OK)
FINE, LOST, UNDELIVERED, REJECTED = "on_time", "lost", "undelivered", "rejected"


@dataclass(slots=True)
class WiredWorld(World):
    """A world whose canaries are posted over loopback; `mode` is what then becomes of them, `behaviour` what
    the server says."""

    mode: str = "accept"
    behaviour: Behaviour = FINELY
    server: FakeIngress | None = None
    _wire: ExitStack = field(default_factory=ExitStack)

    def _ingress(self, line: Line) -> Ingress:
        if self.server is None:
            self.server = self._wire.enter_context(fake_ingress(lambda sock: self.behaviour(sock)))
        return WiredIngress(self, self.server, now=line.now)

    def close(self) -> None:
        super(WiredWorld, self).close()
        self._wire.close()


class WiredIngress:
    """Posts for real. What the server read to its end is the pipeline's, to store or to lose."""

    def __init__(self, world: WiredWorld, server: FakeIngress, *, now: Now) -> None:
        self._world = world
        self._server = server
        self._http = HttpIngress(Settings(server.url, lambda: "a token", timeout=TIMEOUT), now=now)

    def post(self, events: Sequence[Event], lane: int) -> Answer:
        before = len(self._server.posted)
        said = self._http.post(events, lane)
        came = len(self._server.posted) > before
        for event in events:
            never = "refuse" if said.receipt is Receipt.REFUSED else "timeout_lost"
            self._world.pipeline.answers.insert(0, self._world.mode if came else never)
            self._world.pipeline.post(event)
        return said

    def close(self) -> None:
        self._http.close()


def _goes(behaviour: Behaviour, mode: str) -> Deed:
    def begin(world: World) -> None:
        if not isinstance(world, WiredWorld):
            raise TypeError("needs a wired world. This is a bug.")
        world.behaviour, world.mode = behaviour, mode

    return begin


def _row(name: str, behaviour: Behaviour, mode: str, expects: str) -> Named:
    pages = {FINE: (), LOST: (f"lost:{HOPS[RAW]}",), UNDELIVERED: ("undelivered:",), REJECTED: ("rejected:",)}
    return Named(
        f"on the wire: {name}",
        "ingress",
        _goes(behaviour, mode),
        _goes(FINELY, "accept"),
        hop=HOPS[RAW],
        expects=frozenset({expects}),
        pages=pages[expects],
    )


WIRED: Mapping[str, Named] = {
    fault.name: fault
    for fault in (
        _row("slow drip of an answer, stored", DRIP, "timeout_stored", FINE),
        _row("slow drip of an answer, lost", DRIP, "timeout_lost", UNDELIVERED),
        _row("slow drip of a body after a 200, stored", drips(HEAD, every=0), "accept", FINE),
        _row("slow drip of a body after a 200, lost", drips(HEAD, every=0), "accept_and_drop", LOST),
        _row("half-closed connection, stored", half_closes, "timeout_stored", FINE),
        _row("half-closed connection, lost", half_closes, "timeout_lost", UNDELIVERED),
        _row("a storm of 429", STORM, "refuse", REJECTED),
    )
}
