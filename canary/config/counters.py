"""`[counters]`: the ingress's own counters, held against the growth of the first topic."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

from canary.config.fields import Span, Table, Text, Texts, Url

RECEIVED = ("capture_events_received_total",)
DROPPED = ("capture_events_dropped_total",)
ALSO: Mapping[str, str] = MappingProxyType({"capture_quota_limit_exceeded": "over_quota"})
"""PostHog's capture counts what a quota stops here, and in some versions as a cause of its drops as well."""


class CountersConfig(Table):
    """`[counters]`. Off while `urls` is empty."""

    urls: tuple[Url, ...] = ()
    preset: Literal["posthog", "generic"] = "posthog"
    received: Texts = ()
    dropped: Texts = ()
    cause: Text = "cause"
    every: Span = timedelta(seconds=15)
    under_way: Span = timedelta(seconds=1)
    timeout: Span = timedelta(seconds=2)

    @property
    def names_received(self) -> frozenset[str]:
        return frozenset(self.received or (RECEIVED if self.preset == "posthog" else ()))

    @property
    def names_dropped(self) -> frozenset[str]:
        return frozenset(self.dropped or (DROPPED if self.preset == "posthog" else ()))

    @property
    def also(self) -> Mapping[str, str]:
        """Counters that speak of a cause of drops once more."""
        return ALSO if self.preset == "posthog" and not self.dropped else {}
