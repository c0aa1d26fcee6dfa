"""Paging: conditions in, notices out. Knows nothing of canaries, windows or stages."""
