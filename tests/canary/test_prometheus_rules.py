"""The rules for Prometheus: taken by its own tool, right about our series, no second owner of a page."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from canary.metrics import CATALOGUE, PREFIX

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
OF_ITSELF = ("IngestionCanarySilent", "IngestionCanaryUnsent")
"""What the daemon cannot tell itself."""


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is missing: it comes with Debian's prometheus")
        pytest.skip("promtool is not installed")
    return found


@pytest.mark.parametrize("words", [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")])
def test_prometheus_s_own_tool_agrees(promtool: str, words: tuple[str, ...]) -> None:
    """The rules parse, and fire when they should and not when they should not."""
    done = subprocess.run(
        [promtool, *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_ask_for_series_that_there_are() -> None:
    """A rule on a name that nobody exports is silent for ever."""
    names = {f"{PREFIX}_{spec.name}" for spec in CATALOGUE}
    for file in ("rules.yml", "rules_test.yml"):
        assert set(re.findall(rf"{PREFIX}_\w+", (FOLDER / file).read_text())) <= names


def test_only_the_monitor_s_own_silence_is_a_page() -> None:
    """The daemon pages for the rest, and nobody is woken twice."""
    rules = re.findall(r"- alert: (\w+).*?severity: (\w+)", (FOLDER / "rules.yml").read_text(), re.DOTALL)
    assert len(rules) > 8
    assert [name for name, severity in rules if severity == "page"] == list(OF_ITSELF)
    assert {severity for _, severity in rules} == {"page", "ticket"}
