"""`python -m bench.soak`: a daemon for minutes on end on real Kafka, every window's sums checked."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figures import say
from bench.running import Load, Running, daemon
from canary.sandbox.handle import Handle, NotPossibleError, start

LOADS = (Load("default-rate", rate=1, lanes=8, pool=3), Load("twenty", rate=20, lanes=8, pool=6))
LOOK_EVERY = 5.0
NOT_GOOD = ("rejected", "undelivered", "late", "overdue", "lost", "unread")


def main() -> None:
    """Run both loads one after the other; exit 1 where anything was not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for each of the two rates (default: 10)")
    parser.add_argument("--broker", default="kafka", help="as of the sandbox: tansu, kafka or HOST:PORT")
    told = parser.parse_args()
    try:
        faults = _soak(told.broker, 60 * told.minutes)
    except NotPossibleError as error:
        sys.exit(f"soak: {error}")
    sys.exit(1 if faults else 0)


def _soak(broker: str, seconds: float) -> Sequence[str]:
    with (
        tempfile.TemporaryDirectory(prefix="canary-soak-") as folder,
        start(Path(folder), broker=broker, partitions=8) as sandbox,
    ):
        return [fault for load in LOADS for fault in _one(sandbox, load, seconds)]


def _one(sandbox: Handle, load: Load, seconds: float) -> Sequence[str]:
    windows: dict[str, dict[str, object]] = {}
    faults: dict[str, None] = {}
    told = len(sandbox.slack_messages())
    with daemon(sandbox, load) as running:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(LOOK_EVERY)
            _look(running, windows, faults)
        sent, memory, cpu = running.metric("sent_total"), running.memory(), running.cpu()
    faults.update({f"slack: {message['text']}": None for message in sandbox.slack_messages()[told:]})
    if running.process.returncode != 0:
        faults[f"the daemon ended with {running.process.returncode}"] = None
    say(
        f"{load.rate:g}/s for {seconds / 60:g} min: {sent:.0f} canaries, {len(windows)} windows,"
        f" {memory:.0f} MB, {1000 * cpu / max(sent, 1):.1f} ms CPU each, {len(faults)} faults"
    )
    for fault in faults:
        say(f"  {fault}")
    return list(faults)


def _look(running: Running, windows: dict[str, dict[str, object]], faults: dict[str, None]) -> None:
    """Take in the windows that have settled, and every fault that shows."""
    status = running.status()
    for window in status["windows"]:
        windows[window["start"]] = window
        outcomes = window["outcomes"]
        where = f"window {window['start']}"
        if sum(outcomes.values()) != window["sent"]:
            faults[f"{where}: {window['sent']} sent, but {outcomes}"] = None
        bad = {name: outcomes[name] for name in NOT_GOOD if outcomes.get(name)}
        if bad or (window["flags"] and any(window["flags"].values())):
            faults[f"{where}: {bad} {window['flags']}"] = None
    faults.update({f"condition {one['key']}: {one['title']}": None for one in status["conditions"]})
    problems = running.get("/readyz").strip()
    if problems != "ok" and windows:
        faults[f"not ready: {problems}"] = None


if __name__ == "__main__":
    main()
