"""What faults hold back, and when it goes on."""

from pathlib import Path

import pytest

from canary.sandbox.faults import fault_from
from canary.sandbox.meddle import Item, Meddler, Plan, Truth


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(Truth(tmp_path / "faults.jsonl"))


def item(number: int) -> Item:
    return Item(str(number), canary=True, lane=0, body={})


def test_what_is_held_comes_out_behind_the_next_of_its_lane(plan: Plan) -> None:
    """Not before it, though the fault is used up by then."""
    plan.add(fault_from({"kind": "reorder", "at": "raw", "count": 1}))
    before = Meddler(plan, "raw")

    assert before.meddle(item(1)).now == ()
    assert before.overdue() == []
    assert [one.uuid for one in before.meddle(item(2)).now] == ["2", "1"]
    assert before.overdue() == []


def test_what_is_held_when_all_is_healed_goes_on_at_once(plan: Plan) -> None:
    """Nobody has to overtake it any more; what a fault of after that holds stays held."""
    reorder = fault_from({"kind": "reorder", "at": "raw", "count": 1})
    plan.add(reorder)
    before = Meddler(plan, "raw")
    before.meddle(item(1))
    plan.clear()
    plan.add(reorder)

    assert [one.uuid for one in before.overdue()] == ["1"]
    assert before.meddle(item(2)).held
    assert before.overdue() == []
