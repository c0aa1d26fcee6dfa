"""Through Alertmanager: alive while open, ended when over, one alert throughout; the real one agrees."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.alertmanager import AlertmanagerSender, Login
from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.posting import Call
from canary.sandbox.httpd import Request, Response
from tests.alerts import ways

CALL = Call("alertmanager", timedelta(seconds=20))
LINKS = Links(runbook="https://runbooks/{kind}", status="https://status/")


@dataclass
class Clock:
    """A wall clock that stands until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        """The time."""
        return self.now


@dataclass
class Server:
    """Keeps what was posted."""

    status: int = 200
    posts: list[list[dict[str, Any]]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        """One request."""
        self.headers.append(request.headers.get("authorization", ""))
        if self.status == 200 and request.method == "POST":
            self.posts.append(json.loads(request.body))
        return Response(self.status)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is to be closed at the end."""
    with ExitStack() as found:
        yield found


def opened(now: datetime, severity: Severity = Severity.PAGE, number: int = 1) -> Notice:
    """An incident that begins now."""
    content = Condition("lost:raw->events", severity, "lost 3", facts=(("lost", "3"),), ids=("x",))
    return Notice(f"{number}.1", number, 1, Kind.OPENED, content, now, now)


def test_labels_stay_the_same_and_the_text_is_annotations(stack: ExitStack) -> None:
    """The end carries the labels of the beginning, whatever else has changed by then."""
    server, clock = Server(), Clock()
    _, url = stack.enter_context(ways.served(server))
    one = AlertmanagerSender([url], call=CALL, links=LINKS, labels={"instance": "eu"}, now=clock)
    first = opened(clock.now)
    receipt = one.send(first, None)
    worse = replace(first.content, title="lost 30", count=30, facts=(("lost", "30"),))
    over = replace(first, kind=Kind.RESOLVED, content=worse, ended_at=clock.now + timedelta(seconds=5))
    clock.now += timedelta(seconds=9)
    one.send(over, receipt)
    (begun,), (ended,) = server.posts
    assert begun["labels"] == ended["labels"]
    assert begun["labels"] == {
        "alertname": "Incident",
        "instance": "eu",
        "kind": "lost",
        "key": "lost:raw->events",
        "incident": "1",
        "severity": "page",
    }
    assert begun["annotations"]["summary"] == "lost 3"
    assert begun["annotations"]["runbook_url"] == "https://runbooks/lost"
    assert ended["annotations"]["description"] == "lost: 30"
    assert ended["endsAt"] < clock.now.isoformat()


def test_open_alerts_are_told_again_before_they_end(stack: ExitStack) -> None:
    """Each round moves the end on; an incident that is over without word of it is ended at once."""
    server, clock = Server(), Clock()
    _, url = stack.enter_context(ways.served(server))
    one = AlertmanagerSender([url], call=CALL, every=timedelta(minutes=1), now=clock)
    notice = opened(clock.now)
    receipt = one.send(notice, None)
    ends = [server.posts[-1][0]["endsAt"]]
    for _ in range(3):
        clock.now += one.every
        one.keep([(notice, receipt)])
        assert clock.now.isoformat() < ends[-1]
        ends.append(server.posts[-1][0]["endsAt"])
    assert ends == sorted(set(ends))
    one.keep([])
    assert server.posts[-1][0]["endsAt"][:19] == clock.now.isoformat()[:19]
    posts = len(server.posts)
    one.keep([])
    assert len(server.posts) == posts


def test_an_incident_that_got_worse_is_routed_anew(stack: ExitStack) -> None:
    """Routes go by severity, so the old alert ends and a new one begins, in one post."""
    server, clock = Server(), Clock()
    _, url = stack.enter_context(ways.served(server))
    one = AlertmanagerSender([url], call=CALL, now=clock)
    ticket = opened(clock.now, Severity.TICKET)
    receipt = one.send(ticket, None)
    page = replace(ticket, kind=Kind.STILL, content=replace(ticket.content, severity=Severity.PAGE))
    receipt = one.send(page, receipt)
    old, new = server.posts[-1]
    assert (old["labels"]["severity"], new["labels"]["severity"]) == ("ticket", "page")
    assert old["endsAt"] <= new["endsAt"]
    one.send(replace(ticket, kind=Kind.RESOLVED, ended_at=clock.now), receipt)
    assert [alert["labels"]["severity"] for alert in server.posts[-1]] == ["page"]


def test_one_server_of_a_cluster_is_enough(stack: ExitStack) -> None:
    """All are told, as Prometheus does; only where none takes it has it failed."""
    up, down = Server(), Server(status=503)
    _, first = stack.enter_context(ways.served(down))
    _, second = stack.enter_context(ways.served(up))
    notice = opened(datetime.now(UTC))
    AlertmanagerSender([first, second], call=CALL).send(notice, None)
    assert len(up.posts) == 1
    up.status = 400
    with pytest.raises(DeliveryError) as caught:
        AlertmanagerSender([first, second], call=CALL).send(notice, None)
    assert (caught.value.permanent, caught.value.uncertain) == (False, True)


def test_logs_in_by_password_or_token(stack: ExitStack) -> None:
    """Basic or bearer, read anew each time."""
    server = Server()
    _, url = stack.enter_context(ways.served(server))
    notice = opened(datetime.now(UTC))
    AlertmanagerSender([url], call=CALL, login=Login("me", password=lambda: "pw")).send(notice, None)
    AlertmanagerSender([url], call=CALL, login=Login(bearer=lambda: "tok")).send(notice, None)
    assert server.headers == ["Basic bWU6cHc=", "Bearer tok"]


@pytest.fixture
def real(stack: ExitStack) -> str:
    """The address of a real one."""
    if ways.alertmanager_program() is None:
        if ways.under_ci():
            pytest.fail("prometheus-alertmanager is missing: CI must have it")
        pytest.skip("needs Debian's prometheus-alertmanager")
    return stack.enter_context(ways.running())


def test_the_real_one_holds_it_while_it_is_open_and_no_longer(real: str) -> None:
    """Raised it is active, renewed it is still one alert, and after the end there is none."""
    one = AlertmanagerSender([real], call=CALL)
    notice = opened(datetime.now(UTC))
    receipt = one.send(notice, None)
    one.keep([(notice, receipt)])
    (alert,) = ways.active(real)
    assert (alert["labels"]["incident"], alert["status"]["state"]) == ("1", "active")
    assert alert["annotations"]["ids"] == "x"
    one.send(replace(notice, kind=Kind.RESOLVED, ended_at=datetime.now(UTC)), receipt)
    assert ways.active(real) == []


def test_the_real_one_takes_what_is_late_and_over_and_odd(real: str) -> None:
    """Opened and over in one go after an outage, strange texts, a worsening, a watchdog: no refusal."""
    one = AlertmanagerSender([real], call=CALL)
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    notice = opened(long_ago, Severity.TICKET)
    odd = replace(notice.content, title="\ud800 \x00 <b> ‮", key="lost:\ud800", diagram="é" * 9000)
    receipt = one.send(replace(notice, content=odd), None)
    receipt = one.send(
        replace(notice, content=replace(odd, severity=Severity.PAGE), kind=Kind.STILL), receipt
    )
    assert [alert["labels"]["severity"] for alert in ways.active(real)] == ["page"]
    one.send(replace(notice, content=odd, kind=Kind.RESOLVED, ended_at=long_ago), receipt)
    one.watchdog("Watchdog", "all is well", lifetime=timedelta(minutes=5))
    assert [alert["labels"]["alertname"] for alert in ways.active(real)] == ["Watchdog"]
    assert one.check() == []


def test_a_restart_takes_over_the_alerts_of_the_run_before(real: str) -> None:
    """What only the receipt remembers is enough to renew an alert and to end it."""
    notice = opened(datetime.now(UTC))
    receipt = AlertmanagerSender([real], call=CALL).send(notice, None)
    again = AlertmanagerSender([real], call=CALL)
    again.keep([(notice, Receipt(receipt.channel, receipt.thread))])
    assert len(ways.active(real)) == 1
    again.keep([])
    assert ways.active(real) == []
