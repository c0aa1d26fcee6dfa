"""The way out through Prometheus Alertmanager: an alert kept alive while its incident is open."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from alerts.condition import Kind, Notice
from alerts.delivery import DeliveryError, Receipt
from alerts.links import Links
from alerts.payload import moment
from alerts.posting import Call, is_address, refused, secret

NAME = "alertmanager"
LIFETIMES = 5
"""An alert lives this many rounds of being told, so that a few lost ones do not end it."""
ALERTS, READY = "/api/v2/alerts", "/-/ready"

Alert = dict[str, Any]
Read = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Login:
    """What the server asks for: a bearer token, a user with a password, or nothing."""

    user: str = ""
    password: Read | None = None
    bearer: Read | None = None

    def headers(self) -> Mapping[str, str]:
        """Raises DeliveryError where a secret cannot be read."""
        if self.bearer is not None:
            return {"Authorization": f"Bearer {secret(self.bearer, f'{NAME}.bearer_token')}"}
        if self.password is not None:
            pair = f"{self.user}:{secret(self.password, f'{NAME}.password')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        return {}


class AlertmanagerSender:
    """Posts to every server of a cluster, as Prometheus does; one that takes it is enough."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        call: Call,
        login: Login | None = None,
        labels: Mapping[str, str] | None = None,
        links: Links | None = None,
        every: timedelta = timedelta(minutes=1),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`labels` (an `alertname` too) are put on every alert; `now` is the wall clock: ends go by it."""
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._call, self._login = call, login or Login()
        self._labels, self._links = {"alertname": "Incident", **(labels or {})}, links or Links()
        self._every, self._now = every, now
        self._kept: dict[int, Alert] = {}

    def __repr__(self) -> str:
        return f"AlertmanagerSender({len(self._urls)} servers)"

    @property
    def every(self) -> timedelta:
        """How often open alerts are told again."""
        return self._every

    def send(self, notice: Notice, thread: Receipt | None) -> Receipt:
        """Raise, renew or end the alert. One that got worse is a new alert, for routes go by severity."""
        severity = notice.content.severity.value
        alerts = [self._alert(notice, severity)]
        if thread is not None and thread.thread not in ("", severity):
            if notice.over:
                severity = thread.thread
                alerts = [self._alert(notice, severity)]
            else:
                alerts.insert(0, self._ended(self._alert(notice, thread.thread)))
        self._post(alerts)
        if notice.kind is not Kind.SUMMARY and not notice.over:
            self._kept[notice.incident] = alerts[-1]
        else:
            self._kept.pop(notice.incident, None)
        return Receipt(NAME, severity)

    def keep(self, live: Sequence[tuple[Notice, Receipt]]) -> None:
        """Tell the open ones again, and end those that are not open any more."""
        open_ = {
            notice.incident: self._alert(
                replace(notice, kind=Kind.STILL), receipt.thread or notice.content.severity.value
            )
            for notice, receipt in live
        }
        gone = [self._ended(alert) for number, alert in self._kept.items() if number not in open_]
        if alerts := [*open_.values(), *gone]:
            self._post(alerts)
        self._kept = open_

    def watchdog(self, name: str, summary: str, *, lifetime: timedelta) -> None:
        """An alert that means that all is well: whoever stops getting it should worry."""
        now = self._now()
        labels = {**self._labels, "alertname": name, "severity": "none"}
        alert = {"labels": labels, "annotations": {"summary": summary}, "endsAt": moment(now + lifetime)}
        self._post([alert])

    def check(self) -> list[str]:
        """Ask each server whether it is ready."""
        problems = []
        for number, url in enumerate(self._urls, start=1):
            try:
                answer = self._call.get(self._address(url) + READY, self._login.headers())
                if not answer.taken:
                    raise refused(self._call.name, answer)
            except DeliveryError as error:
                problems.append(error.reason if len(self._urls) == 1 else f"server {number}: {error.reason}")
        return problems

    def _post(self, alerts: Sequence[Alert]) -> None:
        body = json.dumps(alerts).encode("ascii")
        errors, taken, doubtful = [], False, False
        headers = {"Content-Type": "application/json", **self._login.headers()}
        for url in self._urls:
            try:
                answer = self._call.post(self._address(url) + ALERTS, body, headers)
                if not answer.taken:
                    raise refused(self._call.name, answer)
                taken = True
            except DeliveryError as error:
                errors.append(error)
                doubtful = doubtful or error.uncertain
        if taken:
            return
        # The most hopeful of the errors decides what is done next; any doubt stays one.
        best = min(errors, key=lambda error: (error.permanent, error.broken))
        raise DeliveryError(
            best.reason,
            permanent=best.permanent,
            retry_after=best.retry_after,
            uncertain=doubtful,
            broken=best.broken,
        )

    def _address(self, url: str) -> str:
        return url if is_address(url) else ""

    def _alert(self, notice: Notice, severity: str) -> Alert:
        content, now = notice.content, self._now()
        # A summary is a message and not a state: it ends by itself.
        ends = min(notice.ended_at or now, now) if notice.over else now + LIFETIMES * self._every
        links = dict(self._links.of(content))
        alert: Alert = {
            "labels": {
                **self._labels,
                "kind": _clean(content.key.partition(":")[0]),
                "key": _clean(content.key),
                "incident": str(notice.incident),
                "severity": severity,
            },
            "annotations": _annotations(notice, links),
            "startsAt": moment(min(notice.opened_at, ends)),
            "endsAt": moment(ends),
        }
        return alert | ({"generatorURL": links["status"]} if "status" in links else {})

    def _ended(self, alert: Alert) -> Alert:
        return {**alert, "endsAt": moment(self._now())}


def _annotations(notice: Notice, links: Mapping[str, str]) -> dict[str, str]:
    content = notice.content
    found = {
        "summary": content.title,
        "description": "\n".join(f"{name}: {value}" for name, value in content.facts),
        "diagram": content.diagram,
        "commands": "\n".join(content.commands),
        "ids": "\n".join(content.ids),
        **{f"{name}_url": url for name, url in links.items()},
        "amended": notice.amended_words,
        "repeat": "you may have had this message before" if notice.repeat else "",
    }
    return {name: _clean(text) for name, text in found.items() if text}


def _clean(text: str) -> str:
    """Go's JSON reader turns lone surrogates into something else; so they are made visible here."""
    return text.encode("utf-8", "backslashreplace").decode()
