"""Connects as kafka-python does, but loses no socket and no last word.

The library leaves sockets whose connecting or TLS handshake failed to the garbage collector, one for each
try; and what a broker says right before it hangs up, which is why it does, it throws away.
"""

import ssl
from typing import Any

import kafka.errors as kafka_errors
from kafka.net.inet import KafkaNetSocket, create_connection
from kafka.net.manager import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport


class Direct(KafkaNetSocket):  # type: ignore[misc]
    """Goes straight to the broker; chosen by the scheme of `proxy_url`."""

    SCHEMES = ("direct",)

    async def connect(
        self, net: Any, addrinfo: Any, socket_options: Any = (), timeout_at: float | None = None
    ) -> Any:
        family, kind, protocol, _, address = addrinfo
        made = self.socket(family, kind, protocol)
        try:
            made.setblocking(False)
            for option in socket_options:
                made.setsockopt(*option)
            return await self.sock_connect(net, made, address, timeout_at=timeout_at)
        except BaseException:
            made.close()
            raise


class _Plain(KafkaTCPTransport):  # type: ignore[misc]
    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        data, error = super()._sock_recv()
        return data, None if data else error


class _Secure(KafkaSSLTransport):  # type: ignore[misc]
    def _sock_recv(self) -> tuple[bytes, Exception | None]:
        data, error = super()._sock_recv()
        return data, None if data else error


class Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Builds the transports itself."""

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        made = await create_connection(
            self._net,
            node.host,
            node.port,
            self.config["socket_options"],
            proxy_url=self.config["proxy_url"],
            timeout_at=timeout_at,
        )
        try:
            transport = self._wrapped(made, node.host)
        except BaseException:
            made.close()
            raise
        try:
            await transport.handshake()
        except ssl.SSLError as error:
            transport.abort(error)
            raise kafka_errors.KafkaConnectionError(error) from error
        except BaseException as error:
            transport.abort(error)
            raise
        return transport

    def _wrapped(self, made: Any, host: str) -> Any:
        if self.ssl_enabled:
            return _Secure(self._net, made, host=host, ssl_context=self.config["ssl_context"])
        return _Plain(self._net, made, host=host)


def tls_trouble(error: ssl.SSLError) -> str:
    """One line about a TLS connection that failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the broker's certificate is not trusted ({error.verify_message})"
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "alert" in reason and "certificate" in reason:
        return f"TLS: the broker does not accept our certificate ({reason})"
    return f"TLS: {reason}"
