"""Who may open a ledger, and what is refused and left alone."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import URL

from canary.ledger import Ledger, LedgerInUse, LedgerUnusable
from canary.values import Owed

NOBODY = 65534


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_second_holder_is_refused_and_told_who_holds_it(ledger: Ledger, url: str) -> None:
    """Two processes on one ledger would tell two stories: the second is told whose it is."""
    with pytest.raises(LedgerInUse, match=f"ledger.db.lock: in use by process {os.getpid()} on .* since 20"):
        Ledger.open(url)

    ledger.set_value("still", "works")


def test_a_closed_ledger_is_free_again(url: str) -> None:
    """The hold ends with the holder, though the file that names it stays."""
    Ledger.open(url).close()

    with Ledger.open(url) as again:
        assert again.last_minted() is None


def test_a_holder_without_a_name_is_refused_too(ledger: Ledger, url: str) -> None:
    """What stands in the lock's file decides nothing; the lock does."""
    path_of(url).with_name("ledger.db.lock").write_text("nonsense")

    with pytest.raises(LedgerInUse, match="another process"):
        Ledger.open(url)
    ledger.last_minted()


def test_it_can_be_read_while_it_is_held(ledger: Ledger, url: str, owed: Callable[..., Owed]) -> None:
    """`explain` reads beside the daemon, sees what it wrote, and can write nothing."""
    one = owed()
    with Ledger.open(url, read_only=True) as reader:
        ledger.record_sent([one])

        assert reader.find(one.id) is not None
        with pytest.raises(Exception, match="read only"):
            reader.record_sent([owed()])


def test_reading_a_ledger_that_is_not_there_makes_none(url: str) -> None:
    """Nothing appears on disk because somebody asked."""
    with pytest.raises(LedgerUnusable, match="there is no ledger here"):
        Ledger.open(url, read_only=True)

    assert not path_of(url).exists()


def test_an_older_schema_is_not_read_as_todays(url: str) -> None:
    """Reading brings nothing up to date; it says what would."""
    Ledger.open(url).close()
    with sqlite3.connect(path_of(url)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0001'")
    raw.close()

    with pytest.raises(LedgerUnusable, match="older schema"):
        Ledger.open(url, read_only=True)


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"these are my notes, not a ledger\n" * 200)


def _another_program(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes (name TEXT)")
    raw.close()


def _newer(path: Path) -> None:
    Ledger.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()


def _damaged(path: Path) -> None:
    """One page that opening has no need to read."""
    Ledger.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as raw:
        (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sighting'").fetchone()
    raw.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def _cut_short(path: Path) -> None:
    with Ledger.open(f"sqlite:///{path}") as ledger:
        ledger.set_value("much", "x" * 100_000)
    path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_not_a_database, "file is not a database"),
        (_another_program, "another program's database"),
        (_newer, "newer release .got schema 9999"),
        (_damaged, "malformed|damaged"),
        (_cut_short, "malformed|damaged"),
    ],
)
def test_what_cannot_be_used_is_named_and_left_alone(
    spoil: Callable[[Path], None], words: str, url: str
) -> None:
    """The file is named with the reason, and not one byte of it changes."""
    path = path_of(url)
    spoil(path)
    before = path.read_bytes()

    for read_only in (False, True):
        with pytest.raises(LedgerUnusable, match=words) as refused:
            Ledger.open(url, read_only=read_only)
        assert str(path) in str(refused.value)

    assert before == path.read_bytes()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """Nobody's typing mistake becomes a new folder."""
    with pytest.raises(LedgerUnusable, match=r"nowhere/ledger\.db: its folder does not exist"):
        Ledger.open(f"sqlite:///{tmp_path}/nowhere/ledger.db")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    """A path that names a folder is refused."""
    (tmp_path / "ledger.db").mkdir()

    with pytest.raises(LedgerUnusable, match="is not a file"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder where we may not write; root may write anywhere, and is somebody else meanwhile."""
    with TemporaryDirectory() as name:
        Ledger.open(f"sqlite:///{name}/warm.db").close()  # nobody may not import what root has
        Path(name).chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            os.seteuid(user)
            Path(name).chmod(0o700)


def test_a_folder_without_permission_is_named(read_only_folder: Path) -> None:
    """Where nothing may be written, that is the reason given."""
    with pytest.raises(LedgerUnusable, match="Permission denied"):
        Ledger.open(f"sqlite:///{read_only_folder}/ledger.db")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "must name a file"),
        ("mysql://me:hunter2@db/canary", "sqlite or postgresql .got mysql"),
        ("me:hunter2@db", "cannot be understood"),
    ],
)
def test_a_url_that_is_no_ledgers_is_refused(url: str, words: str) -> None:
    """The reason says what was wrong and shows no password."""
    with pytest.raises(LedgerUnusable, match=words) as refused:
        Ledger.open(url)

    assert "hunter2" not in str(refused.value)


def test_an_odd_path_is_a_path(tmp_path: Path, owed: Callable[..., Owed]) -> None:
    """Blanks, per cent and hash signs in a folder's name confuse neither writing nor reading."""
    folder = tmp_path / "a b%20#c?"
    folder.mkdir()
    one = owed()
    url = URL.create("sqlite", database=str(folder / "ledger.db")).render_as_string()
    with Ledger.open(url) as ledger:
        ledger.record_sent([one])
        with Ledger.open(url, read_only=True) as reader:
            assert reader.find(one.id) is not None


def test_the_holder_is_written_as_json(ledger: Ledger, url: str) -> None:
    """Other tools can read who holds the ledger."""
    note = json.loads(path_of(url).with_name("ledger.db.lock").read_text())

    assert os.getpid() == note["pid"]
    assert ledger.last_minted() is None
