"""What else the command line owes: codes for wrong input, Ctrl-C, other outputs."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from canary.sandbox.handle import Handle
from tests.e2e.checking import altered, begin, canary, check, check_arguments, end, peace, rows_of_canaries

pytestmark = pytest.mark.sandbox
FEW = ("-n", "4", "--rate", "10", "--grace", "4s", "--timeout", "60s")
CALM = {"CANARY_CANARY__OBJECTIVE": "4s"}


@pytest.fixture
def pipeline(sandbox: Handle) -> Iterator[Handle]:
    """A pipeline at peace."""
    peace(sandbox)
    yield sandbox
    sandbox.heal()


def test_after_a_backlog_is_healed_a_second_check_is_fine(pipeline: Handle) -> None:
    """However long the mover stood still, what waits is queued, and later canaries are not blamed for it."""
    pipeline.fault("stop", at="events")
    first = check(
        pipeline.config_path, "-n", "4", "--rate", "10", "--grace", "4s", "--timeout", "20s", env=CALM
    )
    peace(pipeline)
    second = check(pipeline.config_path, *FEW, env=CALM)

    assert (first.code, first.report["outcomes"]["overdue"], first.report["outcomes"]["lost"]) == (1, 4, 0)
    assert "queued" in first.report["summary"]
    assert (second.code, second.report["verdict"]) == (0, "ok"), second.report["summary"]


def test_text_names_the_hop_and_the_ledger_it_keeps_explains_the_canary(pipeline: Handle) -> None:
    """A person gets verdict, hop, ids and a next step; `explain` then tells the lost canary's path."""
    pipeline.fault("drop", at="events", count=1)
    ran = canary("check", "--config", str(pipeline.config_path), *FEW, env=CALM)
    lost = re.search(r"^  ([0-9a-f-]{36})$", ran.stdout, re.MULTILINE)
    kept = re.search(r"--ledger (\S+)", ran.stderr)

    assert ran.code == 2
    assert ran.stdout.startswith("FAULT 1 of 4 lost between processed and events")
    assert "next: " in ran.stdout
    assert lost
    assert kept
    told = canary("explain", lost[1], "--ledger", kept[1])
    assert told.code == 0
    for word in ("accepted", "seen at raw", "seen at processed", "lost between processed and events"):
        assert word in told.stdout, told.stdout


def test_junit_counts_a_failure_for_each_bad_canary(pipeline: Handle) -> None:
    """CI systems read it: a case a canary, a failure for each that did not arrive."""
    pipeline.fault("refuse", count=1)
    ran = canary("check", "--config", str(pipeline.config_path), "--output", "junit", *FEW, env=CALM)
    suite = ET.fromstring(ran.stdout)

    assert ran.code == 2
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "4", "1")
    assert len(suite.findall("testcase")) == 4
    assert len(suite.findall("testcase/failure")) == 1


def test_nagios_is_one_line_with_performance_data(pipeline: Handle) -> None:
    """State, sentence, then `name=value` pairs behind one bar."""
    ran = canary("check", "--config", str(pipeline.config_path), "--output", "nagios", *FEW, env=CALM)
    [line] = ran.stdout.splitlines()
    words, bar, data = line.partition(" | ")

    assert (ran.code, bar) == (0, " | ")
    assert words.startswith("CANARY OK - All 4 canaries arrived")
    assert all(re.fullmatch(r"\w+=[\d.]+s?", pair) for pair in data.split())
    assert "on_time=4" in data.split()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_check_says_what_it_knows(pipeline: Handle, sign: signal.Signals) -> None:
    """Exit code 130, promptly, with a whole report of what was sent until then."""
    before, started = rows_of_canaries(pipeline), time.monotonic()
    process = begin(*check_arguments(pipeline.config_path, "-n", "500", "--rate", "5"), env=CALM)
    while rows_of_canaries(pipeline) < before + 3 and time.monotonic() - started < 60:
        time.sleep(0.2)
    process.send_signal(sign)
    interrupted = time.monotonic()
    ran = end(process, started)

    assert ran.code == 130, ran.stderr
    assert ran.report["exit_code"] == 130
    assert 0 < ran.report["sent"] < 500
    assert ran.report["outcomes"]["lost"] == ran.report["outcomes"]["overdue"] == 0
    assert ran.report["faults"] == [], ran.report["summary"]
    assert time.monotonic() - interrupted < 5


def test_a_bad_configuration_is_78_and_names_every_fault(pipeline: Handle) -> None:
    """Nothing is sent, nothing stands on stdout, and each fault is told with its path."""
    bad = altered(pipeline, "bad", {"probes.preset": "nosuch", "canary.grace": "soon"})
    ran = check(bad)

    assert (ran.code, ran.stdout) == (78, "")
    assert "preset" in ran.stderr
    assert "grace" in ran.stderr
    assert check(Path("/nowhere/canary.toml")).code == 78


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nosuch",),
        ("-n", "0"),
        ("-n", "many"),
        ("--timeout", "soon"),
        ("--output", "yaml"),
        ("--probe", "nosuch"),
        ("--rate", "0"),
    ],
    ids=" ".join,
)
def test_bad_flags_are_64(sandbox: Handle, arguments: tuple[str, ...]) -> None:
    """A wrong command line is not a wrong pipeline."""
    ran = check(sandbox.config_path, *arguments)

    assert (ran.code, ran.stdout) == (64, "")
    assert ran.stderr
