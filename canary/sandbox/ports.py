"""Ports on this machine that stay ours until we listen on them, and while we are away for a moment."""

import random
import socket

HOST = "127.0.0.1"

_LOWEST, _HIGHEST = 20_000, 32_000


def free_port() -> int:
    """A port that nobody else comes upon for a minute, whoever it is for.

    It lies below those that the system gives to whoever asks for any port; and a connection that was just
    closed keeps the next search from it, but nobody who listens there with SO_REUSEADDR, as servers do.
    """
    while True:
        port = random.randrange(_LOWEST, _HIGHEST)
        with socket.socket() as listener:
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            # what is left of it lets those listen who ask for that
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.listen(1)
            with socket.create_connection((HOST, port)):
                listener.accept()[0].close()
            return port
