"""What a wrong command line, a gone reader, a full disk and a defect of ours look like."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import typer

from canary.cli import codes
from canary.cli.check import keep_ledger
from canary.cli.main import invoke
from canary.cli.run import at_eof
from canary.cli.streams import OutputError, lenient
from canary.cli.times import duration
from canary.ledger import Ledger
from tests.canary.config.samples import GOOD

ID = "01a22134-3a20-77c5-9e88-aa1a97793657"


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("trace nope", 'UUID: must be a UUID (got "nope")'),
        ("explain nope", 'ID: must be a UUID (got "nope")'),
        ("trace", "UUID: is missing; see `canary trace --help`"),
        (f"trace {ID} --max-messages 0", '--max-messages: must be at least 1 (got "0")'),
        (f"trace {ID} --within never", '--within: must be a duration such as 10s, 5m or 1h (got "never")'),
        (f"trace {ID} --within 99999999d", '--within: must be at most 36500d (got "99999999d")'),
        (f"trace {ID} --around 0001-01-01", '--around: must be of the years 1970 to 2105 (got "0001-01-01")'),
        ("check -n x", '--count: must be a whole number (got "x")'),
        ("check --rate 2000", '--rate: must be at most 1000 (got "2000")'),
        ("audit --output yaml", '--output: must be one of text, json (got "yaml")'),
        ("audit --config", "--config: option '--config' requires an argument"),
        ("audit --left a --right http://[::1/d/t", "--right: must be like https://host:8443/database/table"),
        (
            "audit --left a --right http://h:99999/d/t",
            "--right: must be like https://host:8443/database/table",
        ),
        ("audit --from 2101-01-01 --to 2102-01-01", "--from: must be in the past (got 2101-01-01T00:00:00Z)"),
        (
            "audit --left a --right b --right-password-file /nope",
            "--right-password-file: /nope: no such file",
        ),
        ("audit --left a", "--right: is missing, give both --left and --right"),
        ("audit --columns x", "--columns: goes with --left and --right only"),
        ("audit --left a --right b --kept", "--kept: does not go with --left and --right"),
        ("alerts ack 99999999999999999999", "INCIDENT: must be at most 9,223,372,036,854,775,807"),
        ("alerts silence lost:", "--for: is missing"),
        ("alerts silence lost: --for 9999999999d", '--for: must be at most 36500d (got "9999999999d")'),
        ("alerts silence lost: --for 1m --reason \udcff", '--reason: must be UTF-8 text (got "\\udcff")'),
        ("config check --set x", "--set: must be PATH=VALUE"),
        ("sandbox --broker foo", '--broker: must be tansu, kafka or HOST:PORT (got "foo")'),
        ("demo --broker foo", '--broker: must be tansu, kafka or HOST:PORT (got "foo")'),
        ("sandbox fault drop --at events --by foo", '--by: must look like 500ms, 5s, 2m or 1h (got "foo")'),
        ("chek", "no such command 'chek'. Did you mean 'check'?; see `canary --help`"),
        ("--bogus", "--bogus: no such option; see `canary --help`"),
        ("status too much", "got unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_way(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, each fault in one line that says where and what; exit code 64."""
    code = invoke(arguments.split(" "))
    out, err = capsys.readouterr()

    assert err.startswith(f"canary: {told}")
    assert (code, out, err.count("\n")) == (64, "", 1)


@pytest.mark.usefixtures("ready")
@pytest.mark.parametrize("command", ["audit", "audit --left a --right b", "alerts replay"])
def test_times_are_told_by_their_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All that are wrong at once, and which is which where they are the wrong way round."""
    both = invoke([*command.split(), "--from", "foo", "--to", "9999999d"])
    assert (both, capsys.readouterr().err) == (
        64,
        'canary: --from: must be a time such as 2026-01-31T14:00, or 2h for so long ago (got "foo")\n'
        'canary: --to: must be at most 36500d (got "9999999d")\n',
    )

    reversed_ = invoke([*command.split(), "--from", "2026-02-02", "--to", "20260201"])
    assert (reversed_, capsys.readouterr().err) == (
        64,
        "canary: --from: must be before --to (got --from 2026-02-02T00:00:00Z, --to 2026-02-01T00:00:00Z)\n",
    )


def test_only_what_starts_says_what_the_first_start_makes(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that makes nothing says nothing of it; `config check` does, for it is read before a start."""
    for command in ("status", "alerts list", "audit --kept", "config show", f"explain {ID}"):
        invoke(command.split())
        assert "the first start makes it" not in capsys.readouterr().err

    assert invoke(["config", "check"]) == 0
    assert "canary.secret_file: is not there yet; the first start makes it" in capsys.readouterr().out
    assert not (ready.parent / "canary-secret").exists()


