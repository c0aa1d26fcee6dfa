"""One folder a system. Leaves: they import `canary.values` (and what it stands on) only."""
