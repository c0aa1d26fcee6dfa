"""TOML, environment and flags, read into one frozen, typed value."""
