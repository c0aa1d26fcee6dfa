"""Through a program: the notice on its standard input, a deadline, and an exit code with a meaning."""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.command import CommandSender
from alerts.condition import Condition, Kind, Notice, Severity
from alerts.delivery import DeliveryError

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NOTICE = Notice("1.1", 1, 1, Kind.OPENED, Condition("lost", Severity.PAGE, "lost; $(touch x) 3"), T0, T0)
LONG = timedelta(seconds=20)


def python(code: str, *arguments: str, timeout: timedelta = LONG) -> CommandSender:
    """A program of these lines."""
    return CommandSender([sys.executable, "-c", code, *arguments], timeout=timeout)


def test_gets_the_notice_and_no_shell(tmp_path: Path) -> None:
    """Standard input is one line of JSON; arguments are passed as they are."""
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read() + sys.argv[2])"
    python(code, str(tmp_path / "got"), "$HOME; `x`").send(NOTICE, None)
    line, _, rest = (tmp_path / "got").read_text().partition("\n")
    assert json.loads(line)["data"]["title"] == NOTICE.content.title
    assert rest == "$HOME; `x`"


@pytest.mark.parametrize(
    ("code", "permanent", "uncertain"), [(65, True, False), (75, False, False), (1, False, True)]
)
def test_exit_codes_have_meanings(code: int, permanent: bool, uncertain: bool) -> None:
    """65 means never, 75 not now, and any other that nobody knows how far it came."""
    with pytest.raises(DeliveryError, match=f"exit code {code}") as caught:
        python(f"import sys; sys.exit({code})").send(NOTICE, None)
    assert (caught.value.permanent, caught.value.uncertain) == (permanent, uncertain)


def test_an_early_end_without_reading_is_no_trouble() -> None:
    """A program that needs nothing of the notice may leave it unread, however long it is."""
    long = Condition("lost", Severity.PAGE, "x" * 1_000_000)
    python("pass").send(Notice("1.1", 1, 1, Kind.OPENED, long, T0, T0), None)


def test_ends_the_program_and_its_children_at_the_deadline(tmp_path: Path) -> None:
    """Nothing of it is left running, whatever it started."""
    child = "import os,time,sys; open(sys.argv[1],'w').write(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess,sys; subprocess.run([sys.executable,'-c',{child!r},sys.argv[1]])"
    with pytest.raises(DeliveryError, match="in time") as caught:
        python(code, str(tmp_path / "pid"), timeout=timedelta(seconds=3)).send(NOTICE, None)
    assert caught.value.uncertain
    pid = (tmp_path / "pid").read_text()
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(pid)


def _runs(pid: str) -> bool:
    """Whether it lives; one that has ended and was not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_is_not_there_is_for_a_person() -> None:
    """The check says so before a page needs it."""
    one = CommandSender(["/nowhere/at-all"], timeout=LONG)
    with pytest.raises(DeliveryError, match="cannot be started") as caught:
        one.send(NOTICE, None)
    assert (caught.value.broken, caught.value.uncertain) == (True, False)
    assert one.check() == ["command.argv: there is no such program that we may run"]


def test_our_own_variables_are_kept_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Overrides of the configuration may hold secrets that are none of the program's business."""
    monkeypatch.setenv("CANARY_SLACK__TOKEN", "xoxb-very-secret")
    python("import sys,os; open(sys.argv[1],'w').write(str(os.environ))", str(tmp_path / "env")).send(
        NOTICE, None
    )
    assert "very-secret" not in (tmp_path / "env").read_text()
    assert "PATH" in (tmp_path / "env").read_text()
