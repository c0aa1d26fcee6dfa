"""Certificates for an ingress, read again when their files change."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a connection is secured with. Without a `ca_file` the system's authorities are trusted."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    key_password: Callable[[], str] | None = field(default=None, repr=False)
    verify: bool = True


class TlsContexts:
    """Holds the context for the files as they are now; a change that does not load changes nothing."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._stamp = self._stamps()
        try:
            self._context = _context(files)
        except (OSError, ValueError) as error:
            raise ValueError(f"probes.tls: {_fault(error)}") from error

    def current(self) -> ssl.SSLContext:
        """For the next connection."""
        stamp = self._stamps()
        if stamp != self._stamp:
            try:
                self._context, self._stamp = _context(self._files), stamp
            except (OSError, ValueError):
                return self._context  # half replaced: certificate and key do not fit yet; looked at next time
        return self._context

    def _stamps(self) -> tuple[int, ...]:
        names = (self._files.ca_file, self._files.cert_file, self._files.key_file)
        return tuple(_changed(name) for name in names if name)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.ca_file)
    if not files.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if files.cert_file:
        # without a password given, OpenSSL would ask for one on the terminal
        password = files.key_password or str
        context.load_cert_chain(files.cert_file, files.key_file, password=password)
    return context


def _changed(name: str) -> int:
    try:
        return os.stat(name).st_mtime_ns
    except OSError:
        return 0


def _fault(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"cannot be loaded ({(error.reason or str(error)).replace('_', ' ').lower()})"
    return f"cannot be loaded ({error.strerror if isinstance(error, OSError) else error})"
