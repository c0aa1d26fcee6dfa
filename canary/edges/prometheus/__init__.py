"""A Prometheus endpoint: its counters as they stand."""

from canary.edges.prometheus.scrape import Endpoint

__all__ = ["Endpoint"]
