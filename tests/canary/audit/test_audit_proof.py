"""What must be in hand before a loss is told, and what must not keep one from being told."""

from tests.canary.audit.auditing import audited, full, told


def test_an_audit_that_is_stopped_while_it_waits_calls_nothing_lost() -> None:
    """What was on its way when the position was read has not had its time: unaudited, and open."""
    world = full(20)
    world.append(0)
    world.consume(0, without={20})
    world.stopped = True
    report = audited(world)

    assert "lost" not in told(report.counts)
    assert report.open
