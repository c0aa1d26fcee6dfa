"""The composition root's part for a daemon's audits: the calendar of every table that a topic feeds.

Apart from the auditors themselves, which a command needs without the ledger and all that tells of it.
"""

from canary.app import App
from canary.audit.calendar import Calendar
from canary.audit.measure import Measure
from canary.audit.work import Every
from canary.auditing import Wait, auditors, pairs
from canary.config.models import Config


def calendar(config: Config, app: App, *, wait: Wait) -> Calendar | None:
    """The running audits of a daemon, wired to its metrics and rules; None where there are none."""
    if not config.audit.enabled or not pairs(config):
        return None
    told, now = config.audit, app.watch.desk.line.now
    every = Every(
        window=told.window,
        delay=told.delay,
        again_for=told.again_for,
        slack=told.slack,
        grace=config.canary.grace,
        at_once=told.max_at_once,
    )
    found = Calendar(
        auditors(config, wait=wait, now=now),
        ledger=app.ledger,
        every=every,
        now=now,
        on_report=Measure(app.metrics),
        tell=lambda amendments: app.pager.amend(amendments, now=now()),
    )
    found.restore()
    return found
