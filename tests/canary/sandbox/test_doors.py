"""Doors blind those they are about, and nobody else."""

import gc
import socket
import struct
import threading
import warnings
from collections.abc import Iterator

import pytest

from canary.sandbox.doors import Door, Doors, Mode, kafka_client
from canary.sandbox.ports import HOST

LONG, A_MOMENT = 20.0, 0.3
"""How long is waited for what must come, and for what must not."""


def request(client: str) -> bytes:
    body = struct.pack(">hhih", 18, 3, 1, len(client)) + client.encode()
    return struct.pack(">i", len(body)) + body


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it is sent."""
    server = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=repeat, args=(connection,), daemon=True).start()

    def repeat(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.fixture
def doors() -> Iterator[Doors]:
    opened = Doors()
    yield opened
    opened.stop()


def said(door: Door, data: bytes, *, within: float = LONG) -> bytes | str:
    """What comes back through the door, or what went wrong."""
    try:
        with socket.create_connection((HOST, door.port), LONG) as connection:
            connection.settimeout(within)
            connection.sendall(data)
            return connection.recv(1 << 16)
    except TimeoutError:
        return "silence"
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    except ConnectionRefusedError:
        return "refused"


@pytest.mark.parametrize(
    ("mode", "met", "alone"),
    [
        ("open", b"echo", b"echo"),
        ("refuse", "reset", "refused"),
        ("deny", b"", b"no"),
        ("hang", "silence", "silence"),
    ],
)
def test_each_mode_meets_the_monitor_alone(
    echo: int, doors: Doors, mode: Mode, met: bytes | str, alone: bytes | str
) -> None:
    """At a shared door only the monitor's client id is met by the mode; at a door of its own, everybody."""
    shared = doors.open(upstream=echo, only="ingestion-canary")
    private = doors.open(upstream=echo, denial=b"no")
    for door in (shared, private):
        doors.switch(door, mode)
    monitor, other = request("ingestion-canary-raw"), request("mover")

    assert said(shared, other) == other
    within = A_MOMENT if mode == "hang" else LONG
    assert said(shared, monitor, within=within) == (monitor if met == b"echo" else met)
    assert said(private, b"hello", within=within) == (b"hello" if alone == b"echo" else alone)


def test_a_connection_that_hung_goes_on_where_it_was(echo: int, doors: Doors) -> None:
    """What was said while the door hung arrives after it is healed, once, and not before."""
    door = doors.open(upstream=echo)
    with socket.create_connection((HOST, door.port), LONG) as connection:
        connection.settimeout(LONG)
        connection.sendall(b"one")
        assert connection.recv(10) == b"one"
        doors.switch(door, "hang")
        connection.sendall(b"two")
        connection.settimeout(A_MOMENT)
        with pytest.raises(TimeoutError):
            connection.recv(10)
        doors.switch(door, "open")
        connection.settimeout(LONG)
        assert connection.recv(3) == b"two"
        connection.sendall(b"three")

        assert connection.recv(10) == b"three"


@pytest.mark.parametrize("mode", ["refuse", "deny"])
@pytest.mark.parametrize("only", [None, "ingestion-canary"])
def test_a_connection_from_before_is_broken(echo: int, doors: Doors, mode: Mode, only: str | None) -> None:
    """Whoever is connected already is blinded as well, at once; the next one after the healing sees."""
    door = doors.open(upstream=echo, only=only)
    monitor = request("ingestion-canary-raw")
    with socket.create_connection((HOST, door.port), LONG) as connection:
        connection.settimeout(LONG)
        connection.sendall(monitor)
        assert connection.recv(1 << 16) == monitor
        doors.switch(door, mode)
        with pytest.raises(ConnectionResetError):
            connection.recv(10)
    doors.switch(door, "open")

    assert said(door, monitor) == monitor


def test_a_closed_door_refuses_everybody_until_it_is_opened(echo: int, doors: Doors) -> None:
    """Closing breaks what is open and refuses what comes; opening uses the same port."""
    door = doors.open(upstream=echo, only="ingestion-canary")
    doors.close(door, closed=True)
    assert said(door, request("mover")) == "refused"
    doors.close(door, closed=False)

    assert said(door, request("mover")) == request("mover")


def test_megabytes_pass_unharmed(echo: int, doors: Doors) -> None:
    """A large answer to a large question arrives whole."""
    door = doors.open(upstream=echo)
    data = bytes(range(256)) * 20_000
    with socket.create_connection((HOST, door.port), LONG) as connection:
        connection.settimeout(LONG)
        writer = threading.Thread(target=connection.sendall, args=(data,))
        writer.start()
        got = b""
        while len(got) < len(data):
            got += connection.recv(1 << 16)
        writer.join()

    assert got == data


def test_nothing_stays_open_to_a_part_that_has_stopped_listening() -> None:
    """Not even a connection with much that was never taken there, and however busy the machine."""
    with socket.create_server((HOST, 0)) as frozen, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        opened = Doors()
        door = opened.open(upstream=frozen.getsockname()[1])
        with socket.create_connection((HOST, door.port), LONG) as connection:
            connection.settimeout(A_MOMENT)
            with pytest.raises(TimeoutError):
                connection.sendall(bytes(50_000_000))
            opened.stop()
        del opened, door
        gc.collect()

    assert [str(one.message) for one in seen if issubclass(one.category, ResourceWarning)] == []


def test_client_ids_are_read_as_far_as_they_have_come() -> None:
    """Half a header says nothing yet."""
    whole = request("ingestion-canary")

    assert kafka_client(whole) == "ingestion-canary"
    assert all(kafka_client(whole[:end]) is None for end in range(len(whole)))
