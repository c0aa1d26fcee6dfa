"""Every row of the scoreboard: the catalogue in memory, the ingress on a real wire, the real traffic."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.scoreboard.traffic import BUSY, BusyWorld
from tests.scoreboard.wire import WIRED, WiredWorld
from tests.virtual.failing import FailingLedger, place_in
from tests.virtual.faults import CATALOGUE
from tests.virtual.naming import Named
from tests.virtual.world import World

ROWS: Mapping[str, Named] = MappingProxyType({**CATALOGUE, **WIRED, **BUSY})


def world_for(name: str, folder: Path) -> World:
    """A new world in which this fault can be played, its ledger in that folder."""
    kind = WiredWorld if name in WIRED else BusyWorld if name in BUSY else World
    return kind(place_in(folder), opens=FailingLedger.quick)
