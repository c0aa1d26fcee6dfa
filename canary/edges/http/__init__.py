"""An HTTP ingress: posts canaries, and tells what was surely taken, surely not, or unknown."""

from canary.edges.http.ingress import HttpIngress, Settings
from canary.edges.http.tls import TlsFiles

__all__ = ["HttpIngress", "Settings", "TlsFiles"]
