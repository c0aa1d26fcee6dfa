"""The command line: arguments in, exit code out. One file a command; what a command needs, it imports."""

import sys

from canary.cli.main import invoke

__all__ = ["main"]


def main() -> None:
    """The console script `canary`."""
    sys.exit(invoke(sys.argv[1:]))
