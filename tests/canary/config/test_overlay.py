"""The environment and flags over the file, and where the file is found."""

from contextlib import chdir
from datetime import timedelta
from pathlib import Path

import pytest

from canary.config import ConfigError, load
from canary.config.renames import Rename
from tests.canary.config.samples import Configure


def test_a_variable_overrides_the_file(configure: Configure, good: str) -> None:
    """The environment wins over the file, by number or by name, and nested tables too."""
    env = {
        "CANARY_CANARY__WINDOW": "5m",
        "CANARY_PROBES__0__RATE": "0.5",
        "CANARY_PROBES__MAIN__LANES": "3",
        "CANARY_STAGES__RAW__ALTERNATES": "overflow, historical",
        "CANARY_STAGES__RAW__SASL__MECHANISM": "PLAIN",
        "CANARY_STAGES__RAW__SASL__USERNAME": "007",
        "CANARY_STAGES__RAW__SASL__PASSWORD": "hunter2",
        "CANARY_STAGES__RAW__TLS__VERIFY": "true",
        "CANARY_PROBES__MAIN__PAYLOAD": '{ plan = "free" }',
        "CANARY_PROBES__MAIN__HEADERS__X-KEY": "12",
    }

    config = configure(good, env).config

    probe, raw = config.probes[0], config.stages[0]
    assert (config.canary.window, probe.rate, probe.lanes) == (timedelta(minutes=5), 0.5, 3)
    assert probe.payload == {"plan": "free"}
    assert probe.read_headers() == {"x-key": "12"}
    assert raw.kind == "kafka"
    assert raw.alternates == ("overflow", "historical")
    assert raw.sasl is not None
    assert raw.sasl.username == "007"
    assert raw.sasl.login is not None
    assert raw.sasl.login() == "hunter2"
    assert raw.tls is not None


def test_a_flag_overrides_a_variable(configure: Configure, good: str) -> None:
    """File, then environment, then flags."""
    loaded = configure(good, {"CANARY_CANARY__GRACE": "70s"}, overrides={"canary.grace": "80s"})

    assert loaded.config.canary.grace == timedelta(seconds=80)
    assert loaded.origins["canary", "grace"] == "flag canary.grace"


def test_a_secret_in_the_environment_replaces_the_file_of_it(configure: Configure, good: str) -> None:
    """Giving the token does not contradict the token_file that the file names."""
    text = good.replace('token = "phc_hunter2"', 'token_file = "nowhere"')

    config = configure(text, {"CANARY_PROBES__MAIN__TOKEN": "phc_env"}).config

    assert config.probes[0].api_token is not None
    assert config.probes[0].api_token() == "phc_env"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CANARY_PROBE__0__RATE", "{name}: there is no table probe; did you mean probes?"),
        ("CANARY_PROBES__MIAN__RATE", "{name}: none of probes is called mian; did you mean main?"),
        ("CANARY_PROBES__7__RATE", "{name}: leaves a gap, probes has 1 so far (got 7)"),
        ("CANARY_PROBES__RATE", "{name}: must name CANARY_PROBES__<NUMBER OR NAME>__<KEY>"),
        ("CANARY_CANARY__", "{name}: must name one key of a table"),
        ("CANARY_WEB__LISTN", "web.listn: unknown key; did you mean listen? (from {name})"),
        ("CANARY_PROBES__0__BATCH", 'probes.main.batch: must be a whole number (got "x", from {name})'),
        ("CANARY_PROBES__0__TOKEN", None),
    ],
)
def test_a_wrong_variable_is_named(configure: Configure, good: str, name: str, expected: str | None) -> None:
    """A variable that sets nothing, or sets it wrongly, is a fault with its own name."""
    if expected is None:
        assert configure(good, {name: "x"}).config
        return

    with pytest.raises(ConfigError) as caught:
        configure(good, {name: "x"})

    assert caught.value.problems == [expected.format(name=name)]


