"""Every fault of the catalogue by itself: what it did is found, and nothing else is said."""

from pathlib import Path

import pytest

from tests.virtual.faults import CATALOGUE, run
from tests.virtual.oracle import faults
from tests.virtual.world import World


@pytest.mark.parametrize("name", [name for name, fault in CATALOGUE.items() if fault.lasts < 1000])
def test_each_fault_is_found_and_told(name: str, tmp_path: Path) -> None:
    """The outcomes and flags that are owed, and the page."""
    fault, world = CATALOGUE[name], World(tmp_path / "ledger.db")
    run(world, fault)
    judged = [judged for id_ in world.owed() if (judged := world.track(id_).judged) is not None]
    got = {str(item.outcome.value) for item in judged} | {
        flag.value for item in judged for flag in item.flags
    }
    told = [notice.key for notice in world.opened()]
    assert faults(world, may_miss=fault.may_miss) == []
    assert fault.expects <= got
    assert [page for page in fault.pages if not any(key.startswith(page) for key in told)] == []
    world.close()
