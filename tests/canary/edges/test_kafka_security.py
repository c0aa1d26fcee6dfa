"""A real Apache Kafka behind certificates, passwords, tokens and access lists: let in, or told why not."""

import base64
import json
import logging
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    NewTopic,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from canary.clock import Line, SystemClock
from canary.edges.kafka import KafkaStage, Sasl, Settings, Tls
from canary.edges.kafka.security import Mechanism
from canary.sandbox.ports import free_port
from canary.values import Look, Marks, Resume
from tests.kafka_nodes import HOST, nodes

pytestmark = pytest.mark.reference

FILES = Path(__file__).parents[2] / "contract" / "tls"
MARKS = Marks(lambda _: False, "ingestion_canary", "canary-")
PASSWORD = "pass-of-the-tests-7f3a"
MECHANISMS: tuple[Mechanism, ...] = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
SECURITY = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A node that lets in by certificate at one address, by SASL over TLS at another, and all at a third."""

    tls: str
    sasl: str
    inside: str


def settings(folder: Path, tls: int, sasl: int) -> dict[str, str]:
    keys = folder / "keys.pem"
    keys.write_text((FILES / "server.key").read_text() + (FILES / "server.pem").read_text())
    scram = f"{SECURITY}.scram.ScramLoginModule required;"
    own = 'unsecuredLoginStringClaim_sub="broker"'
    return {
        "+listeners": f"TLS://{HOST}:{tls},SASL://{HOST}:{sasl}",
        "+advertised.listeners": f"TLS://{HOST}:{tls},SASL://{HOST}:{sasl}",
        "+listener.security.protocol.map": "TLS:SSL,SASL:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keys),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(FILES / "authority.pem"),
        "listener.name.tls.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": ",".join([*MECHANISMS, "OAUTHBEARER"]),
        "listener.name.sasl.plain.sasl.jaas.config": f"{SECURITY}.plain.PlainLoginModule required "
        f'user_reader="{PASSWORD}";',
        "listener.name.sasl.scram-sha-256.sasl.jaas.config": scram,
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.sasl.oauthbearer.sasl.jaas.config": f"{SECURITY}.oauthbearer.OAuthBearerLoginModule "
        f"required {own};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder, tls, sasl = tmp_path_factory.mktemp("guarded"), free_port(), free_port()
    with nodes(folder, [settings(folder, tls, sasl)]) as (node,):
        admin: Any = KafkaAdminClient(bootstrap_servers=node.address, proxy_url="direct://")
        admin.create_topics([NewTopic(name, 2, 1) for name in ("open", "shut", "seen")])
        for kind in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            admin.alter_user_scram_credentials([UserScramCredentialUpsertion("reader", kind, PASSWORD)])
        rights = [("open", ACLOperation.READ), ("seen", ACLOperation.DESCRIBE)]
        admin.create_acls(
            [
                ACL(who, "*", right, ACLPermissionType.ALLOW, ResourcePattern(ResourceType.TOPIC, topic))
                for topic, right in rights
                for who in ("User:reader", "User:CN=client")
            ]
        )
        admin.close()
        yield Guarded(f"{HOST}:{tls}", f"{HOST}:{sasl}", node.address)


Edge = Callable[..., KafkaStage]


@pytest.fixture
def edge(guarded: Guarded) -> Iterator[Edge]:
    opened: list[KafkaStage] = []

    def made(*, tls: Tls, sasl: Sasl | None = None, topic: str = "open", **more: Any) -> KafkaStage:
        address = guarded.sasl if sasl else guarded.tls
        wait = timedelta(milliseconds=50)
        given = Settings("raw", (address,), topic, tls=tls, sasl=sasl, wait=wait, **more)
        opened.append(KafkaStage(given, marks=MARKS, now=Line(SystemClock()).now, resume=Resume()))
        return opened[-1]

    yield made
    for stage in opened:
        stage.close()


def until(stage: KafkaStage, enough: Callable[[Look], bool]) -> Look:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        look = stage.look(())
        if enough(look):
            return look
    raise AssertionError(f"not within 20 s; the last look was {look}")


def covered(look: Look) -> bool:
    return not look.blind and len(look.coverage) == 2


TRUSTING = Tls(ca_file=str(FILES / "authority.pem"))
CERTIFIED = Tls(
    ca_file=str(FILES / "authority.pem"),
    certificate_file=str(FILES / "client.pem"),
    key_file=str(FILES / "client.key"),
)


def test_a_client_certificate_lets_in(edge: Edge) -> None:
    """Trusted on both sides, the topic is read."""
    assert until(edge(tls=CERTIFIED), covered)


def test_an_encrypted_key_is_opened_with_its_password(edge: Edge, tmp_path: Path) -> None:
    """With the right password it works; with a wrong one, blindness that does not show it."""
    key = tmp_path / "client.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", str(FILES / "client.key"), "-out", str(key)]
    subprocess.run([*command, "-passout", f"pass:{PASSWORD}"], check=True, capture_output=True)
    right = replace(CERTIFIED, key_file=str(key), key_password=lambda: PASSWORD)
    assert until(edge(tls=right), covered)
    wrong = edge(tls=replace(right, key_password=lambda: PASSWORD + "x")).look(())
    assert "cannot connect" in wrong.blind
    assert PASSWORD not in repr(wrong)


def test_no_certificate_is_told(edge: Edge) -> None:
    """Without one the broker hangs up, and the look says so."""
    look = edge(tls=TRUSTING).look(())
    assert "does not accept our certificate" in look.blind


def test_a_broker_that_is_not_trusted_is_told(edge: Edge) -> None:
    """A broker whose authority we do not know is not spoken to, and no socket is left behind."""
    stage = edge(tls=Tls())
    for _ in range(3):
        assert "certificate is not trusted" in stage.look(()).blind


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_password_lets_in(edge: Edge, mechanism: Mechanism) -> None:
    """The right one is enough, by every mechanism."""
    assert until(edge(tls=TRUSTING, sasl=Sasl(mechanism, lambda: PASSWORD, "reader")), covered)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_named_and_read_again(
    edge: Edge, tmp_path: Path, caplog: pytest.LogCaptureFixture, mechanism: Mechanism
) -> None:
    """Refused, the reason speaks of authentication and hides the password; a renewed file is taken up."""
    file = tmp_path / "password"
    file.write_text("wrong-" + PASSWORD)
    stage = edge(tls=TRUSTING, sasl=Sasl(mechanism, file.read_text, "reader"))
    with caplog.at_level(logging.INFO):
        look = stage.look(())
    assert "authentication failed" in look.blind
    assert PASSWORD not in repr(look) + caplog.text
    file.write_text(PASSWORD)
    assert until(stage, covered)


def token(**claims: object) -> str:
    """An unsecured one, as only tests use them."""
    parts = [{"alg": "none"}, {"sub": "reader", "iat": time.time(), **claims}]
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*packed, ""])


def test_a_token_lets_in_until_it_expires(edge: Edge) -> None:
    """A fresh one works, one that has run out is refused as authentication, and none is shown."""
    good, stale = token(exp=time.time() + 600), token(iat=1, exp=2)
    assert until(edge(tls=TRUSTING, sasl=Sasl("OAUTHBEARER", lambda: good)), covered)
    look = edge(tls=TRUSTING, sasl=Sasl("OAUTHBEARER", lambda: stale)).look(())
    assert "authentication failed" in look.blind
    assert stale not in repr(look)


@pytest.mark.parametrize("way", ["certificate", *MECHANISMS, "OAUTHBEARER"])
def test_librdkafka_is_let_in_by_the_same_settings(edge: Edge, guarded: Guarded, way: Any) -> None:
    """What was written is carried by it, and not by the other client in its stead."""
    secret = token(exp=time.time() + 600) if way == "OAUTHBEARER" else PASSWORD
    sasl = None if way == "certificate" else Sasl(way, lambda: secret, "reader")
    stage = edge(tls=CERTIFIED if sasl is None else TRUSTING, sasl=sasl, client="librdkafka")
    until(stage, covered)
    producer: Any = KafkaProducer(bootstrap_servers=guarded.inside, proxy_url="direct://")
    producer.send("open", value=b"{}").get(10)
    producer.close()
    look = until(stage, lambda look: bool(look.counts.get("records_read")))
    assert look.notes == []


@pytest.mark.parametrize("topic", ["shut", "seen"])
def test_a_topic_that_is_denied_is_named(edge: Edge, topic: str) -> None:
    """Whether it may not even be described, or described and not read."""
    stage = edge(tls=TRUSTING, sasl=Sasl("PLAIN", lambda: PASSWORD, "reader"), topic=topic)
    assert until(stage, lambda look: bool(look.blind)).blind == f"not authorized to read topic {topic}"


def test_a_group_that_is_denied_hides_only_positions(edge: Edge) -> None:
    """The topic is read on; why there are no positions is told."""
    stage = edge(tls=TRUSTING, sasl=Sasl("PLAIN", lambda: PASSWORD, "reader"), next_group=uuid.uuid4().hex)
    look = until(stage, lambda look: covered(look) and "not read yet" not in look.positions_unreadable)
    assert "Authorization" in look.positions_unreadable
