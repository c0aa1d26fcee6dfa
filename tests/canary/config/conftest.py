"""A folder with what the sample files name, and a way to load a text as a configuration there."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from canary.config import Loaded, load
from tests.canary.config.samples import GOOD, Configure


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good secret and some files that are wrong for it."""
    for name, text in {
        "canary-secret": "hunter2-hunter2-hunter2-hunter2",
        "one-line": "hunter2-hunter2-hunter2",
        "two-lines": "hunter2\nhunter2",
        "empty": " \n",
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.fixture
def good() -> str:
    """The smallest sound file."""
    return GOOD


@pytest.fixture
def configure(folder: Path) -> Configure:
    """Loads a text as the configuration of the folder."""

    def configured(text: str, env: Mapping[str, str] | None = None, **options: object) -> Loaded:
        file = folder / "canary.toml"
        file.write_text(text)
        return load(file, env=env or {}, **options)  # type: ignore[arg-type]

    return configured
