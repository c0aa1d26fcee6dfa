"""`canary config`: exact words, exit codes, and output that other programs can read."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from canary.cli.main import invoke
from canary.config import load


@pytest.fixture
def file(folder: Path, good: str) -> Path:
    """A sound file in its folder."""
    path = folder / "canary.toml"
    path.write_text("[canary]\nprice_per_million = 50\n" + good)
    return path


def test_check_of_a_sound_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """OK, then what it costs, how hot its keys get, and the limits in force."""
    code = invoke(["config", "check", "--config", str(file)])

    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}: OK",
        "events: 86,400 a day, 2,592,000 a month of 30 days",
        "cost: 129.60 a month",
        "hot keys of main: 1/s over lanes as there are partitions (figures for one), 4 distinct_ids each: "
        "0.25/s per distinct_id, 1.25/s in a check (PostHog keeps up to 0.5/s in the main lane for good)",
        "limit: at most 100,000 events a day, then sending stops until the next",
        "limit: ingress of main: one post in flight a lane, 1 event a post, 2s a try, 3 retries",
        "limit: topic raw: read without a consumer group, nothing written",
        "limit: table default.events: at most 1 a second of queries with 2000 ids, 1 thread, 2s and "
        "2,000,000,000 bytes each; a last look every 2s, 10s and 10,000,000,000 bytes each",
    ]


def test_check_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same figures for programs."""
    code = invoke(
        ["config", "check", "--config", str(file), "--output", "json", "--set", "probes.main.lanes=2"]
    )
    told = json.loads(capsys.readouterr().out)

    assert code == 0
    assert told["ok"] is True
    assert (told["events_per_month"], told["cost_per_month"]) == (2_592_000, 129.6)
    assert told["keys"][0]["check_per_distinct_id"] == 0.625
    assert told["warnings"] == [
        "probes.main.pool: makes hot keys in a long check at 5/s; 5 would not (got 4)"
    ]


@pytest.mark.parametrize("output", ["text", "json"])
def test_check_of_a_bad_file(file: Path, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All problems, and 78."""
    file.write_text(file.read_text().replace('name = "main"', 'name = "main"\nrate = 0\nbatsh = 2'))

    code = invoke(["config", "check", "--config", str(file), "--output", output])
    out = capsys.readouterr().out

    problems = [
        "probes.main.rate: must be above 0 (got 0)",
        "probes.main.batsh: unknown key; did you mean batch?",
    ]
    assert code == 78
    if output == "json":
        assert json.loads(out) == {"schema": 1, "ok": False, "source": str(file), "problems": problems}
    else:
        assert out.splitlines() == [f"{file}: 2 problems", *(f"  {problem}" for problem in problems)]


def test_show_is_toml_that_loads_to_the_same(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is shown is valid, and complete: loaded again (with the secret put back) it is the same."""
    code = invoke(["config", "show", "--config", str(file), "--set", "canary.grace=75s"])
    out = capsys.readouterr().out
    again = file.with_name("again.toml")
    again.write_text(out.replace("***", "phc_hunter2"))

    assert code == 0
    assert "hunter2" not in out
    assert tomllib.loads(out)["probes"][0]["token"] == "***"
    expected = load(file, env={}, overrides={"canary.grace": "75s"}).config
    assert load(again, env={}).config.model_dump() == expected.model_dump()


def test_show_tells_where_each_value_came_from(file: Path) -> None:
    """Default, file and line, variable, flag."""
    command = [sys.executable, "-m", "canary", "config", "show", "--config", str(file)]
    env = {**os.environ, "CANARY_WEB__LISTEN": "127.0.0.1:1"}
    ran = subprocess.run(
        [*command, "--set", "canary.grace=75s"], env=env, capture_output=True, text=True, check=True
    )
    lines = ran.stdout.splitlines()

    assert 'window = "60s"  # default' in lines
    assert f"price_per_million = 50.0  # {file}:2" in lines
    assert f'topic = "raw"  # {file}:11' in lines
    assert 'listen = "127.0.0.1:1"  # CANARY_WEB__LISTEN' in lines
    assert 'grace = "75s"  # flag canary.grace' in lines
    assert 'key = "{token}:{distinct_id}"  # default (of the first stage)' in lines
    assert "# secret is not set" in lines


def test_show_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values, and origins by path; secrets are masked, the files that hold them are not."""
    invoke(["config", "show", "--config", str(file), "--output", "json"])
    out = capsys.readouterr().out
    told = json.loads(out)

    assert "hunter2" not in out
    assert told["values"]["canary"]["secret_file"] == str(file.parent / "canary-secret")
    assert told["values"]["probes"][0]["token"] == "***"
    assert told["origins"]["probes.0.token"] == f"{file}:6"
    assert told["origins"]["canary.window"] == "default"


@pytest.mark.parametrize(
    "arguments", [["check", "--nope"], ["show", "--set", "grace"], ["check", "--output", "xml"]]
)
def test_bad_flags(file: Path, arguments: list[str]) -> None:
    """A wrong command line is 64, whatever the file says."""
    assert invoke(["config", *arguments, "--config", str(file)]) == 64


def test_a_client_that_is_not_installed_is_told(file: Path) -> None:
    """With the extra that brings it; whoever has it may choose it."""
    file.write_text(file.read_text().replace('topic = "raw"', 'topic = "raw"\nclient = "librdkafka"'))
    without = "import sys; sys.modules['confluent_kafka'] = None; from canary.cli import main; main()"
    command = [sys.executable, "-c", without, "config", "check", "--config", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 78
    problem = 'needs the extra "fast": pip install "ingestion-canary[fast]" (got "librdkafka")'
    assert ran.stdout.splitlines() == [f"{file}: 1 problem", f"  stages.raw.client: {problem}"]
    assert invoke(["config", "check", "--config", str(file)]) == 0
