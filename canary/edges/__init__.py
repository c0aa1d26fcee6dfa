"""One file a system. Leaves: they import `canary.values` (and what it stands on) only."""
