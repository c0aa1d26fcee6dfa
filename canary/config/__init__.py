"""The configuration: a TOML file, the environment and flags become one frozen, typed value."""

from canary.config.load import Loaded, load
from canary.config.models import Config
from canary.config.problems import ConfigError

__all__ = ["Config", "ConfigError", "Loaded", "load"]
