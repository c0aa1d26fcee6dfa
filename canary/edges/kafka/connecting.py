"""Connects as kafka-python does, but closes every socket that does not become a connection.

The library leaves those whose connecting or TLS handshake failed to the garbage collector, one for each try.
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
            raise kafka_errors.KafkaConnectionError(f"TLS handshake failed: {_reason(error)}") from error
        except BaseException as error:
            transport.abort(error)
            raise
        return transport

    def _wrapped(self, made: Any, host: str) -> Any:
        if self.ssl_enabled:
            return KafkaSSLTransport(self._net, made, host=host, ssl_context=self.config["ssl_context"])
        return KafkaTCPTransport(self._net, made, host=host)


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted ({error.verify_message})"
    return (error.reason or str(error)).replace("_", " ").lower()
