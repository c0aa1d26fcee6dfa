"""What tests of an HTTP ingress need: canaries to post, ingresses that get closed, and what always holds."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from canary.edges.http import HttpIngress, Settings
from canary.event import Payload
from canary.identity import Mint
from canary.values import Answer, Event

SECRET = b"a secret for these tests"
TOKEN = "phc_do_not_show_me"
SHORT = timedelta(seconds=0.4)

Maker = Callable[..., HttpIngress]


def now() -> datetime:
    return datetime.now(UTC)


def canary() -> Event:
    """A fresh one."""
    at = now()
    id_ = Mint(SECRET, "main").mint(at)
    return Payload(SECRET, "main").event(id_, distinct_id="canary-main-0", sent_at=at)


def making_ingresses() -> Iterator[Maker]:
    """Makes ingresses, and closes them when the test is over."""
    made: list[HttpIngress] = []

    def make(url: str, **settings: Any) -> HttpIngress:
        made.append(HttpIngress(Settings(url, lambda: TOKEN, **{"timeout": SHORT, **settings}), now=now))
        return made[-1]

    yield make
    for one in made:
        one.close()


def told(said: Answer) -> None:
    """What holds of every answer."""
    assert said.started_at <= said.answered_at
    assert TOKEN not in said.detail
    assert said.detail
    assert said.detail.isprintable()
    assert len(said.detail) <= 200
