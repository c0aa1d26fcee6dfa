"""Secrets: hidden wherever a configuration can be printed, and read again when they change."""

import copy
import os
import pickle
import traceback
from pathlib import Path

import pytest

from canary.config import ConfigError
from canary.config.render import settings_of, to_json, to_toml
from canary.config.secret import Secret, SecretError, make_secret_file
from tests.canary.config.samples import Configure

HIDDEN = "hunter2"


@pytest.fixture
def full(good: str) -> str:
    """A file with a secret in every place that takes one."""
    return (
        '[canary]\nsecret = "hunter2hunter2hunter2"\n[slack]\nwebhook_url = "https://h.test/hunter2"\n'
        + good.replace('token = "phc', 'headers = { X-Key = "hunter2" }\ntoken = "phc').replace(
            'topic = "raw"\n',
            'topic = "raw"\nsasl = { mechanism = "PLAIN", username = "u", password = "hunter2" }\n',
        )
        + 'password = "hunter2"\n'
    )


def test_no_secret_is_ever_printed(configure: Configure, full: str) -> None:
    """Neither repr, str, dumps, JSON nor `config show` holds any of them."""
    loaded = configure(full)

    told = [
        repr(loaded),
        str(loaded.config),
        repr(loaded.config.model_dump()),
        loaded.config.model_dump_json(),
    ]
    told += [to_toml(loaded), to_json(loaded), repr(loaded.warnings), f"{loaded.config.probes[0].token}"]

    assert loaded.config.canary.key() == "hunter2hunter2hunter2"
    assert all(HIDDEN not in text for text in told)
    assert told[4].count('"***"') == 6


def test_settings_by_path_hold_no_secret(configure: Configure, full: str) -> None:
    """As they are kept to tell what changed in them: by the names of probes and stages, secrets masked."""
    found = settings_of(configure(full).config)

    assert HIDDEN not in str(found)
    assert found["probes.main.url"] == '"http://ingress.test"'
    assert found["stages.raw.sasl.username"] == '"u"'
    assert found["stages.raw.sasl.password"] == '"***"'
    assert found["canary.grace"] == '"60s"'
    changed = settings_of(configure(full.replace('table = "events"', 'table = "e2"')).config)
    assert {path for path in found if found[path] != changed[path]} == {"stages.events.table"}


def test_no_traceback_holds_a_secret(configure: Configure, full: str) -> None:
    """A wrong file with secrets in it does not show them in the traceback, causes included."""
    wrong = full.replace("[[probes]]", f'[[probes]]\nbatch = 0\ntokn = "{HIDDEN}"')

    with pytest.raises(ConfigError) as caught:
        configure(wrong)

    assert HIDDEN not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    """A rotated secret needs no restart, even one of the same length within the same second."""
    file = tmp_path / "secret"
    file.write_text("first\n")
    secret = Secret(path=file)
    first = secret()
    (tmp_path / "new").write_text("other\n")
    os.replace(tmp_path / "new", file)

    assert (first, secret()) == ("first", "other")


def test_a_secret_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """The message names the file and the reason, at the moment of asking."""
    file = tmp_path / "secret"
    secret = Secret(path=file)
    messages = []
    for content in (None, b"", b"\xff\xfe", b"x" * 70_000):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(SecretError) as caught:
            secret()
        messages.append(str(caught.value).removeprefix(f"{file}: "))

    assert messages == [
        "no such file",
        "must not be empty",
        "must be UTF-8 text",
        "is too large for a secret (got 70000 bytes)",
    ]


def test_a_file_that_everybody_can_read_is_a_warning(configure: Configure, good: str, folder: Path) -> None:
    """It works, and says how to make it safer."""
    (folder / "one-line").chmod(0o644)

    loaded = configure(good.replace('token = "phc_hunter2"', 'token_file = "one-line"'))

    told = f'every user of this machine can read it; chmod 600 would be safer (got "{folder}/one-line")'
    assert loaded.warnings == (f"probes.main.token_file: {told}",)


def test_a_secret_does_not_leave_the_process() -> None:
    """It cannot be pickled; copies are the same object."""
    secret = Secret("hunter2")

    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert copy.deepcopy(secret) is secret


def test_the_first_start_makes_the_secret(configure: Configure, good: str, folder: Path) -> None:
    """A secret that only we can read appears once; a second start finds the same."""
    (folder / "canary-secret").unlink()
    loaded = configure(good)
    first = loaded.config.canary.made_key()

    assert (folder / "canary-secret").stat().st_mode & 0o777 == 0o600
    assert len(first) >= 32
    assert configure(good).config.canary.made_key() == first
    assert not make_secret_file(folder / "canary-secret")
    assert any("the first start makes it" in note for note in loaded.at_start)
    assert not [left for left in folder.iterdir() if left.name.startswith(".")]
