"""How a Kafka connection is secured, as settings of each client library; secrets are read when needed."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kafka.net.sasl.oauth import AbstractTokenProvider

from canary.values import Secret

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates as file names; without `ca_file` the system's authorities are trusted."""

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    key_password: Secret | None = field(default=None, repr=False)
    check_hostname: bool = True


@dataclass(frozen=True, slots=True)
class Sasl:
    """`secret` is the password, or for OAUTHBEARER the token as it is at the moment of asking."""

    mechanism: Mechanism
    secret: Secret = field(repr=False)
    username: str = ""


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """Hands the library a fresh token each time it authenticates."""

    def __init__(self, secret: Secret) -> None:
        super().__init__()
        self._secret = secret

    def token(self) -> str:
        return self._secret()


def library_settings(tls: Tls | None, sasl: Sasl | None) -> Mapping[str, Any]:
    """The same in the words of kafka-python."""
    settings: dict[str, Any] = {"security_protocol": _protocol(tls, sasl)}
    if tls is not None:
        settings["ssl_context"] = _context(tls)
    if sasl is not None:
        settings["sasl_mechanism"] = sasl.mechanism
        if sasl.mechanism == "OAUTHBEARER":
            settings["sasl_oauth_token_provider"] = _Tokens(sasl.secret)
        else:
            settings.update(sasl_plain_username=sasl.username, sasl_plain_password=sasl.secret())
    return settings


TOKEN_FOR = 300.0
"""Seconds after which librdkafka is given the token anew: something else keeps it fresh."""


def librdkafka_settings(tls: Tls | None, sasl: Sasl | None) -> Mapping[str, Any]:
    """The same in the words of librdkafka. Raises OSError where a secret cannot be read."""
    settings: dict[str, Any] = {"security.protocol": _protocol(tls, sasl)}
    if tls is not None:
        files = {
            "ssl.ca.location": tls.ca_file,
            "ssl.certificate.location": tls.certificate_file,
            "ssl.key.location": tls.key_file or tls.certificate_file,
            "ssl.key.password": tls.key_password() if tls.key_password else None,
        }
        settings.update({name: text for name, text in files.items() if text})
        settings["ssl.endpoint.identification.algorithm"] = "https" if tls.check_hostname else "none"
    if sasl is not None:
        settings["sasl.mechanism"] = sasl.mechanism
        if sasl.mechanism == "OAUTHBEARER":
            secret = sasl.secret
            settings["oauth_cb"] = lambda _config: (secret(), time.time() + TOKEN_FOR)
        else:
            settings.update({"sasl.username": sasl.username, "sasl.password": sasl.secret()})
    return settings


def _context(tls: Tls) -> ssl.SSLContext:
    """Read anew for each session, so that renewed files are taken up; raises OSError or ValueError."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.check_hostname = tls.check_hostname
    if tls.certificate_file is not None:
        password = tls.key_password() if tls.key_password else ""
        context.load_cert_chain(tls.certificate_file, tls.key_file, lambda: password)
    return context


def _protocol(tls: Tls | None, sasl: Sasl | None) -> str:
    if sasl is not None:
        return "SASL_SSL" if tls is not None else "SASL_PLAINTEXT"
    return "SSL" if tls is not None else "PLAINTEXT"
