"""The daemon beside the real traffic of a whole pipeline: before Kafka, between topics, and its delay."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from bench.running import daemon
from canary.sandbox.handle import Handle
from tests.e2e.checking import canary, peace
from tests.e2e.daemons import keys, load

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(240)]
HOP = "raw->processed"


@pytest.fixture
def pipeline(sandbox: Handle) -> Iterator[Handle]:
    """A pipeline at peace."""
    peace(sandbox)
    yield sandbox
    sandbox.heal()


@pytest.fixture
def counters() -> Iterator[str]:
    """An ingress that counts nothing of what goes through it."""
    registry = CollectorRegistry()
    Counter("capture_events_received", "Events received.", registry=registry)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_real_traffic_is_followed_beside_the_canaries(
    pipeline: Handle, counters: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In peace nothing is lost; what is dropped between two topics is; delay and ingress are measured."""
    monkeypatch.setenv("CANARY_STAGES__PROCESSED__SAMPLE_BUDGET", "1000")
    monkeypatch.setenv("CANARY_COUNTERS__URLS", counters)
    monkeypatch.setenv("CANARY_COUNTERS__EVERY", "1s")
    with daemon(pipeline, load("real", rate=10)) as running:

        def sampled(outcome: str) -> float:
            return running.metric("between_sampled_total", hop=HOP, outcome=outcome)

        assert running.until(lambda: sampled("arrived") >= 30, within=90)
        assert sampled("lost") == 0
        assert running.until(lambda: running.metric("between_blind", hop=HOP) == 0, within=60)
        assert 0 < running.metric("between_lost_at_most", hop=HOP) < 1
        assert running.until(lambda: running.metric("ingress_appended_total") >= 20, within=60)
        assert running.metric("ingress_received_total") == 0
        assert running.metric("ingress_left") < 0
        assert running.metric("ingress_blind") == 0
        assert running.until(lambda: running.metric("step_age_seconds", step="delay events") > 0, within=30)
        assert running.until(lambda: running.metric("delay_blind", stage="events") == 0, within=60)
        before = len(pipeline.struck())
        pipeline.fault("drop", at="processed", share=0.5, lasts="20s")
        assert running.until(lambda: sampled("lost") >= 3, within=60)
        assert running.until(lambda: f"audit_lost:{HOP}" in keys(running), within=20)
        pipeline.heal()
        assert sampled("lost") <= len(pipeline.struck()) - before
        assert {one["kind"] for one in running.status()["real"]} >= {"ingress", "between", "delay"}
    assert running.process.returncode == 0
    file = pipeline.dir / "real.toml"
    times = ("--from", "10m", "--to", "now")
    told = canary("audit", "--kept", *times, "--config", str(file), "--output", "json").report
    lost = [one["lost"] for one in told["beside"] if one["kind"] == "between"]
    assert sum(lost) >= 3
    assert {one["kind"] for one in told["beside"]} == {"ingress", "between", "delay"}
