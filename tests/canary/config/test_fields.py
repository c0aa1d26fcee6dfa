"""Durations and messages as laws, and loading whatever somebody may write."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary.config import ConfigError, load
from canary.config.fields import from_duration, shown_url, to_duration
from canary.tools import real_objective
from tests.canary.config.samples import GOOD, Configure


@given(st.integers(0, 10**11))
def test_a_duration_reads_back(milliseconds: int) -> None:
    """What is printed as a duration is read as the same one."""
    value = timedelta(milliseconds=milliseconds)

    assert to_duration(from_duration(value)) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("30m", 1800), ("1h", 3600), ("24h", 86400), ("1h30m", 5400), ("1.5s", 1.5)],
)
def test_durations(text: str, seconds: float) -> None:
    """The spellings that the manual promises."""
    assert to_duration(text) == timedelta(seconds=seconds)


@given(st.text(), st.text(min_size=1))
def test_an_address_never_shows_its_user_or_password(user: str, password: str) -> None:
    """Whatever stands before the @ is masked."""
    assert shown_url(f"http://{user}:{password}@host/x") in ("http://***@host/x", "***@host/x")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD)), st.text(max_size=12), st.integers(0, 12))
def test_any_file_loads_or_is_refused(at: int, inserted: str, cut: int) -> None:
    """A damaged file is a ConfigError with words in it, never another exception."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "canary.toml"
        file.write_bytes((GOOD[:at] + inserted + GOOD[at + cut :]).encode("utf-8", "surrogatepass"))
        told = _told(file)

    assert all(problem.strip() for problem in told)


_VALUES = st.recursive(
    st.one_of(st.integers(-5, 5), st.booleans(), st.text(max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            *("canary.window", "slack.token", "ledger.url", "web.listen", "probes.0.name", "probes.0.url"),
            *("probes.main.payload", "probes.0.headers", "probes.0.headers.x", "stages.0", "stages.raw.kind"),
            *("stages.raw.sasl", "stages.0.bootstrap", "stages.0.tls.ca_file", "stages.events.columns"),
        ]
    ),
    _VALUES,
)
def test_any_value_anywhere_loads_or_is_refused(path: str, value: object) -> None:
    """A value of the wrong kind is a fault in words, wherever it stands."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "canary.toml"
        file.write_text(GOOD)
        told = _told(file, {path: value})

    assert all(problem.strip() for problem in told)


def _told(file: Path, overrides: Mapping[str, object] | None = None) -> list[str]:
    """The faults that are found; what is found to be wrong has at least one."""
    try:
        load(file, env={}, overrides=overrides)
    except ConfigError as error:
        return error.problems or [""]
    return []


def test_warnings_in_their_words(configure: Configure, good: str) -> None:
    """What works but deserves a thought."""
    text = '[web]\nlisten = "0.0.0.0:9187"\n' + good.replace('consumer_group = "group1"\n', "").replace(
        'topic = "raw"\n', 'topic = "raw"\nconsumer_group = "g"\ntls = { verify = false }\n'
    )
    text = text.replace('token = "phc', 'rate = 0.9\nlanes = 2\npool = 4\ntoken = "phc')

    assert configure(text).warnings == (
        "probes.main.pool: makes hot keys in a long check at 5/s; 5 would not (got 4)",
        "stages.raw.tls.verify: is off: anybody on the way can pose as this server",
        "stages.raw.consumer_group: means nothing at the first stage: "
        "the ingress writes into it, not a consumer",
        "stages.events.consumer_group: is missing: without the group that carries events into events, "
        "a loss is proven only 30m after the send, and a backlog cannot be told from it",
        "web.listen: everybody who reaches this address can read metrics and the status page, "
        'which ask for no login (got "0.0.0.0:9187")',
    )


def test_real_rows_have_an_objective_of_their_own(configure: Configure, good: str) -> None:
    """The canaries' where none is set; one that is held against nothing is worth a thought."""
    canaries = '[canary]\nobjective = "7s"\n' + good
    assert real_objective(configure(canaries).config) == timedelta(seconds=7)
    own = configure('[audit]\nobjective = "90s"\n' + canaries)
    assert (real_objective(own.config), own.warnings) == (timedelta(seconds=90), ())
    unmeasured = '[audit]\nobjective = "90s"\n' + good + 'delay_from = ""\n'
    assert configure(unmeasured).warnings == (
        "audit.objective: is held against nothing: no table has both delay_from and delay_to (got 90s)",
    )
