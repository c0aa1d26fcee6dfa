"""A port that was found free stays so for whoever it was found for."""

import socket
from pathlib import Path

import pytest

from canary.sandbox.doors import Doors
from canary.sandbox.gate import Gate
from canary.sandbox.httpd import HttpServer, Response
from canary.sandbox.ports import HOST, free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST = 49_152
"""Of IANA's ephemeral ports, for systems that do not say which they give away (RFC 6335)."""


def test_who_searches_later_does_not_come_upon_it() -> None:
    """Nobody listens there yet; who was told of it may, and leave it, and come back."""
    port = free_port()

    with socket.socket() as search, pytest.raises(OSError, match="in use"):
        search.bind((HOST, port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), 5)
    for _ in range(2):
        with socket.create_server((HOST, port)):
            socket.create_connection((HOST, port), 5).close()


def test_what_comes_back_to_its_port_has_none_that_others_are_given() -> None:
    """A door that refuses and a server that restarts are away from theirs for seconds."""
    lowest = int(RANGE.read_text().split()[0]) if RANGE.exists() else LOWEST
    doors, server = Doors(), HttpServer(lambda _: Response(200), gate=Gate())
    server.start()
    door = doors.open()
    doors.stop()
    server.stop()

    assert 0 < server.port < lowest
    assert 0 < door.port < lowest
