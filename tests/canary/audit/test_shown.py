"""The window report from a ledger, and the newest of the real traffic in `canary status` and on the page."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from canary.cli.show import status_tables
from canary.cli.show_audit import Result
from canary.cli.show_windows import kept
from canary.config import Config, load
from canary.ledger import Ledger
from canary.web.page import render
from tests.canary.audit.auditing import GRACE, audited, full, lacking
from tests.canary.audit.test_kept import counted, delayed, report, sampled, window
from tests.canary.audit.world import START
from tests.canary.config.samples import GOOD

HOUR = timedelta(hours=1)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    file = tmp_path / "canary.toml"
    file.write_text(GOOD)
    return load(file, env={"CANARY_LEDGER__URL": f"sqlite:///{tmp_path}/ledger.db"}).config


def test_the_report_is_read_from_the_ledger(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """With the exit code of the gravest; stages stand as the configuration has them."""
    with Ledger.open(config.ledger.url) as ledger, ledger.step() as step:
        step.record_audits([window()])
        step.record_windows([report(0, on_time=60)])
        step.record_traffic([counted(0, 70, 60, quota=9), delayed(0, 4, 0, 1.0)])

    assert kept(config, START - HOUR, START + HOUR, stage=None, as_json=True) == 2
    told = json.loads(capsys.readouterr().out)
    [one] = told["windows"]
    assert [hop["hop"] for hop in one["path"]] == ["ingress->raw", "raw->events"]
    assert [one["kind"] for one in told["beside"]] == ["delay", "ingress"]
    assert kept(config, START - HOUR, START + HOUR, stage=None, as_json=False) == 2
    assert "ingress->raw: real by counters 70 in, 60 out, 9 dropped quota" in capsys.readouterr().out


def test_nothing_kept_is_unknown(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    """And says so."""
    with Ledger.open(config.ledger.url) as ledger, ledger.step() as step:
        step.record_traffic([sampled(0, arrived=3)])

    assert kept(config, START - HOUR, START + HOUR, stage=None, as_json=False) == 3
    assert "no audited window" in capsys.readouterr().err


def test_a_ledger_s_hostile_words_reach_no_terminal(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """A counter's cause is the ingress's own word."""
    with Ledger.open(config.ledger.url) as ledger, ledger.step() as step:
        step.record_audits([window()])
        step.record_traffic([counted(0, 70, 60, **{"\x1b[2J": 9})])
    kept(config, START - HOUR, START + HOUR, stage=None, as_json=False)

    assert "\x1b" not in capsys.readouterr().out


STATUS: dict[str, Any] = {
    "instance": "i",
    "now": "2026",
    "version": "1",
    "conditions": [],
    "stages": [],
    "probes": [],
    "windows": [],
    "objectives": [],
    "real": [
        {
            "kind": "ingress",
            "place": "ingress->raw",
            "start": "12:00",
            "end": "12:01",
            "verdict": "degraded",
            "told": "<b>5 left</b>",
            "trouble": "[red]away",
        },
        {
            "kind": "delay",
            "place": "events",
            "start": None,
            "end": None,
            "verdict": None,
            "told": "",
            "trouble": "",
        },
    ],
}


def test_the_newest_is_shown_and_nothing_in_it_is_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal and as HTML."""
    status_tables(STATUS)
    out = capsys.readouterr().out
    page = render(STATUS)

    assert "real traffic, ingress ingress->raw: degraded: <b>5 left</b> cannot be asked: [red]away" in out
    assert "real traffic, delay events: no fresh window" in out
    assert "&lt;b&gt;5 left" in page
    assert "cannot be asked: [red]away" in page


def test_a_loss_is_told_beside_a_table_that_could_not_be_audited() -> None:
    """In the one line that people read first, too."""
    world = lacking()
    told = Result([audited(world)], {"other": "away"}, START, START + HOUR, GRACE, interrupted=False)

    assert told.exit_code == 2
    assert "1 of 41 events lost" in told.summary
    assert "other could not be audited: away" in told.summary


def test_only_what_is_not_known_is_told_as_such() -> None:
    """A marker is accounted for, beside an event that is not."""
    world = full(20)
    world.append(0, kind="control")
    world.append(0)
    world.consume(0, without={21})
    world.letters_trouble = "no right"
    told = Result([audited(world)], {}, START, START + HOUR, GRACE, interrupted=False)

    assert told.summary == "1 of 42 events between topic and db.table cannot be accounted for"