def test_other_variables_are_left_alone(configure: Configure, good: str) -> None:
    """Kubernetes makes CANARY_PORT for a service called "canary"; that is no setting."""
    assert configure(good, {"CANARY_PORT": "tcp://10.0.0.1:80", "CANARY_SERVICE_HOST": "10.0.0.1"})


def test_the_environment_can_be_all_there_is(tmp_path: Path) -> None:
    """Without any file, numbered variables make probes and stages."""
    env = {
        "CANARY_PROBES__0__NAME": "main",
        "CANARY_PROBES__0__URL": "http://ingress.test",
        "CANARY_PROBES__0__TOKEN": "phc_x",
        "CANARY_STAGES__0__NAME": "events",
        "CANARY_STAGES__0__KIND": "clickhouse",
        "CANARY_STAGES__0__URL": "http://clickhouse.test:8123",
        "CANARY_STAGES__0__TABLE": "events",
    }

    with chdir(tmp_path):
        assert load(None, env=env).config.stages[0].name == "events"


def test_the_file_is_found_by_variable_then_in_the_working_folder(folder: Path, good: str) -> None:
    """$CANARY_CONFIG, else ./canary.toml, else a message that says how to name it."""
    with chdir(folder):
        with pytest.raises(ConfigError) as caught:
            load(None, env={})
        (folder / "other.toml").write_text(good)
        named = load(None, env={"CANARY_CONFIG": "other.toml"})
        (folder / "canary.toml").write_text(good)
        found = load(None, env={})

    assert caught.value.problems == [
        "canary.toml: no such file; name the configuration with --config FILE or $CANARY_CONFIG"
    ]
    assert (named.source, found.source) == ("other.toml", "canary.toml")


def test_paths_start_at_the_files_folder(configure: Configure, good: str, folder: Path) -> None:
    """Relative paths do not hang on the folder that the program was started in."""
    config = configure(good).config

    assert config.ledger.url == f"sqlite:///{folder}/canary.db"
    assert config.canary.secret_file.path == folder / "canary-secret"


def test_probes_without_a_rate_share_one_a_second(configure: Configure, good: str) -> None:
    """The default is 1/s in all, however many probes there are."""
    probe = good[: good.index("[[stages]]")]

    config = configure(probe.replace("main", "other") + good).config

    assert [probe.rate for probe in config.probes] == [0.5, 0.5]


def test_the_first_topic_has_its_own_defaults(configure: Configure, good: str) -> None:
    """Lanes are aimed at the first topic's partitions; later topics need no key."""
    later = good[good.index("[[stages]]") :].split("[[stages]]")[1].replace('"raw"', '"later"')
    text = good.replace('[[stages]]\nname = "events"', f'[[stages]]{later}[[stages]]\nname = "events"')

    first, second, _ = configure(text).config.stages

    assert first.kind == second.kind == "kafka"
    assert (first.key, first.partitioner) == ("{token}:{distinct_id}", "murmur2")
    assert (second.key, second.partitioner) == ("{uuid}", "crc32")


def test_a_renamed_key_warns_for_one_release(configure: Configure, good: str) -> None:
    """The old name still works and says its new one; both at once is a fault."""
    rules = (Rename("canary", "settle_after", "grace"), Rename("probes", "per_second", "rate"))
    text = '[canary]\nsettle_after = "77s"\n' + good.replace(
        'url = "http://in', 'per_second = 0.25\nurl = "http://in'
    )

    loaded = configure(text, renamed=rules)
    with pytest.raises(ConfigError) as caught:
        configure(text.replace("[canary]", '[canary]\ngrace = "60s"'), renamed=rules)

    assert (loaded.config.canary.grace, loaded.config.probes[0].rate) == (timedelta(seconds=77), 0.25)
    assert loaded.warnings[:2] == (
        "canary.settle_after: is called grace now; the old name stops working with the next release",
        "probes.main.per_second: is called rate now; the old name stops working with the next release",
    )
    assert caught.value.problems == [
        "canary.settle_after: is called grace now, and that is given too; remove it"
    ]
