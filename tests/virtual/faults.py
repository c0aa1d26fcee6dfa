"""The catalogue of faults that can be had in memory, each by its name.

`CATALOGUE[name]` is a `Named`: `apply(world)` begins the fault, `undo(world)` ends it (nothing to do
for what happens in an instant), `lasts` is how many virtual seconds should lie between the two.
`hop` and `stage` say where it strikes; `kind` groups. What each canary really suffered stands in
`world.pipeline.fates`, and `oracle.faults(world)` compares it with what the monitor said; `expects`
names the outcomes or flags that some canary must have got in the end, `pages` the beginnings of the keys
of the conditions that must have opened meanwhile.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from tests.virtual import faults_monitor, faults_observer, faults_pipeline
from tests.virtual.naming import Named


def _all() -> Iterator[Named]:
    yield from faults_pipeline.faults()
    yield from faults_observer.faults()
    yield from faults_monitor.faults()


CATALOGUE: Mapping[str, Named] = MappingProxyType({fault.name: fault for fault in _all()})
