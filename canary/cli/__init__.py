"""The command line: arguments in, exit code out. One file a command; what a command needs, it imports."""

import sys


def main() -> None:
    """The console script `canary`."""
    from canary.cli.main import invoke

    sys.exit(invoke(sys.argv[1:]))
