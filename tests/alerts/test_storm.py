"""A storm is a handful of messages, however many conditions are true at once."""

import pytest

from bench.storm import RULES, storm


@pytest.mark.parametrize("grouped", [False, True])
def test_a_storm_is_a_handful_of_messages(grouped: bool) -> None:
    """Singly as many as the burst and a summary, now and ten minutes later; of one kind, start and end."""
    messages, _ = storm(grouped=grouped, conditions=1_000)
    assert RULES.burst is not None
    assert 1 <= messages <= (2 if grouped else 2 * (RULES.burst + 1))
