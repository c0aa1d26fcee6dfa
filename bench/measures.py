"""The measurements, one function each: a daemon of its own, a bounded time, a figure."""

import statistics
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bench.figures import Figure, at_least, plain, under
from bench.running import Load, NotUpError, Running, daemon
from canary.sandbox.handle import Handle

BAD = ("rejected", "undelivered", "lost", "unread")


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long things are measured, in seconds."""

    warm_up: float = 25
    steady: float = 60
    sustained: float = 60
    hour: float = 3_600


QUICK = Lengths(warm_up=15, steady=20, sustained=15, hour=120)


def cpu(sandbox: Handle, load: Load, lengths: Lengths, *, aim: float | None) -> Figure:
    """CPU milliseconds for a canary, in a steady interval after a warm-up."""
    with daemon(sandbox, load) as running:
        time.sleep(lengths.warm_up)
        before, sent = running.cpu(), running.metric("sent_total")
        time.sleep(lengths.steady)
        after, sent = running.cpu(), running.metric("sent_total") - sent
        memory = running.memory()
        bad = _not_arrived(running)
    if not sent:
        raise NotUpError(f"{load.name}: no canary was sent: {running.said()}")
    what = f"CPU per canary at {load.rate:g}/s over {load.lanes} lanes"
    what += f" in batches of {load.batch}" if load.batch > 1 else ""
    note = f"{sent:.0f} canaries in {lengths.steady:g} s, {bad:.0f} not arrived, {memory:.0f} MB resident"
    value = 1000 * (after - before) / sent
    return (
        plain(what, value, unit="ms", note=note)
        if aim is None
        else under(what, value, aim=aim, unit="ms", note=note)
    )


def sustained(sandbox: Handle, load: Load, lengths: Lengths, *, aim: float) -> Figure:
    """Canaries a second over a minute; met only where none of them was lost, refused or unread."""
    with daemon(sandbox, load) as running:
        time.sleep(5)
        start, sent = time.monotonic(), running.metric("sent_total")
        time.sleep(lengths.sustained)
        rate = (running.metric("sent_total") - sent) / (time.monotonic() - start)
        skipped = running.metric("not_sent_total")
        behind, unread = running.metric("overdue"), running.metric("unread")
        bad = _not_arrived(running)
    note = (
        f"for {lengths.sustained:g} s, asked for {load.rate:g}/s; {skipped:.0f} not sent,"
        f" {bad:.0f} not arrived, {behind:.0f} overdue, {unread:.0f} unread"
    )
    figure = at_least("sustained with nothing unread", rate, aim=aim, unit="/s", note=note)
    return replace(figure, met=bool(figure.met) and not bad and not unread)


def memory(sandbox: Handle, load: Load, lengths: Lengths, *, aim: float) -> tuple[Figure, Figure]:
    """Resident memory after an hour, and how much it grew in the second half."""
    with daemon(sandbox, load) as running:
        running.lasts(lengths.hour / 2)
        half = running.memory()
        running.lasts(lengths.hour / 2)
        whole, sent = running.memory(), running.metric("sent_total")
        bad = _not_arrived(running)
    note = f"after {sent:.0f} canaries in {lengths.hour / 60:g} min at {load.rate:g}/s, {bad:.0f} not arrived"
    return (
        under("resident memory", whole, aim=aim, unit="MB", note=note),
        under("its growth in the second half", whole - half, aim=10, unit="MB", note=note),
    )


def proof_to_verdict(sandbox: Handle, load: Load, *, tries: int = 3, aim: float) -> Figure:
    """From the moment a loss is proven (the mover committed past it, 2 s of grace, its window's deadline) to
    the counter of lost canaries; the longest of a few tries."""
    with daemon(sandbox, load) as running:
        running.until(lambda: running.metric("outcomes_total", outcome="on_time") > 0, within=60)
        took = [_lose_one(sandbox, running) for _ in range(tries)]
    note = f"longest of {tries} lost canaries"
    return under("from proof to verdict", max(took), aim=aim, unit="s", note=note)


def _lose_one(sandbox: Handle, running: Running) -> float:
    struck, lost = len(sandbox.struck()), running.metric("outcomes_total", outcome="lost")
    sandbox.fault("drop", at="events", count=1, canaries=True)
    running.until(lambda: len(sandbox.struck()) > struck, within=30)
    proven = _proven_at(sandbox.struck()[-1]["uuid"])
    if not running.until(
        lambda: running.metric("outcomes_total", outcome="lost") > lost, within=60, every=0.05
    ):
        raise NotUpError(f"a lost canary was not called lost within a minute: {running.said()}")
    return datetime.now(UTC).timestamp() - proven


def _proven_at(id_: str, *, window: float = 5, grace: float = 6) -> float:
    """The deadline: the drop is behind a topic, whose consumer passed it long before."""
    sent = int(id_.replace("-", "")[:12], 16) / 1000
    return sent - sent % window + window + grace


def frozen_metrics(sandbox: Handle, load: Load, *, aim: float) -> Figure:
    """How long /metrics takes while the broker is frozen; the longest of a hundred."""
    took = []
    with daemon(sandbox, load) as running:
        running.until(lambda: running.metric("outcomes_total", outcome="on_time") > 0, within=60)
        sandbox.fault("freeze", at="raw")
        try:
            for _ in range(100):
                took.append(running.took("/metrics"))
                time.sleep(0.1)
        finally:
            sandbox.heal()
    note = f"longest of {len(took)}; median {statistics.median(took):.1f} ms"
    return under("/metrics while the broker is frozen", max(took), aim=aim, unit="ms", note=note)


def _not_arrived(running: Running) -> float:
    return sum(running.metric("outcomes_total", outcome=name) for name in BAD)
