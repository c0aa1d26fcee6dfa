"""The audit of real traffic."""
