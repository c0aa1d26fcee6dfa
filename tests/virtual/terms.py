"""What was promised about time, in plain seconds: pipeline, oracle and monitor are told the same."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """On time is within `objective`; an ingress may take `patience`; an arrival is known to `resolution`."""

    objective: float
    patience: float
    lost_after: float
    resolution: float = 5.0
