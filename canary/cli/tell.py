"""What the daemon says while it works: a line for each window, and for whatever begins or ends."""

import logging
from collections.abc import Mapping

from alerts.condition import Condition, Notice
from canary.config.models import Config
from canary.config.render import printable
from canary.settle import Settled
from canary.values import WindowReport
from canary.watch import Watch
from reconcile.outcome import Outcome

_log = logging.getLogger("canary")


class OneLine(logging.Formatter):
    """A line of the log is a line: what others wrote ends none and colours none (tracebacks are ours)."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """As usual, with control characters spelled out."""
        return printable(super().formatMessage(record))


class Teller:
    """Tells changes, not states: what goes on as before is not said again."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._open: Mapping[str, Condition] = {}
        self._notes: dict[str, str] = {}
        self._first_told = False

    def started(self, config: Config) -> None:
        """Who we are, what we cost, and what was taken up from before."""
        rate = sum(probe.rate for probe in config.probes)
        month = min(rate * 86_400, config.canary.max_events_per_day) * 30
        path = " -> ".join(["ingress", *(stage.name for stage in config.stages)])
        _log.info("watching %s", path)
        price = config.canary.price_per_million
        cost = f", about {month / 1e6 * price:.2f} by your price" if price is not None else ""
        _log.info("sending %g canaries a second, %s events a month%s", rate, f"{month:,.0f}", cost)
        _log.info("page http://%s/ metrics http://%s/metrics", config.web.listen, config.web.listen)
        if waiting := len(self._watch.desk.book.entries):
            taken = f"{waiting:,} canar{'y' if waiting == 1 else 'ies'}"
            _log.info("took up %s that an earlier run left open", taken)

    def settled(self, settled: Settled) -> None:
        """What this settling changed."""
        if not self._first_told:
            self._tell_first()
        for report in settled.windows:
            _log.info("%s", window_line(report))
        for judged in settled.judged:
            if judged.amended_from is not None:
                _log.info("amended: %s was %s, is %s", judged.id, judged.amended_from, judged.outcome)
        now = {item.key: item for item in self._watch.open_conditions}
        for key in now.keys() - self._open.keys():
            _log.warning("OPEN %s%s", now[key].title, facts_line(now[key]))
        for key in self._open.keys() - now.keys():
            _log.info("over: %s", self._open[key].title)
        self._open = now
        for name, note in self._watch.notes.items():
            if self._notes.get(name) != note:
                _log.info("%s: %s", name, note)
        self._notes = dict(self._watch.notes)

    def _tell_first(self) -> None:
        """The first canary all the way through: the sign that somebody at a terminal waits for."""
        desk = self._watch.desk
        with desk.lock:
            entry = next((e for e in desk.book.entries.values() if desk.book.last in e.seen), None)
            if entry is None:
                return
            sent = entry.owed.sent_at
            ways = [
                (name, entry.seen[name].seen_at - sent) for name in desk.book.readings if name in entry.seen
            ]
        told = ", ".join(f"{name} +{after.total_seconds():.2f} s" for name, after in ways)
        _log.info("first canary arrived: %s (%s)", entry.owed.id, told)
        self._first_told = True

    def sent(self, notice: Notice) -> None:
        """A message went out."""
        _log.info("paged (%s): %s", notice.kind, notice.content.title)


def window_line(report: WindowReport) -> str:
    """One settled window in one line."""
    told = [f"{count} {name.value}" for name, count in report.outcomes.items() if count]
    told += [f"{count} {flag.value}" for flag, count in report.flags.items() if count]
    latency = report.latency
    how_long = f", p50 {latency['p50']:.2f} s, max {latency['max']:.2f} s" if latency else ""
    missed = f", {report.due - report.sent} not sent" if report.sent < report.due else ""
    good = report.outcomes[Outcome.ON_TIME] == report.sent and report.sent == report.due
    mark = "ok " if good else "!! "
    start = report.start.strftime("%H:%M:%S")
    counts = ", ".join(told) or "none"
    return f"{mark}window {start} {report.probe}: {report.sent} sent, {counts}{how_long}{missed}"


def facts_line(item: Condition) -> str:
    """A condition's facts and ids on the line of its title; a fact of several lines has commas for them."""
    flat = [(name, value.replace("\n", ", ")) for name, value in item.facts]
    told = "; ".join(f"{name}: {value}" for name, value in flat)
    ids = f"; ids: {', '.join(item.ids)}" if item.ids else ""
    return f" ({told}{ids})" if told or ids else ""
