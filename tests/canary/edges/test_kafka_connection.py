"""What a Kafka that cannot be reached does to a look: it is told why, soon, and without secrets."""

import gc
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import timedelta

import pytest

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Settings
from canary.edges.kafka.security import Sasl, Tls, library_settings
from canary.sandbox.ports import free_port
from canary.values import Marks, Resume

MARKS = Marks(lambda _: False, "ingestion_canary", "canary-")


def stage(address: str, *, tls: Tls | None = None, sasl: Sasl | None = None) -> KafkaStage:
    settings = Settings(
        "raw",
        (address,),
        "topic",
        next_group="group",
        tls=tls,
        sasl=sasl,
        timeout=timedelta(seconds=1),
        wait=timedelta(milliseconds=50),
    )
    return KafkaStage(settings, marks=MARKS, now=Line(SystemClock()).now, resume=Resume())


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def hanging_up() -> Iterator[str]:
    """Something that accepts connections and closes them at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        worker = threading.Thread(target=serve, daemon=True)
        worker.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        worker.join(5)


def closed_port() -> str:
    return f"127.0.0.1:{free_port()}"


def test_nobody_listening_is_named() -> None:
    """A refused connection says so, with the address, at every look until somebody listens."""
    address = closed_port()
    edge = stage(address)
    for _ in range(5):
        look = edge.look(())
        assert look.blind == f"{address}: connection refused"
        assert look.positions_unreadable == look.blind
        assert not look.coverage
    edge.close()


def test_a_name_that_does_not_resolve_is_named() -> None:
    """A bootstrap name without an address is blindness with that reason."""
    edge = stage("no-such-host.invalid:9092")
    look = edge.look(())
    edge.close()

    assert "no-such-host.invalid:9092" in look.blind or "no answer" in look.blind


def test_silence_ends_a_look_at_its_deadline(silent: str) -> None:
    """A broker that accepts and never answers costs one deadline, and nothing at the close."""
    edge = stage(silent)
    began = time.monotonic()
    look = edge.look(())
    looked = time.monotonic()
    edge.close()

    assert look.blind
    assert looked - began < 2
    assert time.monotonic() - looked < 1


def test_a_tls_handshake_that_hangs_leaves_nothing_behind(silent: str) -> None:
    """The look ends at its deadline, and no socket is left for the garbage collector to complain of."""
    edge = stage(silent, tls=Tls())
    look = edge.look(())
    edge.close()
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        del edge
        gc.collect()

    assert look.blind
    assert not [str(one.message) for one in complaints]


def test_a_server_that_hangs_up_is_blindness(hanging_up: str) -> None:
    """A proxy with nothing behind it is told, not raised."""
    edge = stage(hanging_up)
    look = edge.look(())
    edge.close()

    assert look.blind
    assert "\n" not in look.blind


def test_a_certificate_that_cannot_be_read_is_blindness() -> None:
    """A missing file of authorities is told at the look, by which time it may be there."""
    edge = stage(closed_port(), tls=Tls(ca_file="/does/not/exist.pem"))
    look = edge.look(())
    edge.close()

    assert look.blind


def test_a_secret_that_cannot_be_read_is_blindness() -> None:
    """A secret file that is gone blinds the stage and does not end the program."""

    def gone() -> str:
        raise FileNotFoundError("kafka-password: no such file")

    edge = stage(closed_port(), sasl=Sasl("PLAIN", gone, "user"))
    look = edge.look(())
    edge.close()

    assert "kafka-password" in look.blind


def test_secrets_are_read_afresh_and_never_shown() -> None:
    """Passwords and tokens reach the library alone, as they are at that moment."""
    words = iter(["first-secret", "second-secret", "third-secret"])
    sasl = Sasl("SCRAM-SHA-512", lambda: next(words), "user")

    assert library_settings(None, sasl)["sasl_plain_password"] == "first-secret"
    assert library_settings(Tls(), sasl)["sasl_plain_password"] == "second-secret"
    assert library_settings(Tls(), sasl)["security_protocol"] == "SASL_SSL"
    token = library_settings(None, Sasl("OAUTHBEARER", lambda: "a token"))["sasl_oauth_token_provider"]
    assert token.token() == "a token"
    assert "secret" not in repr(Settings("raw", ("x:1",), "t", sasl=sasl))
