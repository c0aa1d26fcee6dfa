"""`tls = {...}` of a probe or stage."""

from canary.config.fields import FilePath, Flag, Table


class TlsConfig(Table):
    """Trust and identity on one connection; an empty table means TLS with the system's roots."""

    ca_file: FilePath | None = None
    cert_file: FilePath | None = None
    key_file: FilePath | None = None
    verify: Flag = True
