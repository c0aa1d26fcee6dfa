"""One bad file per mistake, each with the exact words that it must get (its lines that begin with `#:`)."""

import shutil
from pathlib import Path

import pytest

from canary.config import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))


@pytest.mark.parametrize("bad", BAD, ids=lambda path: path.stem)
def test_each_mistake_gets_its_own_words(bad: Path, folder: Path) -> None:
    """A bad file gets exactly the messages it was written for, and none of its secrets is in them."""
    file = folder / bad.name
    shutil.copy(bad, file)
    lines = [line.removeprefix("#: ") for line in bad.read_text().splitlines() if line.startswith("#: ")]
    expected = [line.replace("{folder}", str(folder)).replace("{file}", str(file)) for line in lines]

    with pytest.raises(ConfigError) as caught:
        load(file, env={})

    assert expected == caught.value.problems
    assert caught.value.exit_code == 78
    assert "hunter2" not in str(caught.value)


def test_every_bad_file_says_what_it_expects() -> None:
    """There are bad files, and none of them is silent."""
    assert len(BAD) > 50
    assert all(path.read_text().startswith("#: ") for path in BAD)