def test_what_was_typed_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are spelled out: they neither act nor vanish."""
    invoke(["trace", "a\x1b[31m\n\u202eb"])

    assert capsys.readouterr().err == 'canary: UUID: must be a UUID (got "a\\x1b[31m\\n\\u202eb")\n'


def test_a_defect_of_ours_is_told_as_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line with the place; its traceback where CANARY_TRACEBACK asks for it; exit code 70."""
    broken = typer.Typer()

    @broken.command()
    def fails() -> None:
        duration(None)  # type: ignore[arg-type]

    assert invoke([], of=broken) == codes.SOFTWARE
    told = capsys.readouterr().err
    assert re.fullmatch(
        r"canary: a defect of this program at canary/cli/times\.py:\d+: AttributeError: 'NoneType' .*"
        r"; CANARY_TRACEBACK=1 shows the traceback\. Please report it\.\n",
        told,
    )

    monkeypatch.setenv("CANARY_TRACEBACK", "1")
    assert invoke([], of=broken) == codes.SOFTWARE
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_the_demo_says_which_extra_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `canary sandbox` does; that is no defect."""
    (tmp_path / "chdb.py").write_text("raise ModuleNotFoundError(\"No module named 'chdb'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    assert invoke(["demo", "--dir", str(tmp_path / "state")]) == codes.UNAVAILABLE
    assert 'canary: sandbox: needs the extra "sandbox": pip install' in capsys.readouterr().err


def test_the_demos_daemon_ends_with_the_demo() -> None:
    """However that ended: when nobody holds its stdin any more."""
    reading, writing = os.pipe()
    ended = threading.Event()
    with os.fdopen(reading) as source, os.fdopen(writing, "w") as held:
        waiting = threading.Thread(target=at_eof, args=(source, ended.set))
        waiting.start()
        print("says nothing", file=held, flush=True)
        assert not ended.is_set()
        held.close()
        assert ended.wait(10)
        waiting.join()


@pytest.mark.usefixtures("ready")
def test_a_stage_that_nobody_knows_is_a_wrong_option(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where what was kept is asked for: not a stretch of time without windows."""
    Ledger.open(f"sqlite:///{tmp_path}/canary.db").close()

    assert invoke(["audit", "--kept", "--stage", "nope"]) == 64
    assert capsys.readouterr().err.startswith("canary: --stage: is no stage, and no window of it is kept")
    assert invoke(["audit", "--kept", "--stage", "events"]) == codes.UNKNOWN


def test_a_verdict_stands_where_its_ledger_cannot_be_kept(tmp_path: Path) -> None:
    """It says why."""
    assert keep_ledger(tmp_path / "gone.db") == "the ledger cannot be kept (No such file or directory)"


def test_a_reader_that_has_gone_ends_nothing() -> None:
    """What it does not read any more is dropped, and the exit code stays."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        ours = lenient(pipe, told="stdout")
        print("x" * 100_000, file=ours)
        ours.flush()


def test_a_result_that_cannot_be_written_is_told_once() -> None:
    """A log that cannot be is not."""
    with open("/dev/full", "w") as full:
        told, log = lenient(full, told="stdout"), lenient(full)
        print("a log", file=log, flush=True)
        with pytest.raises(OutputError, match=r"stdout: cannot be written \(No space left on device\)"):
            print("a result", file=told, flush=True)
        told.flush()


def test_letters_that_the_encoding_lacks_are_spelled_out(tmp_path: Path) -> None:
    """Instead of ending the command."""
    with (tmp_path / "out").open("w", encoding="latin-1") as file:
        print("± 1 → 2 \udcff", file=lenient(file), flush=True)

    assert (tmp_path / "out").read_text("latin-1") == "± 1 \\u2192 2 \\udcff\n"


def test_the_program_ends_quietly_where_nobody_reads(ready: Path) -> None:
    """As a whole process: no traceback, and the exit code of what it did."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "canary", "config", "show", "--config", str(ready)]
    ended = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sound configuration in a folder of its own, which every command takes."""
    config = tmp_path / "canary.toml"
    config.write_text(GOOD)
    monkeypatch.setenv("CANARY_CONFIG", str(config))
    return config
