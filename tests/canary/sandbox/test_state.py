"""The folder of a sandbox belongs to one at a time."""

from pathlib import Path

import pytest

from canary.sandbox.broker import ImpossibleError
from canary.sandbox.state import alone


def test_a_second_sandbox_leaves_the_folder_of_the_first_alone(tmp_path: Path) -> None:
    """It is told, before it has written anything; when the first has ended there is room again."""
    folder = tmp_path / "new" / "sandbox"
    with alone(folder):
        there = sorted(folder.iterdir())
        with pytest.raises(ImpossibleError, match="--dir: another sandbox runs there"), alone(folder):
            pass
        assert sorted(folder.iterdir()) == there

    with alone(folder):
        pass
