"""What is known of the parts beside their events: what changed in them, how long topics keep, warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from canary.described import Change, Keeps


@dataclass(frozen=True, slots=True)
class Warned:
    """What the pipeline itself wrote down as warnings since a time (our line): reason -> how often."""

    since: datetime
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Background:
    """As it stands now. `keeps` and `warned` by stage; changes up to `within` before a fault count."""

    changes: Sequence[Change] = ()
    keeps: Mapping[str, Keeps] = field(default_factory=dict)
    warned: Mapping[str, Warned] = field(default_factory=dict)
    within: timedelta = timedelta(hours=1)
