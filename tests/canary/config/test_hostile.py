"""Hostile values in every setting that there is: refused in words, or taken; never a traceback."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from canary.config import ConfigError, load
from tests.canary.config.samples import GOOD

EXAMPLE = (Path(__file__).parents[3] / "config.example.toml").read_text().splitlines()
SETTING = re.compile(r"#?([a-z_]+) = ")
HOSTILE = {
    "a null byte": r'"a\u0000b"',
    "no such home": '"~nobody-at-all/x"',
    "a long name": f'"{"a" * 5000}"',
    "a long path": f'"{"a/" * 3000}"',
    "a long ledger": f'"sqlite:////{"a" * 400}/x"',
    "a huge number": "9" * 4000,
    "nested JSON": f"'{'[' * 3000}{']' * 3000}'",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_no_value_of_any_setting_raises_past_the_configuration(tmp_path: Path, value: str) -> None:
    """One setting at a time, whatever its kind."""
    file, tried = tmp_path / "canary.toml", 0
    for number, line in enumerate(EXAMPLE):
        if found := SETTING.match(line):
            changed = [*EXAMPLE[:number], f"{found[1]} = {value}", *EXAMPLE[number + 1 :]]
            file.write_text("\n".join(changed))
            with suppress(ConfigError):
                load(file, env={})
            tried += 1
    assert tried > 150


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"payload_file = {HOSTILE['a null byte']}", "payload_file: must not hold control characters"),
        (f"payload_file = {HOSTILE['no such home']}", "payload_file: begins with a home folder that is not"),
        (f"payload_file = {HOSTILE['a long name']}", "payload_file: is too long for the path of a file"),
        (f"headers_file = {HOSTILE['a null byte']}", "headers_file: must not hold control characters"),
        (f"body = {HOSTILE['nested JSON']}", "body: is nested too deeply"),
        (f"lanes = {HOSTILE['a huge number']}", "lanes: must be at most 100000"),
    ],
)
def test_each_is_refused_in_words(tmp_path: Path, line: str, words: str) -> None:
    """Where, and what is wrong with it."""
    file = tmp_path / "canary.toml"
    file.write_text(GOOD.replace("[[probes]]\n", f"[[probes]]\n{line}\n", 1))
    with pytest.raises(ConfigError) as caught:
        load(file, env={})
    assert any(
        problem.partition(".")[2].partition(".")[2].startswith(words) for problem in caught.value.problems
    )
