"""`canary alerts test`: every kind through every way, all of it marked, and an exit code that tells."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.condition import Kind, Severity
from canary.cli.alerts_test import SAMPLE, samples
from canary.cli.main import invoke
from canary.sandbox.gate import Gate
from canary.sandbox.httpd import Response
from canary.sandbox.slack import SlackStandIn
from tests.alerts import ways
from tests.canary.config.samples import GOOD


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A Slack."""
    stand_in = SlackStandIn(gate=Gate(), token="xoxb-very-secret")
    stand_in.start()
    yield stand_in
    stand_in.stop()
    assert stand_in.room.broken == []


def written(folder: Path, text: str) -> list[str]:
    """The command line for a configuration with these tables added."""
    file = folder / "canary.toml"
    file.write_text(GOOD + text)
    return ["alerts", "test", "--config", str(file)]


def table(slack: SlackStandIn) -> str:
    """The table that names it."""
    return f'[slack]\ntoken = "xoxb-very-secret"\nchannel = "#canary"\napi_url = "{slack.api_url}"\n'


def test_every_kind_is_sampled_marked_and_no_page() -> None:
    """Nobody who gets one can take it for the real thing."""
    found = list(samples(datetime.now(UTC)))
    assert {notice.kind for notice in found} == set(Kind)
    assert all(SAMPLE in notice.content.title for notice in found)
    assert {notice.content.severity for notice in found} == {Severity.NOTE}
    assert len({notice.id for notice in found}) == len(found)


def test_all_ways_and_the_heartbeat_say_that_they_took_it(
    tmp_path: Path, slack: SlackStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line for each way and kind; exit code 0."""
    with ExitStack() as stack:
        front, url = stack.enter_context(ways.served(lambda _: Response(200)))
        argv = json.dumps([sys.executable, "-c", "import sys; sys.stdin.read()"])
        text = (
            f'{table(slack)}[webhook]\nurl = "{url}/hook"\nsecret = "{ways.KEY}"\n[command]\nargv = {argv}\n'
            f'[alertmanager]\nurls = ["{url}"]\n[heartbeat]\nurl = "{url}/beat"\nwatchdog = true\n'
        )
        code = invoke(written(tmp_path, text))
    lines = capsys.readouterr().out.splitlines()
    for way in ("slack", "alertmanager", "webhook", "command"):
        for kind in Kind:
            assert any(line.startswith(f"{way}: {kind.value}: taken") for line in lines), (way, kind)
    assert "heartbeat url: taken" in lines
    assert "heartbeat watchdog: taken" in lines
    assert code == 0
    assert "/beat" in [request.path for request in front.passed]
    threads = {message.thread_ts for message in slack.messages if message.thread_ts}
    assert threads == {slack.messages[0].ts}


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ("invalid_auth", "does not know this token"),
        ("channel_not_found", "no such channel"),
        ("is_archived", "archived"),
        ("missing_scope", "chat:write"),
    ],
)
def test_what_is_refused_is_told_and_fails(
    tmp_path: Path, slack: SlackStandIn, capsys: pytest.CaptureFixture[str], refusal: str, words: str
) -> None:
    """In plain words, without the secret; exit code 2."""
    slack.refuse(refusal)
    assert invoke(written(tmp_path, table(slack))) == 2
    out = capsys.readouterr().out
    assert words in out
    assert "taken" not in out
    assert "very-secret" not in out


def test_one_way_alone_and_none_at_all(
    tmp_path: Path, slack: SlackStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--way` picks; an unknown one is a wrong command line; without any way the configuration is wrong."""
    text = f'{table(slack)}[command]\nargv = ["{sys.executable}", "-c", "pass"]\n'
    assert invoke([*written(tmp_path, text), "--way", "command"]) == 0
    assert slack.messages == []
    assert invoke([*written(tmp_path, text), "--way", "pigeon"]) == 64
    assert invoke(written(tmp_path, "")) == 78
    assert "there is no way out" in capsys.readouterr().err
