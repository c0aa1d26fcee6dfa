"""TLS to an ingress: both sides prove themselves, and what fails before the request is surely not taken.

The certificates in `tls/` are for these tests only: their authority's key is gone, and nobody trusts it.
"""

import os
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from canary.edges.http import HttpIngress, Settings
from canary.edges.http.tls import TlsFiles
from canary.event import Payload
from canary.identity import Mint
from canary.values import Answer
from reconcile.outcome import Receipt
from tests.contract.fake_ingress import OK as FINE
from tests.contract.fake_ingress import Behaviour, drips, fake_ingress, hangs_up, says

FILES = Path(__file__).parent / "tls"
AUTHORITY = str(FILES / "authority.pem")
CLIENT = TlsFiles(AUTHORITY, str(FILES / "client.pem"), str(FILES / "client.key"))
SECRET = b"a secret for these tests"


def server(*, asks: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=AUTHORITY)
    context.load_cert_chain(FILES / "server.pem", FILES / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
    return context


def now() -> datetime:
    return datetime.now(UTC)


def ingress(url: str, tls: TlsFiles) -> HttpIngress:
    return HttpIngress(Settings(url, lambda: "phc_x", tls=tls, timeout=timedelta(seconds=1)), now=now)


def post(one: HttpIngress) -> Answer:
    event = Payload(SECRET, "m").event(Mint(SECRET, "m").mint(now()), distinct_id="d", sent_at=now())
    return one.post([event])


def test_a_trusted_server_is_posted_to_on_one_connection() -> None:
    """What TLS says for itself between two posts does not look like a closed connection."""
    with fake_ingress(tls=server()) as fake:
        one = ingress(fake.url, TlsFiles(AUTHORITY))
        assert [post(one).detail for _ in range(4)] == ["200 OK"] * 4
        assert fake.connections == 1
        one.close()


def test_a_client_certificate_is_shown() -> None:
    """A server that asks for one gets it."""
    with fake_ingress(tls=server(asks=True)) as fake:
        one = ingress(fake.url, CLIENT)
        assert post(one).receipt is Receipt.ACCEPTED
        one.close()


def test_a_server_nobody_vouches_for_is_not_posted_to() -> None:
    """Nothing was sent, and the words say whose certificate it was about."""
    with fake_ingress(tls=server()) as fake:
        said = post(ingress(fake.url, TlsFiles()))
        assert fake.posted == []
    assert said.receipt is Receipt.REFUSED
    assert said.detail.startswith("not sent: TLS: the server's certificate is not accepted:")


def test_verification_can_be_switched_off() -> None:
    """For a trial with a certificate of one's own making."""
    with fake_ingress(tls=server()) as fake:
        one = ingress(fake.url, TlsFiles(verify=False))
        assert post(one).receipt is Receipt.ACCEPTED
        one.close()


def test_a_missing_client_certificate_takes_nothing() -> None:
    """The server reads no request from one who does not prove himself (a bare reset may hide why)."""
    with fake_ingress(tls=server(asks=True)) as fake:
        said = post(ingress(fake.url, TlsFiles(AUTHORITY)))
        assert fake.posted == []
    assert said.receipt is not Receipt.ACCEPTED
    assert said.receipt is Receipt.UNKNOWN or "certificate required" in said.detail


def test_a_server_without_tls_is_not_posted_to() -> None:
    """The handshake fails before the request."""
    with fake_ingress(hangs_up, unread=True) as fake:
        said = post(ingress(fake.url.replace("http:", "https:"), TlsFiles(AUTHORITY)))
    assert said.receipt is Receipt.REFUSED
    assert said.detail.startswith("not sent: TLS: ")


@pytest.mark.parametrize("behaviour", [hangs_up, drips(FINE)], ids=["closed", "dripping"])
def test_no_answer_through_tls_is_unknown(behaviour: Behaviour) -> None:
    """As without TLS."""
    with fake_ingress(behaviour, says(FINE), tls=server()) as fake:
        one = ingress(fake.url, TlsFiles(AUTHORITY))
        began = now()
        assert post(one).receipt is Receipt.UNKNOWN
        assert now() - began < timedelta(seconds=1.5)
        one.close()


def test_renewed_certificates_are_read_again(tmp_path: Path) -> None:
    """A half replaced pair changes nothing; once it fits, it is used."""
    names = [tmp_path / name for name in ("authority.pem", "client.pem", "client.key")]
    for name in names:
        shutil.copy(FILES / name.name, name)
    tls = TlsFiles(str(names[0]), str(names[1]), str(names[2]))
    with fake_ingress(tls=server(asks=True)) as fake:
        one = HttpIngress(Settings(fake.url, lambda: "x", tls=tls, renew=timedelta(0)), now=now)
        shutil.copy(FILES / "server.key", names[2])
        assert post(one).receipt is Receipt.ACCEPTED
        names[0].write_text("nonsense")
        os.utime(names[0], (1, 1))
        assert post(one).receipt is Receipt.ACCEPTED
        for name in names:
            shutil.copy(FILES / name.name, name)
        assert post(one).receipt is Receipt.ACCEPTED
        one.close()


def test_files_that_cannot_be_read_are_named() -> None:
    """At start, before anything is sent."""
    for files in (
        TlsFiles("/nowhere.pem"),
        TlsFiles(AUTHORITY, str(FILES / "client.pem"), str(FILES / "server.key")),
    ):
        with pytest.raises(ValueError, match=r"probes\.tls: cannot be loaded"):
            ingress("https://127.0.0.1", files)
