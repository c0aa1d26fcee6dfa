"""A whole small pipeline on this machine, with faults on demand. For demos and tests."""
